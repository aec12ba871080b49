import type { App } from "./app";
import { h, refill } from "./dom";
import { icon } from "./icons";
import { openMenu } from "./menu";
import type { Kept } from "./session";
import { thumbnail } from "./thumbnail";

/** The kept drawings, in a row below everything else. */
export function mountShelf(element: HTMLElement, app: App): void {
  const row = h("ul", { class: "shelf-row", "data-testid": "shelf" });
  const count = h("span", { class: "label" });
  refill(
    element,
    count,
    row,
    h(
      "button",
      { class: "button quiet", type: "button", onclick: () => app.takeWithYou() },
      icon("take"),
      h("span", { class: "wide-only" }, "Take them"),
    ),
  );
  app.session.kept.follow((kept) => {
    element.hidden = kept.length === 0;
    count.textContent = `Kept ${kept.length}`;
    refill(row, ...kept.map((one, index) => h("li", {}, keptButton(app, one, index))));
  });
}

function keptButton(app: App, { id, drawing, by }: Kept, index: number): HTMLElement {
  const name = `Kept drawing ${index + 1}${drawing.category ? `: ${drawing.category}` : ""}`;
  const button = h(
    "button",
    {
      class: "shelf-item",
      type: "button",
      "aria-label": name,
      "aria-haspopup": "menu",
      title: drawing.category ?? null,
      onclick: () =>
        openMenu(button, name, [
          { name: "Continue on it", icon: "onto", key: "C", run: () => app.continueOn(drawing, false, by) },
          { name: "Use as next input", icon: "next", key: "N", run: () => app.useAsInput(drawing) },
          { name: "Save", icon: "take", key: "S", run: () => app.takeWithYou(drawing) },
          { name: "Remove", icon: "clear", key: "X", run: () => app.session.remove(id) },
        ]),
    },
    thumbnail(drawing, by),
  );
  return button;
}

import { freshId, h } from "./dom";
import { icon } from "./icons";

interface DialogOptions {
  readonly title: string;
  readonly className: string;
  readonly content: readonly (Node | string)[];
  readonly onClose?: () => void;
}

/** A dialog over the page; Escape and a click beside it close it. It is gone when it is closed. */
export function openDialog({ title, className, content, onClose }: DialogOptions): HTMLDialogElement {
  const id = freshId("dialog");
  const dialog = h(
    "dialog",
    { class: `dialog ${className}`, "aria-labelledby": id, "data-testid": className },
    h(
      "div",
      { class: "dialog-body" },
      h(
        "header",
        {},
        h("h2", { id }, title),
        h(
          "button",
          { class: "icon-button", type: "button", "aria-label": "Close", onclick: () => dialog.close() },
          icon("close"),
        ),
      ),
      ...content,
    ),
  );
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  dialog.addEventListener("close", () => {
    onClose?.();
    dialog.remove();
  });
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}

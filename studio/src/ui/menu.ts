import { h, refill } from "./dom";
import { type Icon, icon } from "./icons";

export interface MenuItem {
  readonly name: string;
  readonly icon: Icon;
  readonly key?: string;
  readonly run: () => void;
}

const element = h("div", { class: "menu", role: "menu", popover: "auto", tabindex: "-1" });
let anchor: HTMLElement | null = null;

element.addEventListener("keydown", (event) => {
  const items = [...element.querySelectorAll("button")];
  const at = items.indexOf(document.activeElement as HTMLButtonElement);
  const steps: Record<string, number> = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: items.length - 1 };
  const step = steps[event.key];
  if (step !== undefined) {
    items[(step + items.length) % items.length]?.focus();
    event.preventDefault();
  } else if (event.key === "Tab") {
    element.hidePopover();
  } else {
    items.find((item) => item.dataset["key"] === event.key.toUpperCase())?.click();
  }
  event.stopPropagation();
});

element.addEventListener("toggle", (event) => {
  if ((event as ToggleEvent).newState === "open") return;
  anchor?.setAttribute("aria-expanded", "false");
  if (element.contains(document.activeElement) || document.activeElement === document.body) anchor?.focus();
});

/** A small menu beside an element. */
export function openMenu(beside: HTMLElement, label: string, items: readonly MenuItem[]): void {
  if (!element.isConnected) document.body.append(element);
  anchor = beside;
  element.setAttribute("aria-label", label);
  refill(
    element,
    ...items.map(({ name, icon: sign, key, run }) =>
      h(
        "button",
        {
          role: "menuitem",
          "data-key": key ?? null,
          "data-testid": `menu-${name.toLowerCase().replaceAll(" ", "-")}`,
          onclick: () => {
            element.hidePopover();
            run();
          },
        },
        icon(sign),
        h("span", {}, name),
        key && h("kbd", {}, key),
      ),
    ),
  );
  beside.setAttribute("aria-expanded", "true");
  element.showPopover();
  place(element, beside.getBoundingClientRect());
  element.querySelector("button")?.focus();
}

/** Below an anchor or above it, wherever there is room, within the window. */
export function place(popover: HTMLElement, beside: DOMRect): void {
  const { width, height } = popover.getBoundingClientRect();
  const margin = 8;
  const below = beside.bottom + 6;
  const top = below + height + margin <= innerHeight ? below : Math.max(margin, beside.top - 6 - height);
  const left = Math.min(Math.max(margin, beside.left + beside.width / 2 - width / 2), innerWidth - width - margin);
  popover.style.left = `${left}px`;
  popover.style.top = `${top}px`;
}

import { freshId, h, refill } from "./dom";
import { icon } from "./icons";

/** A field to find a category in, by a part of its name. Null is any. */
export class CategoryField {
  readonly element: HTMLElement;
  private readonly input: HTMLInputElement;
  private readonly list: HTMLElement;
  private categories: readonly string[] = [];
  private chosen: string | null = null;
  private active = -1;

  constructor(
    label: string,
    private readonly any: string | null,
    private readonly onChoose: (category: string | null) => void,
    testId?: string,
  ) {
    const id = freshId("category");
    const listId = `${id}-list`;
    this.list = h("ul", { id: listId, class: "options", role: "listbox", "aria-label": label, hidden: true });
    this.input = h("input", {
      id,
      type: "text",
      role: "combobox",
      autocomplete: "off",
      autocapitalize: "off",
      spellcheck: "false",
      placeholder: any ?? "Find a category",
      "aria-expanded": "false",
      "aria-controls": listId,
      "aria-autocomplete": "list",
      "data-testid": testId,
      onfocus: () => {
        this.input.select();
        this.open("");
      },
      oninput: () => this.open(this.input.value),
      onclick: () => this.list.hidden && this.open(""),
      onblur: () => this.close(),
      onkeydown: (event: KeyboardEvent) => this.key(event),
    });
    this.element = h(
      "div",
      { class: "category" },
      h("label", { for: id }, label),
      h("div", { class: "combo" }, this.input, icon("down"), this.list),
    );
  }

  offer(categories: readonly string[]): void {
    this.categories = categories;
    if (this.chosen !== null && !categories.includes(this.chosen)) this.choose(null);
  }

  get value(): string | null {
    return this.chosen;
  }

  set value(category: string | null) {
    this.chosen = category;
    this.input.value = category ?? "";
  }

  private get options(): readonly (string | null)[] {
    const wanted = this.list.dataset["filter"] ?? "";
    const found = this.categories.filter((category) => category.toLowerCase().includes(wanted));
    const starting = found.filter((category) => category.toLowerCase().startsWith(wanted));
    const ordered = [...starting, ...found.filter((category) => !starting.includes(category))];
    return this.any !== null && wanted === "" ? [null, ...ordered] : ordered;
  }

  private open(filter: string): void {
    this.list.dataset["filter"] = filter.trim().toLowerCase();
    const { options } = this;
    this.active = filter === "" ? options.indexOf(this.chosen) : options.length > 0 ? 0 : -1;
    const items = options.map((category, index) =>
      h(
        "li",
        {
          role: "option",
          id: `${this.list.id}-${index}`,
          "aria-selected": String(category === this.chosen),
          onpointerdown: (event: Event) => {
            event.preventDefault();
            this.choose(category);
            this.input.blur();
          },
        },
        category ?? this.any,
      ),
    );
    refill(
      this.list,
      ...(items.length > 0 ? items : [h("li", { class: "nothing" }, "It has learned nothing of that name.")]),
    );
    this.list.hidden = false;
    this.input.setAttribute("aria-expanded", "true");
    this.mark();
  }

  private close(): void {
    this.list.hidden = true;
    this.input.setAttribute("aria-expanded", "false");
    this.input.removeAttribute("aria-activedescendant");
    this.input.value = this.chosen ?? "";
  }

  private choose(category: string | null): void {
    const changed = category !== this.chosen;
    this.value = category;
    this.close();
    if (changed) this.onChoose(category);
  }

  private key(event: KeyboardEvent): void {
    const { options } = this;
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      if (this.list.hidden) this.open("");
      else
        this.active =
          (this.active + (event.key === "ArrowDown" ? 1 : -1) + options.length) % Math.max(1, options.length);
      this.mark();
    } else if (event.key === "Enter" && !this.list.hidden) {
      const option = options[this.active];
      if (option !== undefined) this.choose(option);
    } else if (event.key === "Escape" && !this.list.hidden) {
      this.close();
    } else {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  }

  private mark(): void {
    [...this.list.children].forEach((item, index) => item.classList.toggle("active", index === this.active));
    const item = this.list.children[this.active];
    if (item) {
      item.scrollIntoView({ block: "nearest" });
      this.input.setAttribute("aria-activedescendant", item.id);
    } else {
      this.input.removeAttribute("aria-activedescendant");
    }
  }
}

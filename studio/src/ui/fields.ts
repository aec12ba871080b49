import { freshId, h } from "./dom";
import type { Cell } from "./cell";
import { type Settings, spreadOver } from "./settings";

type NumberSetting = { [K in keyof Settings]: Settings[K] extends number ? K : never }[keyof Settings];

interface SliderOptions {
  readonly name: string;
  readonly min: number;
  readonly max: number;
  readonly step: number;
  readonly testId?: string;
  /** Words at its ends. */
  readonly ends?: readonly [string, string];
}

/** A slider of one of the settings; all sliders of a setting move together. */
export function settingSlider(settings: Cell<Settings>, setting: NumberSetting, options: SliderOptions): HTMLElement {
  const id = freshId(setting);
  const show = (value: number): string => (options.step < 1 ? value.toFixed(2) : String(value));
  const output = h("output", { for: id });
  const input = h("input", {
    id,
    type: "range",
    min: options.min,
    max: options.max,
    step: options.step,
    "data-testid": options.testId,
    oninput: () => (settings.value = { ...settings.value, [setting]: input.valueAsNumber }),
  });
  settings.follow((value) => {
    input.valueAsNumber = value[setting];
    output.textContent = show(value[setting]);
    input.style.setProperty("--share", String((value[setting] - options.min) / (options.max - options.min)));
  });
  return h(
    "div",
    { class: "slider" },
    h("label", { for: id }, options.name),
    output,
    input,
    options.ends &&
      h("span", { class: "slider-ends", "aria-hidden": "true" }, ...options.ends.map((end) => h("span", {}, end))),
  );
}

/** The freedom dial: how closely the drawing is followed. What is marked on it is where the rows lie. */
export function freedomDial(settings: Cell<Settings>, rows: number): HTMLElement {
  const dial = settingSlider(settings, "freedom", {
    name: "Freedom",
    min: 0,
    max: 1,
    step: 0.01,
    testId: "freedom",
    ends: ["trace it", "reimagine it"],
  });
  dial.classList.add("dial");
  settings.follow(({ freedom }) => {
    const places = spreadOver(freedom, rows);
    dial.style.setProperty("--from", String(places[0]));
    dial.style.setProperty("--to", String(places[rows - 1]));
  });
  return dial;
}

/** A box to tick, for one of the settings that are on or off. */
export function settingCheck(settings: Cell<Settings>, setting: "shortcuts", name: string): HTMLElement {
  const input = h("input", {
    type: "checkbox",
    "data-testid": setting,
    onchange: () => (settings.value = { ...settings.value, [setting]: input.checked }),
  });
  settings.follow((value) => (input.checked = value[setting]));
  return h("label", { class: "check" }, input, h("span", {}, name));
}

/** One of a few values, as a row of buttons. */
export function choice<T extends string | number>(
  name: string,
  options: readonly (readonly [T, string])[],
  value: T,
  onChange: (value: T) => void,
): HTMLFieldSetElement & { choose(value: T): void } {
  const group = freshId("choice");
  const inputs = options.map(([option, label]) => {
    const input = h("input", {
      type: "radio",
      name: group,
      value: option,
      checked: option === value,
      onchange: () => onChange(option),
    });
    return { option, input, label };
  });
  const element = h(
    "fieldset",
    { class: "choice" },
    h("legend", {}, name),
    h("div", { class: "choice-row" }, ...inputs.map(({ input, label }) => h("label", {}, input, h("span", {}, label)))),
  );
  return Object.assign(element, {
    choose: (chosen: T) => inputs.forEach(({ option, input }) => (input.checked = option === chosen)),
  });
}

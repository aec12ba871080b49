import type { App } from "./app";
import { openDialog } from "./dialog";
import { h } from "./dom";
import { choice, settingCheck, settingSlider } from "./fields";
import { DEFAULTS, PACES, type Settings } from "./settings";

/** How it draws, how it looks, and what the model is. */
export function openPreferences(app: App): void {
  const { settings } = app;
  const change = (part: Partial<Settings>): void => void (settings.value = { ...settings.value, ...part });
  openDialog({
    title: "Settings",
    className: "preferences",
    content: [
      h(
        "section",
        { "aria-label": "Drawing" },
        settingSlider(settings, "temperature", {
          name: "Temperature",
          min: 0,
          max: 1,
          step: 0.05,
          testId: "settings-temperature",
          ends: ["the likeliest line", "as free as people"],
        }),
        choice("Speed of drawing", PACES, settings.value.pace, (pace) => change({ pace })),
        choice(
          "Runs on",
          [
            ["wasm", "Processor"],
            ["webgpu", "GPU"],
          ],
          settings.value.device,
          (device) => change({ device }),
        ),
        choice(
          "Theme",
          [
            ["system", "As the system"],
            ["light", "Light"],
            ["dark", "Dark"],
          ],
          settings.value.theme,
          (theme) => change({ theme }),
        ),
        settingCheck(settings, "shortcuts", "Single keys act as shortcuts"),
        h(
          "button",
          {
            class: "button quiet",
            type: "button",
            onclick: (event: Event) => {
              (event.target as HTMLElement).closest("dialog")?.close();
              settings.value = DEFAULTS;
              openPreferences(app);
            },
          },
          "Back to what it was at first",
        ),
      ),
      h("section", { class: "facts", "aria-label": "The model" }, h("h3", {}, "The model"), modelFacts(app)),
      h(
        "section",
        { class: "facts", "aria-label": "Credits" },
        h("h3", {}, "Credits"),
        h(
          "p",
          {},
          "Learned from ",
          h(
            "a",
            { href: "https://github.com/googlecreativelab/quickdraw-dataset", rel: "noreferrer" },
            "The Quick, Draw! Dataset",
          ),
          ", Google, ",
          h("a", { href: "https://creativecommons.org/licenses/by/4.0/", rel: "noreferrer" }, "CC BY 4.0"),
          ". This page and the package are under the MIT licence; those of what it is built on are in ",
          h("a", { href: "./licenses.txt" }, "licenses.txt"),
          ".",
        ),
        h("p", {}, "Everything runs in this page. Nothing that you draw leaves your machine."),
      ),
    ],
  });
}

function modelFacts({ model }: App): HTMLElement {
  const state = model.value;
  if (state.kind === "loading") return h("p", {}, "It is being loaded.");
  if (state.kind === "failed") return h("p", {}, state.sentence);
  const { info } = state.engine;
  const facts: (readonly [string, string])[] = [
    ["Name", info.name],
    [
      "Runs on",
      info.device === "webgpu"
        ? "the GPU"
        : `the processor, ${info.threads} ${info.threads === 1 ? "thread" : "threads"}`,
    ],
    ...trainingFacts(info.training),
    [`Categories (${info.categories.length})`, info.categories.join(", ")],
  ];
  return h("dl", {}, ...facts.flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]));
}

/** The training record in words, as far as it is there. */
export function trainingFacts(training: Readonly<Record<string, unknown>>): (readonly [string, string])[] {
  const { steps, minutes, machine, sketches } = training;
  const drawings =
    typeof sketches === "object" && sketches !== null ? (sketches as Record<string, unknown>)["train"] : null;
  const facts: (readonly [string, string])[] = [];
  if (typeof drawings === "number") facts.push(["Learned from", `${drawings.toLocaleString("en")} drawings`]);
  if (typeof steps === "number") facts.push(["Training", `${steps.toLocaleString("en")} steps${timeOf(minutes)}`]);
  if (typeof machine === "string") facts.push(["On", machine]);
  return facts;
}

function timeOf(minutes: unknown): string {
  if (typeof minutes !== "number") return "";
  return minutes < 90 ? `, ${Math.round(minutes)} minutes` : `, ${(minutes / 60).toFixed(1)} hours`;
}

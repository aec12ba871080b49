import { openDialog } from "./dialog";
import { h } from "./dom";

const GROUPS: readonly (readonly [string, readonly (readonly [keys: readonly string[], does: string])[]])[] = [
  [
    "Canvas",
    [
      [["P"], "Pen"],
      [["V"], "Select strokes: drag to move them, the corner to scale them; then arrows, +, − and Delete"],
      [["E"], "Eraser"],
      [["Ctrl", "Z"], "Undo"],
      [["Shift", "Ctrl", "Z"], "Redo"],
      [["X"], "Clear the canvas"],
      [["K"], "Keep the drawing"],
      [["O"], "Open a picture"],
      [["0"], "Show all of the page"],
      [["Ctrl", "Wheel"], "Scale the page; the wheel alone moves it"],
      [["Space"], "With the canvas focused: pen down and up; arrows move it"],
    ],
  ],
  [
    "With the model",
    [
      [["1", "–", "5"], "Redraw, Finish, Blend, Map, Wander"],
      [["R"], "Other drawings"],
      [["←", "→"], "In Finish: the next way to go on"],
      [["Enter"], "In Finish: take it"],
    ],
  ],
  [
    "On a drawing",
    [
      [["Enter"], "What can be done with it"],
      [["K"], "Keep"],
      [["C"], "Continue on it"],
      [["N"], "Use it as the next input"],
      [["S"], "Save it"],
    ],
  ],
  [
    "Page",
    [
      [["Ctrl", "S"], "Take it with you"],
      [["T"], "Light or dark"],
      [[","], "Settings"],
      [["?"], "This list"],
    ],
  ],
];

export function openHelp(): void {
  openDialog({
    title: "Keys",
    className: "help",
    content: [
      h(
        "div",
        { class: "help-groups" },
        ...GROUPS.map(([title, keys]) =>
          h(
            "section",
            {},
            h("h3", {}, title),
            h(
              "dl",
              {},
              ...keys.flatMap(([combination, does]) => [
                h("dt", {}, ...combination.map((key) => (key === "–" ? key : h("kbd", {}, key)))),
                h("dd", {}, does),
              ]),
            ),
          ),
        ),
      ),
      h(
        "p",
        { class: "aside" },
        "With fingers: one draws, two move and scale the page; tap a drawing to see what can be done with it.",
      ),
      h(
        "p",
        { class: "aside" },
        "Graphite is what you drew, blue pencil what the model drew. Drop or paste a picture, and it becomes strokes.",
      ),
    ],
  });
}

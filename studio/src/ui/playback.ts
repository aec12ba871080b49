import { frameOf } from "../core/geometry";
import type { App } from "./app";
import { drawCurve, roundPen } from "./brush";
import { curveOf } from "./curve";
import { openDialog } from "./dialog";
import { clearCanvas, fitCanvas, h, refill } from "./dom";
import { icon } from "./icons";
import { drawingOf } from "./ink";
import { Timeline } from "./replay";
import { palette } from "./theme";
import { thumbnail } from "./thumbnail";
import { eachFrame } from "./ticker";

const MARGIN = 0.1;

/** The canvas drawn again at the speed of a hand: play, pause, scrub; and the order of its strokes, to change. */
export function openPlayback(app: App): void {
  const canvas = h("canvas", { class: "playback-paper", role: "img", "aria-label": "The drawing as it is drawn" });
  const list = h("ol", { class: "playback-order", "aria-label": "Strokes in drawing order" });
  let timeline = new Timeline(drawingOf(app.sheet.ink.value), frameOf(drawingOf(app.sheet.ink.value).strokes).side);
  let time = 0;
  let chosen = -1;
  let stop: (() => void) | null = null;

  const paint = (): void => {
    const ink = app.sheet.ink.value;
    const { side, centre } = frameOf(ink.map(({ points }) => points));
    const { context } = fitCanvas(canvas);
    clearCanvas(context);
    const { width, height } = context.canvas;
    const scale = (Math.min(width, height) * (1 - 2 * MARGIN)) / side;
    context.setTransform(scale, 0, 0, scale, width / 2 - centre[0] * scale, height / 2 - centre[1] * scale);
    roundPen(context);
    const line = (0.007 * Math.min(width, height)) / scale;
    for (const { stroke, begins, takes } of timeline.parts) {
      if (begins > time) break;
      const { points, by, pressure } = ink[stroke]!;
      context.strokeStyle = context.fillStyle = palette()[by];
      const curve = curveOf(points, pressure);
      drawCurve(context, curve, stroke === chosen ? 2 * line : line, 0, ((time - begins) / takes) * curve.length);
    }
    scrubber.max = String(timeline.seconds);
    scrubber.valueAsNumber = time;
    scrubber.style.setProperty("--share", String(time / timeline.seconds));
  };
  const pause = (): void => {
    stop?.();
    stop = null;
    refill(button, icon("play"), "Play");
  };
  const play = (): void => {
    if (time >= timeline.seconds) time = 0;
    refill(button, icon("pause"), "Pause");
    stop = eachFrame((seconds) => {
      time = Math.min(timeline.seconds, time + seconds * (app.settings.value.pace || 1));
      paint();
      if (time >= timeline.seconds) pause();
      return time < timeline.seconds;
    });
  };
  const button = h("button", {
    class: "button primary",
    type: "button",
    "data-testid": "play",
    onclick: () => (stop ? pause() : play()),
  });
  const scrubber = h("input", {
    type: "range",
    min: 0,
    step: "any",
    "aria-label": "Time",
    "data-testid": "scrub",
    oninput: () => {
      pause();
      time = scrubber.valueAsNumber;
      paint();
    },
  });
  const showOrder = (): void => {
    const ink = app.sheet.ink.value;
    refill(
      list,
      ...ink.map(({ points, by }, index) =>
        h(
          "li",
          {},
          h(
            "button",
            {
              type: "button",
              class: "slot-choice",
              "aria-label": `Stroke ${index + 1}`,
              "aria-pressed": String(index === chosen),
              onclick: () => choose(index),
            },
            thumbnail({ strokes: [points] }, by),
          ),
        ),
      ),
    );
    earlier.disabled = chosen <= 0;
    later.disabled = chosen < 0 || chosen >= ink.length - 1;
  };
  const choose = (index: number): void => {
    chosen = index;
    pause();
    time = timeline.seconds;
    showOrder();
    paint();
    list.querySelectorAll("button")[index]?.focus();
  };
  const move = (step: number): void => {
    const ink = [...app.sheet.ink.value];
    const [stroke] = ink.splice(chosen, 1);
    ink.splice(chosen + step, 0, stroke!);
    app.sheet.change(ink);
    timeline = new Timeline(drawingOf(ink), frameOf(drawingOf(ink).strokes).side);
    choose(chosen + step);
  };
  const mover = (name: string, step: number): HTMLButtonElement =>
    h("button", { class: "button", type: "button", onclick: () => move(step) }, name);
  const [earlier, later] = [mover("Earlier", -1), mover("Later", 1)];
  openDialog({
    title: "Replay",
    className: "playback",
    content: [
      canvas,
      h("div", { class: "playback-bar" }, button, scrubber),
      h("p", { class: "aside" }, "Files have the strokes in this order. Choose one to move it."),
      list,
      h("div", { class: "buttons" }, earlier, later),
    ],
    onClose: pause,
  });
  pause();
  showOrder();
  play();
}

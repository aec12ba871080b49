import type { Drawing } from "../core/types";
import { frameOf } from "../core/geometry";
import { curveOf } from "./curve";
import type { Author } from "./ink";

const NAMESPACE = "http://www.w3.org/2000/svg";
/** Half of what is seen, and half of a drawing's longest side in it. */
const [SEEN, HALF] = [50, 39];

/** A drawing as a small still picture that takes the colours of the page. */
export function thumbnail(drawing: Drawing, by: Author): SVGSVGElement {
  const svg = document.createElementNS(NAMESPACE, "svg");
  svg.setAttribute("viewBox", `${-SEEN} ${-SEEN} ${2 * SEEN} ${2 * SEEN}`);
  svg.setAttribute("class", `thumbnail by-${by}`);
  svg.setAttribute("aria-hidden", "true");
  const { side, centre } = frameOf(drawing.strokes);
  const scale = (2 * HALF) / side;
  const path = document.createElementNS(NAMESPACE, "path");
  path.setAttribute(
    "d",
    drawing.strokes
      .map((stroke) => {
        const { xs, ys } = curveOf(stroke);
        const points = Array.from(xs, (x, i) => {
          return `${((x - centre[0]) * scale).toFixed(1)} ${((ys[i]! - centre[1]) * scale).toFixed(1)}`;
        });
        return `M${points.join("L")}${points.length === 1 ? "h.01" : ""}`;
      })
      .join(""),
  );
  svg.append(path);
  return svg;
}

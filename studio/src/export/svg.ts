import { boundsOf, CANVAS_SIZE } from "../core/geometry";
import type { Drawing, Stroke } from "../core/types";

export interface SvgOptions {
  /** Width of the whole picture on paper, in mm. */
  readonly widthMm?: number;
  /** Width of the line, in mm; left out: one that suits the drawing. */
  readonly strokeMm?: number;
  /** Of each stroke, #rrggbb; left out: black. */
  readonly colours?: readonly string[];
}

/** Width of the line, and paper around the drawing, in units of a drawing whose longest side is 255. */
const LINE_WIDTH = 3;
const MARGIN = 8;
const ROUND = 'stroke-linecap="round" stroke-linejoin="round"';

/** The drawing for a plotter, as the Python package writes it: one path a stroke, in drawing order, nothing filled. */
export function toSvg(drawing: Drawing, { widthMm = 100, strokeMm, colours = [] }: SvgOptions = {}): string {
  const whole = { left: 0, top: 0, right: CANVAS_SIZE, bottom: CANVAS_SIZE };
  const { left, top, right, bottom } = boundsOf(drawing.strokes) ?? whole;
  const side = Math.max(right - left, bottom - top);
  const unit = side > 0 ? side / CANVAS_SIZE : 1;
  const edge = MARGIN * unit;
  const [width, height] = [right - left + 2 * edge, bottom - top + 2 * edge];
  const scale = widthMm / width;
  const decimals = side > 0 ? Math.min(9, Math.max(2, Math.ceil(4 - Math.log10(side)))) : 4;
  const line = strokeMm === undefined ? LINE_WIDTH * unit : strokeMm / scale;
  const view = [left - edge, top - edge, width, height].map((value) => number(value, decimals)).join(" ");
  const size = `width="${number(width * scale, 2)}mm" height="${number(height * scale, 2)}mm"`;
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<svg xmlns="http://www.w3.org/2000/svg" ${size} viewBox="${view}" style="background:#fff">`,
    ...(drawing.category ? [`<title>${escaped(drawing.category)}</title>`] : []),
    `<g fill="none" stroke="#000" stroke-width="${number(line, decimals + 2)}" ${ROUND}>`,
    ...drawing.strokes.flatMap((stroke, index) => {
      const colour = colours[index] === undefined ? "" : ` stroke="${colours[index]}"`;
      return stroke.length > 0 ? [`<path${colour} d="${pathData(stroke, decimals)}"/>`] : [];
    }),
    "</g>\n</svg>\n",
  ].join("\n");
}

/** A single point is the shortest line that these decimals can write: plotters' programs drop a line of length zero. */
function pathData(stroke: Stroke, decimals: number): string {
  const [x, y] = stroke[0]!;
  const points = stroke.length > 1 ? stroke : [stroke[0]!, [Number(x.toFixed(decimals)) + 10 ** -decimals, y] as const];
  const [start, ...rest] = points.map(([x, y]) => `${number(x, decimals)},${number(y, decimals)}`);
  return `M ${start} L ${rest.join(" ")}`;
}

function number(value: number, decimals: number): string {
  return String(Number(value.toFixed(decimals)) || 0);
}

/** Text for an XML document: escaped, without the characters that XML does not allow. */
function escaped(text: string): string {
  const names: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };
  return text
    .replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ud800-\udfff\ufffe\uffff]/gu, "")
    .replace(/[&<>"]/g, (character) => names[character]!);
}

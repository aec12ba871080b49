import { CANVAS_SIZE, boundsOf, fitted, pointCount, simplified } from "../core/geometry";
import type { Drawing, Point, Stroke } from "../core/types";
import { PictureError } from "./errors";
import { flattened, moved, outlinesOf, type Matrix, type Outline } from "./path";

const SVG = "http://www.w3.org/2000/svg";
const XLINK = "http://www.w3.org/1999/xlink";

/** Most elements that are drawn, those that `use` repeats counted each time. */
const MOST_ELEMENTS = 50_000;
const DEEPEST = 200;
/** Most points that a file may flatten to. */
const MOST_POINTS = 500_000;
/** A drawing of more points is simplified. */
const MANY_POINTS = 2000;

/** How far a curve may lie from its polyline, in canvas units. */
const TOLERANCE = 0.5;
/** Largest extent of a dot, as a share of the drawing, or of the page where there is nothing else. */
const DOT = 2e-4;
/** What the document may load: nothing. */
const POLICY = "default-src 'none'; style-src 'unsafe-inline'";
/** Side of the window in which the document is laid out, in pixels: the size of one that does not state its own. */
const WINDOW = 1000;

const SHAPES = new Set(["path", "rect", "circle", "ellipse", "line", "polyline", "polygon"]);
const GROUPS = new Set(["svg", "g", "a", "switch", "symbol"]);
const DRAWN_AS: Readonly<Record<string, string>> = { symbol: "svg", a: "g", switch: "g" };
const KEPT = new Set(
  (
    "x y width height rx ry cx cy r x1 y1 x2 y2 d points viewBox preserveAspectRatio transform id class style " +
    "fill stroke fill-opacity stroke-opacity stroke-width opacity visibility display"
  ).split(" "),
);

/**
 * The visible lines of an SVG: one stroke a subpath, in document order, fitted to 255 canvas units.
 *
 * Shapes that are only filled give their outline, but one that merely colours the whole page is left out. Text,
 * pictures, clip paths and masks are not drawn, scripts never run and nothing is ever fetched: the few elements and
 * attributes that draw lines are copied into a frame that allows neither. Needs a page. Throws PictureError for what is
 * no SVG or has no lines.
 */
export async function drawingFromSvg(text: string): Promise<Drawing> {
  const source = parsed(text);
  const frame = document.createElement("iframe");
  frame.setAttribute("sandbox", "allow-same-origin"); // which lets no script run
  frame.setAttribute("aria-hidden", "true");
  frame.tabIndex = -1;
  frame.style.cssText = `position:fixed;left:-${2 * WINDOW}px;top:0;width:${WINDOW}px;height:${WINDOW}px;border:0`;
  frame.srcdoc = `<!doctype html><meta http-equiv="Content-Security-Policy" content="${POLICY}"><body>`;
  const loaded = new Promise((resolve) => frame.addEventListener("load", resolve, { once: true }));
  document.body.append(frame);
  try {
    await loaded;
    const inside = frame.contentDocument!;
    const root = new Copy(source, inside).root();
    inside.body.style.margin = "0";
    inside.body.append(root);
    return drawingOf(root, source);
  } finally {
    frame.remove();
  }
}

function parsed(text: string): SVGSVGElement {
  checkEntities(text);
  const root = new DOMParser().parseFromString(text, "image/svg+xml").documentElement;
  if (root.querySelector("parsererror") || root.localName === "parsererror") {
    throw new PictureError("This file is no SVG, or a damaged one; export the drawing again.");
  }
  if (root.namespaceURI !== SVG || root.localName !== "svg") {
    throw new PictureError("This file is no SVG: its first element is not <svg>; export the drawing as SVG.");
  }
  return root as unknown as SVGSVGElement;
}

/** Illustrator abbreviates its namespaces by entities; an attack nests them or repeats a long one. */
function checkEntities(text: string): void {
  const uses = text.split("&").length;
  for (const [, value] of text.matchAll(/<!ENTITY\s+[^>]*?["']([^"']*)["']/g)) {
    if (value!.includes("&") || value!.length * uses > 10_000_000) {
      throw new PictureError("The entities of this SVG multiply its size; remove its DOCTYPE and try again.");
    }
  }
}

// -- a copy that only draws -------------------------------------------------------------------------------------

/** Copies what draws lines, with each `use` replaced by what it repeats. */
class Copy {
  private elements = 0;
  private readonly byId = new Map<string, Element>();

  constructor(
    private readonly source: SVGSVGElement,
    private readonly inside: Document,
  ) {
    for (const element of source.querySelectorAll("[id]")) {
      if (!this.byId.has(element.id)) this.byId.set(element.id, element);
    }
  }

  root(): SVGSVGElement {
    const root = this.copy(this.source, [], {}) as SVGSVGElement;
    for (const style of this.source.querySelectorAll("style")) {
      if (style.namespaceURI !== SVG) continue;
      const own = this.inside.createElementNS(SVG, "style");
      own.textContent = harmless(style.textContent ?? "");
      root.prepend(own);
    }
    root.style.overflow = "visible";
    return root;
  }

  /** `path` are the elements on the way here; `size` the width and height that a `use` asks for, where one led here. */
  private copy(element: Element, path: readonly Element[], size: Readonly<Record<string, string>>): Element | null {
    if (++this.elements > MOST_ELEMENTS || path.length > DEEPEST) {
      throw new PictureError("This SVG is too large to draw; keep to fewer than 50,000 elements.");
    }
    if (element.namespaceURI !== SVG || path.includes(element)) return null;
    const tag = element.localName;
    if (tag === "use") return this.used(element, path);
    if (!SHAPES.has(tag) && !GROUPS.has(tag)) return null;
    const out = this.inside.createElementNS(SVG, DRAWN_AS[tag] ?? tag);
    this.attributes(element, out);
    if (out.localName === "svg") for (const [name, value] of Object.entries(size)) out.setAttribute(name, value);
    const children = tag === "switch" ? [...element.children].slice(0, 1) : element.children;
    for (const child of children) {
      const copied = child.localName === "symbol" ? null : this.copy(child, [...path, element], {});
      if (copied) out.append(copied);
    }
    return out;
  }

  private used(element: Element, path: readonly Element[]): Element | null {
    const name = (element.getAttribute("href") ?? element.getAttributeNS(XLINK, "href") ?? "").trim();
    const target = name.startsWith("#") ? this.byId.get(name.slice(1)) : undefined;
    if (!target) return null; // elsewhere or missing: browsers draw nothing either
    const size: Record<string, string> = {};
    for (const side of ["width", "height"]) {
      const value = element.getAttribute(side);
      if (value !== null) size[side] = value;
    }
    const copied = this.copy(target, [...path, element], size);
    if (!copied) return null;
    const outer = this.inside.createElementNS(SVG, "g");
    this.attributes(element, outer);
    const shift = this.inside.createElementNS(SVG, "svg"); // its x and y take any unit, unlike a transform
    shift.setAttribute("x", element.getAttribute("x") ?? "0");
    shift.setAttribute("y", element.getAttribute("y") ?? "0");
    shift.append(copied);
    outer.append(shift);
    return outer;
  }

  private attributes(from: Element, to: Element): void {
    for (const { localName, namespaceURI, value } of from.attributes) {
      if (namespaceURI !== null || !KEPT.has(localName)) continue;
      to.setAttribute(localName, localName === "d" || localName === "points" ? value : harmless(value));
    }
  }
}

/** CSS that names no file. Paint servers, which are not copied, become black. */
function harmless(css: string): string {
  return css
    .replace(/\\|@import[^;]*;?|@font-face[^}]*\}?/gi, "")
    .replace(/(?:url|src|image|image-set|cross-fade|element)\s*\([^)]*\)?/gi, "#000");
}

// -- reading it -------------------------------------------------------------------------------------------------

interface Shape {
  readonly outlines: readonly Outline[];
  /** Whether its line is painted, not only its area. */
  readonly stroked: boolean;
}

function drawingOf(root: SVGSVGElement, source: SVGSVGElement): Drawing {
  const found = [...shapesIn(root)];
  const box = root.getBoundingClientRect();
  const sized = ["viewBox", "width", "height"].some((name) => root.hasAttribute(name));
  const kept = sized ? found.filter((shape) => shape.stroked || !covers(shape.outlines, box)) : found;
  const outlines = (kept.length ? kept : found).flatMap((shape) => shape.outlines);
  if (!outlines.length) throw new PictureError(nothingDrawn(source));
  const rough = boundsOf(outlines.map(({ start, pieces }) => [start, ...pieces.flat()] as Point[]))!;
  const side = Math.max(rough.right - rough.left, rough.bottom - rough.top);
  if (!Number.isFinite(side)) throw new PictureError("This SVG has coordinates that are no numbers; export it again.");
  const dot = sized && side < DOT * Math.max(box.width, box.height) ? side : DOT * side;
  const strokes = outlines.map((outline): Stroke => {
    const points = flattened(outline, (TOLERANCE * (side || 1)) / CANVAS_SIZE);
    const { left, top, right, bottom } = boundsOf([points])!;
    return Math.max(right - left, bottom - top) <= dot ? points.slice(0, 1) : points;
  });
  const title = [...source.children].find((child) => child.localName === "title")?.textContent ?? "";
  const category = title.split(/\s+/).filter(Boolean).join(" ");
  const count = pointCount(strokes);
  if (count > MOST_POINTS) throw new PictureError("This SVG has too many points for a drawing; simplify it first.");
  const drawing = fitted({ strokes, ...(category && { category }) });
  return count > MANY_POINTS ? { ...drawing, strokes: simplified(drawing.strokes, TOLERANCE) } : drawing;
}

function* shapesIn(element: Element): Generator<Shape> {
  const style = element.ownerDocument.defaultView!.getComputedStyle(element);
  if (style.display === "none" || Number(style.opacity) === 0) return;
  if (!SHAPES.has(element.localName)) {
    for (const child of element.children) if (child.localName !== "style") yield* shapesIn(child);
    return;
  }
  const filled = isPainted(style.fill, style.fillOpacity);
  const stroked = isPainted(style.stroke, style.strokeOpacity) && parseFloat(style.strokeWidth) !== 0;
  if (style.visibility !== "visible" || !(filled || stroked)) return;
  const matrix = (element as SVGGraphicsElement).getScreenCTM() as Matrix | null;
  const outlines = matrix ? outlinesOf(pathDataOf(element)).map((outline) => moved(outline, matrix)) : [];
  if (outlines.length) yield { outlines, stroked };
}

/** Whether a computed paint can be seen. */
function isPainted(paint: string, opacity: string): boolean {
  const clear = /^none|^transparent|^rgba\(.*[,/]\s*0(?:\.0+)?%?\s*\)$/.test(paint);
  return !clear && Number(opacity) !== 0;
}

function pathDataOf(element: Element): string {
  const length = (name: string): number => {
    const value = (element as unknown as Record<string, SVGAnimatedLength | undefined>)[name];
    return value?.baseVal.value ?? 0;
  };
  switch (element.localName) {
    case "path":
      return element.getAttribute("d") ?? "";
    case "line":
      return `M${length("x1")} ${length("y1")}L${length("x2")} ${length("y2")}`;
    case "rect":
      return rectangle(length("x"), length("y"), length("width"), length("height"), radii(element, length));
    case "circle":
      return ellipse(length("cx"), length("cy"), length("r"), length("r"));
    case "ellipse":
      return ellipse(length("cx"), length("cy"), ...radii(element, length));
    default: {
      const points = element.getAttribute("points") ?? "";
      return `M${points}${element.localName === "polygon" ? "Z" : ""}`;
    }
  }
}

/** Of the two radii the one that is not given is like the other. */
function radii(element: Element, length: (name: string) => number): [number, number] {
  const given = (name: string) => element.hasAttribute(name) && element.getAttribute(name) !== "auto";
  const [rx, ry] = [length("rx"), length("ry")];
  return [given("rx") ? rx : ry, given("ry") ? ry : rx];
}

function ellipse(cx: number, cy: number, rx: number, ry: number): string {
  const half = `A${rx} ${ry} 0 0 1`;
  return rx > 0 && ry > 0 ? `M${cx + rx} ${cy}${half} ${cx - rx} ${cy}${half} ${cx + rx} ${cy}` : "";
}

function rectangle(x: number, y: number, width: number, height: number, radius: readonly [number, number]): string {
  if (!(width > 0 && height > 0)) return "";
  const [rx, ry] = [Math.min(radius[0], width / 2), Math.min(radius[1], height / 2)];
  if (!(rx > 0 && ry > 0)) return `M${x} ${y}h${width}v${height}h${-width}Z`;
  const corner = (dx: number, dy: number) => `a${rx} ${ry} 0 0 1 ${dx} ${dy}`;
  const [across, down] = [width - 2 * rx, height - 2 * ry];
  return (
    `M${x + rx} ${y}h${across}${corner(rx, ry)}v${down}${corner(-rx, ry)}` +
    `h${-across}${corner(-rx, -ry)}v${-down}${corner(rx, -ry)}Z`
  );
}

/** Whether a shape is one four-sided area over the whole page: a background. */
function covers(outlines: readonly Outline[], page: DOMRect): boolean {
  const [outline] = outlines;
  if (outlines.length !== 1 || outline!.pieces.some((piece) => piece.length > 1)) return false;
  const points = [outline!.start, ...outline!.pieces.map(([to]) => to!)];
  const { left, top, right, bottom } = boundsOf([points])!;
  const slack = 0.01 * Math.max(page.width, page.height);
  const across = left <= page.left + slack && right >= page.right - slack;
  const down = top <= page.top + slack && bottom >= page.bottom - slack;
  return across && down && (points.length === 4 || points.length === 5);
}

function nothingDrawn(source: SVGSVGElement): string {
  const kinds = [
    ...(source.querySelector("image") ? ["embedded pictures"] : []),
    ...(source.querySelector("text") ? ["text"] : []),
  ].join(" and ");
  return kinds
    ? `This SVG has no lines, only ${kinds}; convert text to paths, or give the picture itself.`
    : "This SVG has no lines: nothing is drawn in it, or all is hidden; give one with paths.";
}

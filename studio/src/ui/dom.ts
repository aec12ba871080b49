type Attribute = string | number | boolean | null | undefined | ((event: never) => void);
type Child = Node | string | null | undefined | false;

/** An element with attributes, listeners (`onclick`) and children. */
export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Readonly<Record<string, Attribute>> = {},
  ...children: readonly Child[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name.slice(2), value as (event: Event) => void);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== null && value !== undefined && value !== false) element.setAttribute(name, String(value));
  }
  fill(element, children);
  return element;
}

function fill(element: Element, children: readonly Child[]): void {
  element.append(...children.filter((child): child is Node | string => Boolean(child)));
}

export function refill(element: Element, ...children: readonly Child[]): void {
  element.replaceChildren();
  fill(element, children);
}

export function find<T extends Element = HTMLElement>(selector: string): T {
  const element = document.querySelector<T>(selector);
  if (element === null) throw new Error(`The page has no ${selector}.`);
  return element;
}

/** The step of an arrow key; undefined for other keys. */
export function arrow({ key }: KeyboardEvent, step: number): readonly [number, number] | undefined {
  const steps: Record<string, readonly [number, number]> = {
    ArrowLeft: [-step, 0],
    ArrowRight: [step, 0],
    ArrowUp: [0, -step],
    ArrowDown: [0, step],
  };
  return steps[key];
}

let count = 0;

/** For labels and descriptions that name an element. */
export function freshId(name: string): string {
  return `${name}-${++count}`;
}

/** A canvas's context, its size that of its element on the screen; `changed` tells whether it was emptied by that. */
export function fitCanvas(canvas: HTMLCanvasElement): { context: CanvasRenderingContext2D; changed: boolean } {
  const density = Math.min(3, window.devicePixelRatio || 1);
  const width = Math.round(canvas.clientWidth * density);
  const height = Math.round(canvas.clientHeight * density);
  const changed = canvas.width !== width || canvas.height !== height;
  if (changed) [canvas.width, canvas.height] = [width, height];
  return { context: canvas.getContext("2d")!, changed };
}

export function clearCanvas(context: CanvasRenderingContext2D): void {
  context.setTransform(1, 0, 0, 1, 0, 0);
  context.clearRect(0, 0, context.canvas.width, context.canvas.height);
}

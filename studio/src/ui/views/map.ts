import { BETWEEN, type Drawing, type Point } from "../../core/types";
import type { AtlasInfo, Engine, Place } from "../../engine/api";
import { AtlasWindow, categoryCentres, nearestTo } from "../atlas-view";
import type { App, View } from "../app";
import { categoryColour } from "../colours";
import { arrow, clearCanvas, fitCanvas, h } from "../dom";
import { icon } from "../icons";
import { modelDrawing } from "../ink";
import { MODEL_FRAME } from "../frames";
import { Latest } from "../latest";
import { drawSettings } from "../settings";
import { onPalette, palette } from "../theme";
import { thumbnail } from "../thumbnail";
import type { Tile } from "../tile";
import { Walk } from "../walk";

const NEIGHBOURS = 6;
/** The pointer has to rest so long before the model draws, in milliseconds. */
const REST = 50;

/** All that the model learned from, like beside like, and where the own drawing belongs. */
export class MapView implements View {
  readonly element: HTMLElement;
  private readonly canvas: HTMLCanvasElement;
  private readonly surface: HTMLElement;
  private readonly card = h("div", { class: "map-card", hidden: true, "data-testid": "map-card" });
  private readonly cardName = h("p", { class: "map-card-name" });
  private readonly cardNear = h("span", { class: "map-card-near" });
  private readonly pin = h("div", { class: "map-pin", hidden: true, "data-testid": "map-pin" });
  private readonly about = h("p", { class: "aside" });
  private readonly nearTitle = h("p", { class: "label" });
  private readonly near: HTMLElement;
  private readonly nearTiles: readonly Tile[];
  private readonly live: Tile;
  private readonly window = new AtlasWindow();
  private readonly latestLive = new Latest();
  private readonly latestPlace = new Latest();
  private atlas: AtlasInfo | null = null;
  private centres: readonly (Point | null)[] = [];
  private own: Place | null = null;
  private located: unknown = null;
  private probe: Point | null = null;
  private nearest = -1;
  private asked = 0;
  private timer = 0;
  private seen = false;
  private readonly fingers = new Map<number, Point>();
  private dragged = 0;
  private readonly walk: Walk;
  /** Whether a path is being drawn. */
  private walking = false;
  private next: Point | null = null;

  constructor(private readonly app: App) {
    this.canvas = h("canvas", { "aria-hidden": "true" });
    this.walk = new Walk(app);
    this.live = app.newTile("What the model draws at this place");
    this.card.append(
      this.cardName,
      h(
        "div",
        { class: "map-card-pair" },
        this.cardNear,
        this.live.element,
        h("span", {}, "the nearest"),
        h("span", {}, "drawn here"),
      ),
    );
    this.surface = h(
      "div",
      {
        class: "map-surface",
        role: "application",
        tabindex: "0",
        "aria-label": "Map of drawings. Arrow keys move over it, plus and minus zoom, Enter takes what is drawn there; while walking, Enter begins and ends the path.",
        "data-testid": "map",
      },
      this.canvas,
      this.pin,
      this.card,
    );
    const zoom = (name: string, sign: "plus" | "minus" | "whole", act: () => void) =>
      h("button", { class: "icon-button", type: "button", "aria-label": name, title: name, onclick: act }, icon(sign));
    this.nearTiles = Array.from({ length: NEIGHBOURS }, (_, index) => app.newTile(`Near yours, number ${index + 1}`));
    this.near = h(
      "div",
      { class: "map-near", hidden: true },
      this.nearTitle,
      h("div", { class: "grid strip" }, ...this.nearTiles.map(({ element }) => element)),
    );
    this.element = h(
      "div",
      { class: "view map" },
      h(
        "div",
        { class: "map-stage" },
        this.surface,
        this.walkButton(),
        h(
          "div",
          { class: "map-zoom" },
          zoom("Nearer", "plus", () => this.zoomAtMiddle(1.6)),
          zoom("Farther", "minus", () => this.zoomAtMiddle(1 / 1.6)),
          zoom("The whole map", "whole", () => {
            this.window.whole();
            this.repaintSoon();
          }),
        ),
      ),
      h("div", { class: "controls" }, this.about, this.near, this.walk.element),
    );
    this.listen();
    new ResizeObserver(() => this.repaintSoon()).observe(this.surface);
    onPalette(() => this.repaintSoon());
    app.settled.watch(() => this.locate());
    app.model.follow((model) => {
      if (model.kind !== "ready") return;
      this.atlas = model.engine.info.atlas;
      this.located = this.own = null;
      if (this.atlas) this.describe(this.atlas);
      this.locate();
      this.repaintSoon();
    });
  }

  missing({ info }: Engine): string | null {
    if (!info.hasEncoder)
      return "This model cannot see drawings, so it has no map of them; Finish and Wander work with it.";
    return info.atlas
      ? null
      : "This model came without its map; the command sketch-pix2seq export map makes one in the model's folder.";
  }

  enter(): void {
    this.seen = true;
    this.locate();
    this.repaintSoon();
  }

  leave(): void {
    this.seen = false;
    this.latestPlace.abort();
    this.walking = false;
    this.walk.leave();
    this.hideCard();
  }

  private walkButton(): HTMLElement {
    const { isOn } = this.walk;
    const button = h(
      "button",
      { class: "button map-walk", type: "button", "data-testid": "walk-on", onclick: () => (isOn.value = !isOn.value) },
      icon("walk"),
      "Walk",
    );
    isOn.follow((walks) => {
      button.setAttribute("aria-pressed", String(walks));
      this.surface.dataset["walk"] = String(walks);
      this.about.hidden = walks;
      this.near.hidden = walks || this.own === null;
      this.hideCard();
    });
    return button;
  }

  private beginWalk(place: Point): void {
    this.walking = true;
    this.walk.forget();
    this.look(place);
  }

  private endWalk(): void {
    const model = this.app.model.value;
    this.walking = false;
    this.hideCard();
    if (model.kind === "ready") this.app.attempt(this.walk.end(model.engine));
  }

  /** Draws at the newest place of a walk, then at where it has gone meanwhile. */
  private async follow(engine: Engine, signal: AbortSignal): Promise<void> {
    for (let place = this.next; place !== null && !signal.aborted; place = this.next) {
      this.next = null;
      await this.drawAt(engine, place, undefined, signal);
    }
  }

  private describe({ categoryIds, categories, places, drawnBy, drawings }: AtlasInfo): void {
    this.centres = categoryCentres(places, categoryIds, categories.length);
    const whose = drawnBy === "people" ? "by people" : "by the model";
    const count = drawings.length.toLocaleString("en");
    this.about.textContent =
      `Each dot is a drawing, ${count} in all, drawn ${whose}. What looks alike to the model lies together. ` +
      "Move over it to see what it draws there.";
  }

  /** Finds the place of the canvas's drawing. */
  private locate(): void {
    const model = this.app.model.value;
    const ink = this.app.settled.value;
    if (!this.seen || model.kind !== "ready" || !this.atlas || ink === this.located) return;
    this.located = ink;
    if (ink.length === 0) {
      this.latestPlace.abort();
      this.own = null;
      this.near.hidden = this.pin.hidden = true;
      this.repaintSoon();
      return;
    }
    const drawing = modelDrawing(ink);
    this.app.attempt(
      this.latestPlace
        .run(async (signal) => {
          const place = await model.engine.locate(await model.engine.encode(drawing), NEIGHBOURS);
          if (!signal.aborted) this.showOwn(drawing, place);
        })
        .then((done) => {
          if (done === null && this.located === ink) this.located = null;
        }),
    );
  }

  private showOwn(drawing: Drawing, place: Place): void {
    const atlas = this.atlas!;
    this.own = place;
    this.pin.replaceChildren(thumbnail(drawing, "person"));
    this.pin.hidden = false;
    this.near.hidden = this.walk.isOn.value;
    const names = [...new Set(place.neighbours.map(({ index }) => atlas.drawings[index]!.category ?? ""))];
    this.nearTitle.textContent = `Nearest to yours, drawn ${atlas.drawnBy === "people" ? "by people" : "by the model"}`;
    this.app.tell(`Your drawing lies among ${names.slice(0, 3).join(", ")}.`);
    this.nearTiles.forEach((tile, index) => {
      const neighbour = place.neighbours[index];
      if (neighbour)
        tile.show(atlas.drawings[neighbour.index]!, { by: atlas.drawnBy === "people" ? "person" : "model" });
      else tile.empty();
    });
    this.repaintSoon();
  }

  private repaintSoon(): void {
    if (this.asked !== 0 || !this.seen) return;
    this.asked = requestAnimationFrame(() => {
      this.asked = 0;
      this.repaint();
    });
  }

  private repaint(): void {
    const { atlas, window: shown } = this;
    const { context } = fitCanvas(this.canvas);
    clearCanvas(context);
    if (!atlas || this.canvas.clientWidth === 0) return;
    const [width, height] = [this.canvas.clientWidth, this.canvas.clientHeight];
    const density = this.canvas.width / width;
    context.setTransform(density, 0, 0, density, 0, 0);
    shown.resize(width, height);
    const { isDark } = palette();
    const radius = Math.min(5, 1.1 + (Math.min(width, height) / 520) * Math.sqrt(shown.zoom));
    const chosen = this.nearest >= 0 ? atlas.categoryIds[this.nearest]! : -1;
    atlas.categories.forEach((_, category) => {
      context.fillStyle = categoryColour(category, isDark);
      context.globalAlpha = chosen < 0 || chosen === category ? 0.85 : 0.28;
      context.beginPath();
      atlas.categoryIds.forEach((id, index) => {
        if (id !== category) return;
        const [x, y] = shown.toScreen(atlas.places[2 * index]!, atlas.places[2 * index + 1]!);
        if (x < -9 || y < -9 || x > width + 9 || y > height + 9) return;
        context.moveTo(x + radius, y);
        context.arc(x, y, radius, 0, 2 * Math.PI);
      });
      context.fill();
    });
    context.globalAlpha = 1;
    this.paintOwn(context, radius);
    this.paintWalk(context);
    this.paintLabels(context, width, height, chosen);
    this.paintProbe(context, radius);
  }

  private paintOwn(context: CanvasRenderingContext2D, radius: number): void {
    const { own, atlas } = this;
    if (!own || !atlas) return;
    const [x, y] = this.window.toScreen(...own.at);
    context.strokeStyle = palette().model;
    context.lineWidth = 1.5;
    for (const { index } of own.neighbours) {
      const [toX, toY] = this.window.toScreen(atlas.places[2 * index]!, atlas.places[2 * index + 1]!);
      context.beginPath();
      context.moveTo(x, y);
      context.lineTo(toX, toY);
      context.moveTo(toX + radius + 2.5, toY);
      context.arc(toX, toY, radius + 2.5, 0, 2 * Math.PI);
      context.stroke();
    }
    this.pin.style.transform = `translate(${x}px, ${y}px)`;
  }

  private paintWalk(context: CanvasRenderingContext2D): void {
    const [first, ...rest] = this.walk.path.map((place) => this.window.toScreen(...place));
    if (!first) return;
    context.strokeStyle = context.fillStyle = palette().model;
    context.lineWidth = 3;
    context.lineJoin = context.lineCap = "round";
    context.beginPath();
    context.arc(...first, 5, 0, 2 * Math.PI);
    context.fill();
    context.beginPath();
    context.moveTo(...first);
    for (const place of rest) context.lineTo(...place);
    context.stroke();
  }

  /** As many names as there is room for, the chosen category's first. */
  private paintLabels(context: CanvasRenderingContext2D, width: number, height: number, chosen: number): void {
    const { text, paper } = palette();
    const taken: [number, number, number, number][] = [];
    const { fontFamily, fontSize } = getComputedStyle(document.body);
    const size = 0.8 * parseFloat(fontSize);
    const high = 0.75 * size;
    context.font = `600 ${size}px ${fontFamily}`;
    context.textAlign = "center";
    context.textBaseline = "middle";
    context.lineJoin = "round";
    const order = this.centres
      .map((_, category) => category)
      .sort((a, b) => Number(b === chosen) - Number(a === chosen));
    for (const category of order) {
      const centre = this.centres[category];
      const name = this.atlas!.categories[category]!;
      if (!centre) continue;
      const [x, y] = this.window.toScreen(...centre);
      const half = context.measureText(name).width / 2 + 5;
      if (x - half < 0 || y < size || x + half > width || y > height - size) continue;
      if (taken.some(([l, t, r, b]) => x - half < r && x + half > l && y - high < b && y + high > t)) continue;
      taken.push([x - half, y - high, x + half, y + high]);
      context.globalAlpha = chosen < 0 || chosen === category ? 1 : 0.55;
      context.strokeStyle = paper;
      context.lineWidth = 4;
      context.strokeText(name, x, y);
      context.fillStyle = text;
      context.fillText(name, x, y);
    }
    context.globalAlpha = 1;
  }

  private paintProbe(context: CanvasRenderingContext2D, radius: number): void {
    if (!this.probe || !this.atlas) return;
    const [x, y] = this.window.toScreen(...this.probe);
    context.strokeStyle = palette().text;
    context.lineWidth = 1.25;
    context.beginPath();
    context.arc(x, y, radius + 6, 0, 2 * Math.PI);
    context.stroke();
  }

  private zoomAtMiddle(factor: number): void {
    this.window.zoomBy(factor, this.canvas.clientWidth / 2, this.canvas.clientHeight / 2);
    this.repaintSoon();
  }

  /** Looks at a place: its name and nearest drawing at once, the model's own as soon as the pointer rests. */
  private look(place: Point): void {
    const { atlas, app } = this;
    const model = app.model.value;
    if (!atlas || model.kind !== "ready") return;
    this.probe = place;
    const nearest = nearestTo(atlas.places, place);
    const drawing = atlas.drawings[nearest]!;
    if (nearest !== this.nearest) {
      this.nearest = nearest;
      this.cardName.textContent = drawing.category ?? "";
      this.cardNear.replaceChildren(thumbnail(drawing, atlas.drawnBy === "people" ? "person" : "model"));
      app.tell(drawing.category ?? "");
    }
    if (this.walking) this.walk.path.push(place);
    else this.live.expect();
    this.placeCard(place);
    this.repaintSoon();
    window.clearTimeout(this.timer);
    this.next = place;
    if (this.walking) {
      if (!this.latestLive.busy) app.attempt(this.latestLive.run((signal) => this.follow(model.engine, signal)));
      return;
    }
    this.timer = window.setTimeout(() => {
      app.attempt(this.latestLive.run((signal) => this.drawAt(model.engine, place, drawing.category, signal)));
    }, REST);
  }

  private async drawAt(engine: Engine, place: Point, category: string | undefined, signal: AbortSignal): Promise<void> {
    const code = await engine.codeAt(place);
    if (signal.aborted) return;
    const settings = drawSettings(this.app.settings.value);
    const drawn = await engine.drawCodes([code], {
      samples: 1,
      seed: 1,
      settings,
      levels: [BETWEEN],
      signal,
      ...(!this.walking && {
        onRow: (_: number, __: number, soFar: Drawing) => signal.aborted || this.live.grow(soFar, MODEL_FRAME),
      }),
    });
    if (signal.aborted) return;
    const named = { ...drawn[0]![0]!, ...(category !== undefined && { category }) };
    this.live.show(named, { frame: MODEL_FRAME, at: this.walking ? "end" : "begin" });
  }

  private placeCard(place: Point): void {
    this.card.hidden = false;
    const [x, y] = this.window.toScreen(...place);
    const { clientWidth: width, clientHeight: height } = this.surface;
    const { offsetWidth: cardWidth, offsetHeight: cardHeight } = this.card;
    const left = x + 22 + cardWidth < width ? x + 22 : Math.max(4, x - 22 - cardWidth);
    const top = Math.min(Math.max(4, y - cardHeight / 2), height - cardHeight - 4);
    this.card.style.transform = `translate(${left}px, ${top}px)`;
  }

  private hideCard(): void {
    window.clearTimeout(this.timer);
    this.latestLive.abort();
    this.card.hidden = true;
    this.probe = null;
    this.nearest = -1;
    this.repaintSoon();
  }

  private listen(): void {
    const { surface } = this;
    const at = (event: PointerEvent | WheelEvent): Point => {
      const { left, top } = surface.getBoundingClientRect();
      return [event.clientX - left, event.clientY - top];
    };
    surface.addEventListener(
      "wheel",
      (event) => {
        event.preventDefault();
        this.window.zoomBy(Math.exp(-event.deltaY * (event.ctrlKey ? 0.01 : 0.0018)), ...at(event));
        this.repaintSoon();
      },
      { passive: false },
    );
    surface.addEventListener("pointerdown", (event) => {
      if (this.card.contains(event.target as Node)) return;
      surface.setPointerCapture(event.pointerId);
      this.fingers.set(event.pointerId, at(event));
      this.dragged = 0;
      if (this.fingers.size > 1 && this.walking) {
        this.walking = false;
        this.walk.forget();
      } else if (this.walk.isOn.value && this.fingers.size === 1) this.beginWalk(this.window.toPlace(...at(event)));
      else if (event.pointerType !== "mouse") this.look(this.window.toPlace(...at(event)));
    });
    surface.addEventListener("pointermove", (event) => {
      if (this.card.contains(event.target as Node) && this.fingers.size === 0) return;
      this.pointerMoved(event, at(event));
    });
    const lift = (event: PointerEvent): void => {
      const was = this.fingers.delete(event.pointerId);
      if (was && this.walking) return this.endWalk();
      if (this.walk.isOn.value) return;
      if (was && event.type === "pointerup" && event.pointerType === "mouse" && this.dragged < 4) this.take();
    };
    surface.addEventListener("pointerup", lift);
    surface.addEventListener("pointercancel", lift);
    surface.addEventListener("pointerleave", (event) => {
      if (event.pointerType === "mouse" && this.fingers.size === 0 && !document.querySelector(".menu:popover-open"))
        this.hideCard();
    });
    surface.addEventListener("keydown", (event) => this.pressed(event));
  }

  private pointerMoved(event: PointerEvent, [x, y]: Point): void {
    const before = this.fingers.get(event.pointerId);
    if (before === undefined) {
      if (event.pointerType === "mouse") this.look(this.window.toPlace(x, y));
      return;
    }
    this.fingers.set(event.pointerId, [x, y]);
    this.dragged += Math.hypot(x - before[0], y - before[1]);
    const other = [...this.fingers].find(([id]) => id !== event.pointerId)?.[1];
    if (other) {
      const apart = (point: Point): number => Math.max(1, Math.hypot(point[0] - other[0], point[1] - other[1]));
      this.window.zoomBy(apart([x, y]) / apart(before), (x + other[0]) / 2, (y + other[1]) / 2);
      this.window.panBy((x - before[0]) / 2, (y - before[1]) / 2);
      this.hideCard();
    } else if (this.walking) {
      this.look(this.window.toPlace(x, y));
    } else if (event.pointerType === "mouse") {
      this.window.panBy(x - before[0], y - before[1]);
      if (this.dragged >= 4) this.hideCard();
      this.repaintSoon();
    } else {
      this.look(this.window.toPlace(x, y));
    }
  }

  private pressed(event: KeyboardEvent): void {
    if (event.target !== this.surface || event.ctrlKey || event.metaKey || event.altKey) return;
    const move = arrow(event, (event.shiftKey ? 0.08 : 0.02) / this.window.zoom);
    if (move) {
      const [x, y] = this.probe ?? this.own?.at ?? [0.5, 0.5];
      this.moveProbe([x + move[0], y + move[1]]);
    } else if (event.key === "+" || event.key === "=") this.zoomAtMiddle(1.6);
    else if (event.key === "-") this.zoomAtMiddle(1 / 1.6);
    else if (event.key === "Enter" && this.walking) this.endWalk();
    else if (event.key === "Enter" && this.walk.isOn.value) this.beginWalk(this.probe ?? this.own?.at ?? [0.5, 0.5]);
    else if (event.key === "Enter") this.take();
    else if (event.key === "Escape") this.hideCard();
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  /** Keeps the place in the window. */
  private moveProbe(place: Point): void {
    const [x, y] = this.window.toScreen(...place);
    const { clientWidth: width, clientHeight: height } = this.surface;
    const beyond = (value: number, side: number): number => Math.min(0, value - 20) + Math.max(0, value - side + 20);
    this.window.panBy(-beyond(x, width), -beyond(y, height));
    this.look(place);
  }

  /** Offers what the model draws there, or what lies nearest while it is still drawing. */
  private take(): void {
    if (this.probe && !this.live.face.disabled) this.live.face.click();
  }
}

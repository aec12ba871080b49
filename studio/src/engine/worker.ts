import { complete } from "../core/complete";
import type { DrawWatching, Model } from "../core/model";
import type { Turn } from "../core/runtime";
import { DEFAULT_SETTINGS, type Drawing } from "../core/types";
import { loadModel } from "./load";
import {
  type Arguments,
  buffersOf,
  type Calls,
  type Draw,
  type FromWorker,
  type Kind,
  type News,
  pack,
  type PackedDrawings,
  type PackedInfo,
  type Result,
  type ToWorker,
  unpack,
} from "./protocol";

/** Milliseconds of work after which messages are looked at. */
const TURN = 8;
/** Milliseconds between rows that are told. */
const ROWS_APART = 33;

interface Work {
  readonly id: number;
  readonly turn: Turn;
}

let model: Model | null = null;
const aborted = new Set<number>();
const running = new Set<number>();

const handlers: { [K in Kind]: (given: Arguments<K>, work: Work) => Promise<Result<K>> } = {
  async load({ base, device }, { id }) {
    const loaded = await loadModel(base, device, (bytes, total) => {
      post({ id, kind: "progress", loaded: bytes, total });
    });
    model = loaded.model;
    const { info, hasFlow, classifier } = model.runtime;
    const { atlas, hasEncoder } = model;
    const result: PackedInfo = {
      name: nameOf(base),
      categories: info.categories,
      hasEncoder,
      hasFlow,
      hasClassifier: classifier !== null,
      device: loaded.device,
      threads: loaded.threads,
      notice: loaded.notice,
      training: info.training,
      atlas: atlas && {
        drawnBy: atlas.drawnBy,
        places: atlas.places,
        categoryIds: atlas.categoryIds,
        categories: atlas.categories,
        drawings: pack(atlas.drawings),
      },
    };
    return result;
  },

  async encode({ drawing }, { turn }) {
    const [code] = await ready().encode(unpack(drawing), turn);
    return code!;
  },

  async drawCodes({ codes, levels, ...draw }, work) {
    const drawings = await telling(work, draw, (watching) => {
      return levels === null
        ? ready().drawCodes(codes, draw, watching)
        : ready().drawBetween(codes, levels, draw, watching);
    });
    return pack(drawings.flat());
  },

  async redraw({ drawing, category, ...draw }, work) {
    const [original] = unpack(drawing);
    return pack(await telling(work, draw, (watching) => ready().redraw(original!, draw, watching, category)));
  },

  async generate({ category, ...draw }, work) {
    return pack(await telling(work, draw, (watching) => ready().generate(category, draw, watching)));
  },

  codeOfCategory({ category, seed }, { turn }) {
    return ready().codeOfCategory(category, seed, DEFAULT_SETTINGS.guidance, turn);
  },

  recognise({ drawing, count }) {
    return ready().recognise(unpack(drawing)[0]!, count);
  },

  async complete({ started, request }, { turn }) {
    const [drawing] = unpack(started);
    const found = await complete(ready(), drawing!, request, turn);
    return {
      drawings: pack(found.map((one) => one.drawing)),
      started: found.map((one) => one.started),
      finished: found.map((one) => one.finished),
    };
  },

  async locate({ code, neighbours }) {
    return mapped().locate(code, neighbours);
  },

  async codeAt({ place }) {
    return mapped().codeAt(place);
  },
};

function ready(): Model {
  if (model === null) throw new Error("The model is not loaded.");
  return model;
}

function mapped(): NonNullable<Model["atlas"]> {
  const { atlas } = ready();
  if (atlas === null) throw new Error("This model has no map; `sketch-pix2seq export map` makes one.");
  return atlas;
}

/** Runs work that draws, and tells of rows now and then, of drawings at once. */
function telling<T>(
  { id, turn }: Work,
  { rows }: Draw,
  draw: (watching: DrawWatching) => Promise<T>,
): Promise<T> {
  const growing = new Map<string, readonly [code: number, sample: number, soFar: () => Drawing]>();
  let told = performance.now();
  const tell = (kind: "rows" | "drawings", found: readonly (readonly [number, number, Drawing])[]): void => {
    const drawings = pack(found.map(([, , drawing]) => drawing));
    const news: News = { at: found.map(([code, sample]) => [code, sample]), drawings };
    post({ id, kind, news }, buffersOf(drawings));
  };
  return draw({
    turn: async () => {
      await turn();
      if (growing.size > 0 && performance.now() - told > ROWS_APART) {
        tell(
          "rows",
          [...growing.values()].map(([code, sample, soFar]) => [code, sample, soFar()]),
        );
        growing.clear();
        told = performance.now();
      }
    },
    onDrawing: (code, sample, drawing) => {
      growing.delete(`${code} ${sample}`);
      tell("drawings", [[code, sample, drawing]]);
    },
    ...(rows && {
      onRow: (code: number, sample: number, soFar: () => Drawing) => {
        growing.set(`${code} ${sample}`, [code, sample, soFar]);
      },
    }),
  });
}

self.addEventListener("message", ({ data }: MessageEvent<ToWorker>) => {
  if (data.kind === "abort") {
    if (running.has(data.id)) aborted.add(data.id);
    return;
  }
  void run(data.id, data.kind, data.given);
});

/** Requests run side by side, row by row: a completion does not wait for all redrawings. */
async function run<K extends Kind>(id: number, kind: K, given: Arguments<K>): Promise<void> {
  running.add(id);
  try {
    const result = await handlers[kind](given, { id, turn: () => takeTurn(id) });
    post({ id, kind: "done", result }, handedOver(result));
  } catch (error) {
    post({ id, kind: "failed", message: error instanceof Error ? error.message : String(error) });
  }
  running.delete(id);
  aborted.delete(id);
}

let since = performance.now();

async function takeTurn(id: number): Promise<void> {
  if (performance.now() - since > TURN || running.size > 1) {
    await breathe();
    since = performance.now();
  }
  if (aborted.has(id)) throw new Error("The work was given up.");
}

const channel = new MessageChannel();
const waiting: (() => void)[] = [];
channel.port1.onmessage = () => waiting.shift()?.();

/** Lets messages in, without the least of 4 ms that timers wait. */
function breathe(): Promise<void> {
  return new Promise((resolve) => {
    waiting.push(resolve);
    channel.port2.postMessage(null);
  });
}

function handedOver(result: Calls[Kind][1]): ArrayBufferLike[] {
  if (result instanceof Float32Array) return [result.buffer];
  if ("points" in result) return buffersOf(result satisfies PackedDrawings);
  return [];
}

function post(message: FromWorker, handed: ArrayBufferLike[] = []): void {
  self.postMessage(message, { transfer: handed as ArrayBuffer[] });
}

function nameOf(base: string): string {
  return decodeURIComponent(new URL(base).pathname.split("/").filter(Boolean).at(-1) ?? "model");
}

import type { Drawing, Point } from "../core/types";
import {
  type Completion,
  type CompleteRequest,
  type DrawRequest,
  type Engine,
  EngineError,
  type EngineInfo,
  type Guess,
  type LoadOptions,
  type Place,
} from "./api";
import {
  type Arguments,
  type Draw,
  type FromWorker,
  type Kind,
  type News,
  pack,
  type PackedInfo,
  type Result,
  type ToWorker,
  unpack,
} from "./protocol";

type Told = (code: number, sample: number, drawing: Drawing) => void;

interface Watching {
  readonly signal?: AbortSignal | undefined;
  readonly onRow?: Told | undefined;
  readonly onDrawing?: Told | undefined;
  readonly onProgress?: LoadOptions["onProgress"] | undefined;
}

interface Pending extends Watching {
  readonly settle: (result: unknown) => void;
  readonly fail: (error: Error) => void;
}

/** Loads a model into a worker of its own. Rejects with an `EngineError` that says what is wrong with the folder. */
export async function loadEngine(options: LoadOptions): Promise<Engine> {
  const worker = new Worker(new URL("./worker.ts", import.meta.url), { type: "module", name: "engine" });
  const connection = new Connection(worker);
  try {
    const { base, device, onProgress } = options;
    const given = { base: new URL(base, document.baseURI).href, device };
    const info = await connection.call("load", given, { onProgress });
    return new WorkerEngine(connection, unpackedInfo(info));
  } catch (error) {
    connection.close();
    throw error;
  }
}

/** Calls to a worker and what it answers. */
class Connection {
  private readonly pending = new Map<number, Pending>();
  private count = 0;
  private over: EngineError | null = null;

  constructor(private readonly worker: Worker) {
    worker.addEventListener("message", ({ data }: MessageEvent<FromWorker>) => this.receive(data));
    worker.addEventListener("error", (event) => {
      event.preventDefault();
      const what = event.message || "its worker cannot be loaded";
      this.end(new EngineError(`The model stopped working (${what}); reload the page.`));
    });
  }

  call<K extends Kind>(kind: K, given: Arguments<K>, watching: Watching = {}): Promise<Result<K>> {
    const { signal } = watching;
    const id = this.count++;
    return new Promise<Result<K>>((resolve, reject) => {
      if (this.over !== null) return reject(this.over);
      if (signal?.aborted) return reject(givenUp());
      const abort = (): void => {
        this.pending.delete(id);
        this.post({ id, kind: "abort" });
        reject(givenUp());
      };
      signal?.addEventListener("abort", abort, { once: true });
      const over = (): void => signal?.removeEventListener("abort", abort);
      this.pending.set(id, {
        ...watching,
        settle: (result) => {
          over();
          resolve(result as Result<K>);
        },
        fail: (error) => {
          over();
          reject(error);
        },
      });
      this.post({ id, kind, given } as ToWorker);
    });
  }

  close(): void {
    this.worker.terminate();
    this.end(new EngineError("The model was closed."));
  }

  private end(error: EngineError): void {
    this.over ??= error;
    for (const { fail } of this.pending.values()) fail(this.over);
    this.pending.clear();
  }

  private post(message: ToWorker): void {
    this.worker.postMessage(message);
  }

  private receive(message: FromWorker): void {
    const pending = this.pending.get(message.id);
    if (pending === undefined) return;
    switch (message.kind) {
      case "progress":
        return pending.onProgress?.(message.loaded, message.total);
      case "rows":
        return tell(message.news, pending.onRow);
      case "drawings":
        return tell(message.news, pending.onDrawing);
      case "done":
        this.pending.delete(message.id);
        return pending.settle(message.result);
      case "failed":
        this.pending.delete(message.id);
        return pending.fail(new EngineError(message.message));
    }
  }
}

class WorkerEngine implements Engine {
  constructor(
    private readonly connection: Connection,
    readonly info: EngineInfo,
  ) {}

  encode(drawing: Drawing): Promise<Float32Array> {
    return this.connection.call("encode", { drawing: pack([drawing]) });
  }

  async drawCodes(
    codes: readonly Float32Array[],
    request: DrawRequest & { readonly levels?: readonly number[] },
  ): Promise<Drawing[][]> {
    const given = { codes, levels: request.levels ?? null, ...drawOf(request) };
    const found = unpack(await this.connection.call("drawCodes", given, request));
    return codes.map((_, index) => found.slice(index * request.samples, (index + 1) * request.samples));
  }

  async redraw(
    drawing: Drawing,
    request: DrawRequest & { readonly category?: string | null },
  ): Promise<Drawing[]> {
    const given = { drawing: pack([drawing]), category: request.category ?? null, ...drawOf(request) };
    return unpack(await this.connection.call("redraw", given, request));
  }

  async generate(category: string | null, request: DrawRequest): Promise<Drawing[]> {
    return unpack(await this.connection.call("generate", { category, ...drawOf(request) }, request));
  }

  async recognise(drawing: Drawing, count = 3): Promise<Guess[]> {
    return [...(await this.connection.call("recognise", { drawing: pack([drawing]), count }))];
  }

  codeOfCategory(category: string, seed: number): Promise<Float32Array> {
    return this.connection.call("codeOfCategory", { category, seed });
  }

  async complete(started: Drawing, { signal, ...request }: CompleteRequest): Promise<Completion[]> {
    const { samples, seed, settings, category } = request;
    const plain = { samples, seed, settings, category };
    const found = await this.connection.call("complete", { started: pack([started]), request: plain }, { signal });
    return unpack(found.drawings).map((drawing, index) => ({
      drawing,
      started: found.started[index]!,
      finished: found.finished[index]!,
    }));
  }

  locate(code: Float32Array, neighbours: number): Promise<Place> {
    return this.connection.call("locate", { code, neighbours });
  }

  codeAt(place: Point): Promise<Float32Array> {
    return this.connection.call("codeAt", { place });
  }

  close(): void {
    this.connection.close();
  }
}

function drawOf({ samples, seed, settings, onRow }: DrawRequest): Draw {
  return { samples, seed, settings, rows: onRow !== undefined };
}

function tell({ at, drawings }: News, told: Told | undefined): void {
  if (told === undefined) return;
  unpack(drawings).forEach((drawing, index) => told(...at[index]!, drawing));
}

function givenUp(): DOMException {
  return new DOMException("The work was given up.", "AbortError");
}

function unpackedInfo({ atlas, ...info }: PackedInfo): EngineInfo {
  return { ...info, atlas: atlas && { ...atlas, drawings: unpack(atlas.drawings) } };
}

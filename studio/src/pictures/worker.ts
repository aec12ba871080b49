import type { Drawing } from "../core/types";
import { PictureError, UNREADABLE } from "./errors";
import type { Pixels } from "./page";
import { trace } from "./trace";

/** A picture that is not decoded yet, and the size at which it shall be, upright. */
export interface Encoded {
  readonly content: Blob;
  readonly width: number;
  readonly height: number;
}

export type Task = Pixels | Encoded;

export type Answer = { readonly drawing: Drawing } | { readonly sentence: string } | { readonly failure: string };

const scope = self as unknown as DedicatedWorkerGlobalScope;

scope.addEventListener("message", ({ data }: MessageEvent<Task>) => {
  void answer(data).then((message) => scope.postMessage(message));
});

async function answer(task: Task): Promise<Answer> {
  try {
    return { drawing: trace("data" in task ? task : await decoded(task)) };
  } catch (error) {
    return error instanceof PictureError ? { sentence: error.message } : { failure: String(error) };
  }
}

async function decoded({ content, width, height }: Encoded): Promise<Pixels> {
  let bitmap: ImageBitmap;
  try {
    bitmap = await createImageBitmap(content, { resizeWidth: width, resizeHeight: height, resizeQuality: "high" });
  } catch {
    throw new PictureError(UNREADABLE);
  }
  const context = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true })!;
  context.drawImage(bitmap, 0, 0);
  bitmap.close();
  return context.getImageData(0, 0, width, height);
}

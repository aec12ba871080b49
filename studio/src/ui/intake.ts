import { ACCEPTED, drawingFromPixels, drawingsFromFile } from "../pictures/index";
import type { Drawing } from "../core/types";
import { h } from "./dom";

/** Most drawings that are taken from one file. */
const MOST = 200;

/** Hands over what people drop on the page or paste into it. */
export function followFiles(onFiles: (files: readonly Blob[]) => void): void {
  const isFile = (event: DragEvent): boolean => event.dataTransfer?.types.includes("Files") ?? false;
  let depth = 0;
  const hover = (over: boolean): void => {
    document.body.toggleAttribute("data-dropping", over);
  };
  window.addEventListener("dragenter", (event) => {
    if (!isFile(event)) return;
    event.preventDefault();
    depth += 1;
    hover(true);
  });
  window.addEventListener("dragover", (event) => isFile(event) && event.preventDefault());
  window.addEventListener("dragleave", () => {
    depth = Math.max(0, depth - 1);
    if (depth === 0) hover(false);
  });
  window.addEventListener("drop", (event) => {
    depth = 0;
    hover(false);
    if (!isFile(event)) return;
    event.preventDefault();
    onFiles([...(event.dataTransfer?.files ?? [])]);
  });
  window.addEventListener("paste", (event) => {
    const { clipboardData } = event;
    if (!clipboardData || event.target instanceof HTMLInputElement) return;
    const text = clipboardData.getData("text/plain").trim();
    const files = [...clipboardData.files];
    if (files.length > 0) onFiles(files);
    else if (text.startsWith("<") || text.startsWith("{")) onFiles([new Blob([text])]);
    else return;
    event.preventDefault();
  });
}

/** The drawings of files, in their order. Throws PictureError. */
export async function drawingsOf(files: readonly Blob[]): Promise<Drawing[]> {
  const found: Drawing[] = [];
  for (const file of files) {
    if (found.length >= MOST) break;
    found.push(...(await drawingsFromFile(file)));
  }
  return found.slice(0, MOST);
}

/** Files that a person picks; none where they change their mind. */
export function pickFiles(multiple: boolean): Promise<File[]> {
  const input = h("input", { type: "file", accept: ACCEPTED, multiple });
  return new Promise((resolve) => {
    input.addEventListener("change", () => resolve([...(input.files ?? [])]));
    input.addEventListener("cancel", () => resolve([]));
    input.click();
  });
}

/** The drawing in a picture that a person picks. Throws PictureError. */
export async function pictureFile(): Promise<Drawing | null> {
  return (await drawingsOf(await pickFiles(false)))[0] ?? null;
}

/** What a camera sees now, as strokes. Throws PictureError. */
export function drawingFromVideo(video: HTMLVideoElement): Promise<Drawing> {
  const canvas = h("canvas", { width: video.videoWidth, height: video.videoHeight });
  const context = canvas.getContext("2d", { willReadFrequently: true })!;
  context.drawImage(video, 0, 0);
  return drawingFromPixels(context.getImageData(0, 0, canvas.width, canvas.height));
}

import type { Drawing } from "../core/types";

/** A file name for the drawing of this index: `ice-cream-1.svg`, or `drawing-1.svg` where it has no category. */
export function fileName(drawing: Drawing, index: number, extension: string): string {
  const word = (drawing.category ?? "")
    .normalize("NFKC")
    .toLowerCase()
    .replace(/[^\p{L}\p{N}]+/gu, "-")
    .replace(/^-+|-+$/g, "")
    .slice(0, 60);
  return `${word || "drawing"}-${index + 1}.${extension.replace(/^\./, "")}`;
}

/** Hands the browser a file to keep: by its share sheet where fingers are used and there is one. */
export async function saveAs(content: Blob, name: string): Promise<void> {
  const file = new File([content], name, { type: content.type });
  if (matchMedia("(hover: none)").matches && navigator.canShare?.({ files: [file] })) {
    try {
      return await navigator.share({ files: [file] });
    } catch (error) {
      if (error instanceof DOMException && error.name === "AbortError") return;
    }
  }
  const link = document.createElement("a");
  link.href = URL.createObjectURL(content);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000); // some browsers begin to read only after a while
}

/** Puts text on the clipboard; false where the browser does not allow it. */
export async function copyText(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false;
  }
}

/** Drawings to files, to the clipboard and to links. */
export { toGif, type GifOptions, toMorph } from "./gif";
export { fromLink, type Linked, LinkError, toLink } from "./link";
export { toNdjson } from "./ndjson";
export { sortedForPlotter } from "./plotter";
export { toPng, type PngOptions } from "./png";
export { copyText, fileName, saveAs } from "./save";
export { toSvg, type SvgOptions } from "./svg";

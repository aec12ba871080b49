/** Drawings to files, to the clipboard and to links. */
export { toGif, type GifOptions } from "./gif";
export { fromLink, LinkError, toLink } from "./link";
export { toNdjson } from "./ndjson";
export { toPng, type PngOptions } from "./png";
export { copyText, fileName, saveAs } from "./save";
export { toSvg, type SvgOptions } from "./svg";

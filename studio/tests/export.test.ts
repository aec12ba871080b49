import { deflateSync, unzlibSync } from "fflate";
import { describe, expect, it } from "vitest";
import type { Drawing } from "../src/core/types";
import { fileName, fromLink, LinkError, sortedForPlotter, toGif, toLink, toMorph, toNdjson, toPng, toSvg } from "../src/export";
import { drawingsFromNdjson } from "../src/pictures/ndjson";
import { flattened, outlinesOf } from "../src/pictures/path";
import { framesOf } from "./export-gif";

const CAT: Drawing = {
  category: "cat",
  strokes: [
    [[0, 0], [255, 0], [255, 120], [0, 60], [0, 0]],
    [[40, 30]],
    [[60, 80], [61, 80], [90, 99]],
  ],
};

const LIMITS = "500 strokes and 10,000 points at most";

const bytesOf = async (blob: Blob) => new Uint8Array(await blob.arrayBuffer());

describe("SVG", () => {
  it("has a size in mm, a path a stroke and no fill", () => {
    const text = toSvg(CAT, { widthMm: 135.5, strokeMm: 0.5 });
    expect(text).toContain('width="135.5mm" height="68mm" viewBox="-8 -8 271 136"');
    expect(text).toContain('fill="none"');
    expect(text).toContain('stroke-width="1"');
    expect(text).toContain("<title>cat</title>");
    const paths = [...text.matchAll(/<path d="([^"]*)"/g)].map(([, d]) => flattened(outlinesOf(d!)[0]!, 1));
    expect(paths[0]).toEqual(CAT.strokes[0]);
    expect(paths[1]).toEqual([[40, 30], [40.01, 30]]);
    expect(paths[2]).toEqual(CAT.strokes[2]);
  });

  it("keeps a drawing of any size precise", () => {
    const small = { strokes: CAT.strokes.map((stroke) => stroke.map(([x, y]) => [x / 1e4, y / 1e4] as const)) };
    const [first] = [...toSvg(small).matchAll(/<path d="([^"]*)"/g)];
    const points = flattened(outlinesOf(first![1]!)[0]!, 1);
    expect(points[2]![1]).toBeCloseTo(0.012, 6);
  });

  it("has the colours of two pens where they are given", () => {
    const text = toSvg(CAT, { colours: ["#222226", "#1767ad", "#222226"] });
    expect([...text.matchAll(/<path stroke="(#\w+)"/g)].map(([, colour]) => colour)).toEqual([
      "#222226",
      "#1767ad",
      "#222226",
    ]);
  });

  it("escapes the category and takes a drawing without strokes", () => {
    const text = toSvg({ strokes: [], category: '<a & "b">\u0001\ud800' });
    expect(text).toContain("<title>&lt;a &amp; &quot;b&quot;&gt;</title>");
  });
});

describe("ndjson", () => {
  it("gives the drawing back", () => {
    const text = toNdjson([CAT, { strokes: [] }, { strokes: CAT.strokes }]);
    expect(text.endsWith("}\n")).toBe(true);
    const words = text.trim().split("\n").map((line) => JSON.parse(line).word);
    expect(words).toEqual(["cat", "drawing"]);
    expect(drawingsFromNdjson(text)[0]).toEqual(CAT);
  });

  it("is fitted and whole", () => {
    const [line] = toNdjson({ strokes: [[[10, 10], [10.2, 10.1], [61, 112]]] }).split("\n");
    expect(JSON.parse(line!).drawing).toEqual([[[0, 1, 128], [0, 0, 255]]]);
  });
});

describe("link", () => {
  it("gives the drawing back, with or without its #", () => {
    const hash = toLink(CAT);
    expect(hash).toMatch(/^#d1\.[\w-]+$/);
    expect(fromLink(hash)).toEqual({ drawing: CAT, isChallenge: false });
    expect(fromLink(toLink(CAT, "challenge").slice(1))).toEqual({ drawing: CAT, isChallenge: true });
  });

  it("is short and keeps names of any script", () => {
    const spiral = Array.from({ length: 250 }, (_, n) => [n * Math.cos(n / 9), n * Math.sin(n / 9)] as const);
    const hash = toLink({ strokes: [spiral], category: "蝸牛" });
    expect(hash.length).toBeLessThan(700);
    expect(fromLink(hash)!.drawing.category).toBe("蝸牛");
    expect(fromLink(hash)!.drawing.strokes[0]!.length).toBeGreaterThan(240);
  });

  it("that is none gives null", () => {
    for (const text of ["", "#", "#map", "#drawing"]) expect(fromLink(text)).toBeNull();
  });

  it("that is damaged or of another version says so", () => {
    const hash = toLink(CAT);
    const damaged = ["#d1.", "#d1.!!!", "#d1.AAAA", hash.slice(0, -6), hash.replace(".", ".x")];
    for (const text of damaged) expect(() => fromLink(text)).toThrow("damaged or cut short");
    expect(() => fromLink("#d2.abc")).toThrow("another version");
    for (let n = 0; n < 300; n++) {
      const at = 4 + ((n * 7919) % (hash.length - 4));
      try {
        const linked = fromLink(`${hash.slice(0, at)}${"AZaz09-_"[n % 8]}${hash.slice(at + 1)}`);
        expect(linked!.drawing.strokes.length).toBeGreaterThan(0);
      } catch (error) {
        expect(error).toBeInstanceOf(LinkError);
      }
    }
  });

  it("does not unpack a bomb", () => {
    const bomb = btoa(String.fromCharCode(...deflateSync(new Uint8Array(2 << 20), { level: 6 })));
    expect(() => fromLink(`#d1.${bomb.replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "")}`)).toThrow(LIMITS);
  });

  it("holds a drawing of some size and no more, read or written", () => {
    const dots = (count: number): Drawing => ({
      strokes: Array.from({ length: count }, (_, n) => [[n % 251, n % 253] as const]),
    });
    expect(fromLink(toLink(dots(500)))!.drawing.strokes).toHaveLength(500);
    expect(() => toLink(dots(501))).toThrow(LIMITS);
    // The category's length, then 30,000 strokes of a point at (0, 0).
    const many = deflateSync(Uint8Array.from([0, ...Array.from({ length: 30_000 }, () => [1, 0, 0]).flat()]));
    const text = btoa(String.fromCharCode(...many)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
    expect(text.length).toBeLessThan(400);
    expect(() => fromLink(`#d1.${text}`)).toThrow(LIMITS);
  });
});

describe("PNG", () => {
  it("shows lines on its ground", async () => {
    const data = await bytesOf(await toPng(CAT, { size: 64, background: "#fafafa", ink: "#102030" }));
    const { width, palette, pixels, opacity } = readPng(data);
    expect([width, pixels.length]).toEqual([64, 64 * 64]);
    expect(palette.slice(0, 3)).toEqual(Uint8Array.of(0xfa, 0xfa, 0xfa));
    expect(palette.slice(-3)).toEqual(Uint8Array.of(0x10, 0x20, 0x30));
    expect(opacity).toBeNull();
    expect(pixels[0]).toBe(0);
    expect(Math.max(...pixels)).toBe(255);
    const inked = pixels.filter((value) => value > 127).length;
    expect(inked).toBeGreaterThan(100);
    expect(inked).toBeLessThan(800);
  });

  it("can have a transparent ground", async () => {
    const { opacity } = readPng(await bytesOf(await toPng(CAT, { size: 32, background: null })));
    expect(opacity![0]).toBe(0);
    expect(opacity![255]).toBe(255);
  });
});

describe("GIF", () => {
  it("shows the drawing grow and holds it", async () => {
    const shares: number[] = [];
    const onProgress = (share: number) => shares.push(share);
    const options = { size: 64, seconds: 1, framesPerSecond: 10, hold: 2, onProgress };
    const { width, height, frames } = framesOf(await bytesOf(await toGif(CAT, options)));
    expect([width, height, frames.length]).toEqual([64, 64, 10]);
    const inked = frames.map(({ pixels }) => pixels.filter((shade) => shade > 7).length);
    for (let n = 1; n < 10; n++) expect(inked[n]).toBeGreaterThanOrEqual(inked[n - 1]!);
    expect(inked[0]).toBeLessThan(0.3 * inked[9]!);
    expect(frames.map(({ delay }) => delay)).toEqual([...Array(9).fill(100), 2100]);
    expect(shares.at(-1)).toBe(1);
    const { pixels } = readPng(await bytesOf(await toPng(CAT, { size: 64 })));
    const last = frames[9]!.pixels;
    expect(pixels.every((value, i) => Math.abs(value / 255 - last[i]! / 14) < 0.05)).toBe(true);
  });

  it("takes as long as a hand", async () => {
    const { frames } = framesOf(await bytesOf(await toGif(CAT, { size: 32 })));
    expect(frames.length).toBeGreaterThan(1.5 * 25 - 1);
    expect(frames.length).toBeLessThan(8 * 25 + 1);
  });

  it("draws several in a grid, and none on blank paper", async () => {
    const three = framesOf(await bytesOf(await toGif([CAT, CAT, CAT], { size: 32, seconds: 0.2 })));
    expect([three.width, three.height]).toEqual([64, 64]);
    const blank = framesOf(await bytesOf(await toGif([], { size: 32, seconds: 0.2 })));
    expect(Math.max(...blank.frames.at(-1)!.pixels)).toBe(0);
  });

  it("has a colour for each of two hands", async () => {
    const strokes = [[[0, 0], [255, 0]], [[0, 255], [255, 255]]] as const;
    const colours = ["#222226", "#1767ad"];
    const { width, frames } = framesOf(await bytesOf(await toGif({ strokes }, { size: 64, seconds: 0.4, colours })));
    const rows = Array.from({ length: width }, (_, y) => frames.at(-1)!.pixels.slice(y * width, (y + 1) * width));
    const [upper, lower] = [rows.slice(0, 32), rows.slice(32)].map((half) => half.flatMap((row) => [...row]));
    expect(Math.max(...upper!)).toBe(14);
    expect(Math.max(...lower!)).toBe(29);
    expect(Math.min(...lower!.filter((colour) => colour > 0))).toBeGreaterThan(14);
  });

  it("goes there and back through a morph", async () => {
    const stroke = (x: number): Drawing => ({ strokes: [[[x, 20], [x, 240]]] });
    const frame = { side: 255, centre: [127.5, 127.5] } as const;
    const { frames } = framesOf(await bytesOf(await toMorph([60, 120, 180].map(stroke), { size: 64, frame })));
    const inked = frames.map(({ pixels }) => pixels.findIndex((shade) => shade > 7) % 64);
    expect(inked[0]).toBeLessThan(inked[1]!);
    expect(inked[1]).toBeLessThan(inked[2]!);
    expect(inked).toHaveLength(4);
    expect(inked[3]).toBe(inked[1]);
    expect(frames[2]!.pixels.filter((shade) => shade > 7).length).toBe(frames[0]!.pixels.filter((s) => s > 7).length);
  });

  it("stops when it is told to", async () => {
    const controller = new AbortController();
    const onProgress = (share: number) => share > 0.3 && controller.abort();
    const made = toGif(CAT, { size: 64, signal: controller.signal, onProgress });
    await expect(made).rejects.toMatchObject({ name: "AbortError" });
  });
});

describe("sorting for a plotter", () => {
  const strokes = [
    [[0, 0], [10, 0]],
    [[100, 0], [110, 0]],
    [[20, 0], [12, 0]],
  ] as const;

  it("goes to the nearest end, and turns strokes", () => {
    const { order, strokes: sorted, before, after } = sortedForPlotter(strokes);
    expect(order).toEqual([0, 2, 1]);
    expect(sorted[1]).toEqual([[12, 0], [20, 0]]);
    expect([before, after]).toEqual([180, 82]);
  });

  it("changes the pen once", () => {
    expect(sortedForPlotter(strokes, ["red", "red", "blue"]).order).toEqual([0, 1, 2]);
  });
});

describe("file names", () => {
  it("tell what is drawn", () => {
    expect(fileName(CAT, 0, "svg")).toBe("cat-1.svg");
    expect(fileName({ strokes: [], category: "Ice  cream/.." }, 2, ".png")).toBe("ice-cream-3.png");
    expect(fileName({ strokes: [] }, 9, "gif")).toBe("drawing-10.gif");
    expect(fileName({ strokes: [], category: "../../" }, 0, "gif")).toBe("drawing-1.gif");
  });
});

interface Picture {
  readonly width: number;
  readonly palette: Uint8Array;
  readonly opacity: Uint8Array | null;
  readonly pixels: Uint8Array;
}

function readPng(data: Uint8Array): Picture {
  const view = new DataView(data.buffer);
  const chunks = new Map<string, Uint8Array>();
  for (let at = 8; at < data.length; at += view.getUint32(at) + 12) {
    const name = String.fromCharCode(...data.subarray(at + 4, at + 8));
    chunks.set(name, data.slice(at + 8, at + 8 + view.getUint32(at)));
  }
  const width = new DataView(chunks.get("IHDR")!.buffer).getUint32(0);
  const rows = unzlibSync(chunks.get("IDAT")!);
  const pixels = new Uint8Array(width * width);
  for (let y = 0; y < width; y++) {
    expect(rows[y * (width + 1)]).toBe(0);
    pixels.set(rows.subarray(y * (width + 1) + 1, (y + 1) * (width + 1)), y * width);
  }
  return { width, palette: chunks.get("PLTE")!, opacity: chunks.get("tRNS") ?? null, pixels };
}

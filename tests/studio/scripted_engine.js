// A stand-in for the page's engine worker: speaks its protocol, draws at once, and needs no model.
const CATEGORIES = ["cat", "face", "fish", "mushroom", "owl", "pig"];

function pack(drawings) {
  const strokes = drawings.flatMap((drawing) => drawing.strokes);
  return {
    points: Float64Array.from(strokes.flat(2)),
    strokes: Uint32Array.from(strokes, (stroke) => stroke.length),
    drawings: Uint32Array.from(drawings, (drawing) => drawing.strokes.length),
    categories: drawings.map(({ category }) => category ?? null),
    ended: drawings.map(() => true),
  };
}

function unpack({ points, strokes, drawings }) {
  let [point, stroke] = [0, 0];
  return Array.from(drawings, (count) => ({
    strokes: Array.from({ length: count }, () =>
      Array.from({ length: strokes[stroke++] }, () => [points[2 * point], points[2 * point++ + 1]]),
    ),
  }));
}

/** The drawing, bent by as much as the freedom says; another seed bends it otherwise. */
function bent({ strokes }, seed, freedom, category) {
  const all = strokes.flat();
  const side = Math.max(1, ...all.map(([x]) => x)) - Math.min(...all.map(([x]) => x));
  const reach = 0.15 * side * freedom;
  const bend = ([x, y]) => [x + reach * Math.sin(seed + y / (0.2 * side)), y + reach * Math.cos(2 * seed + x / (0.3 * side))];
  return { strokes: strokes.map((stroke) => stroke.map(bend)), ...(category && { category }) };
}

const thing = (seed, category) => {
  const circle = Array.from({ length: 25 }, (_, n) => [128 + 100 * Math.cos(n / 3.8), 128 + (60 + 20 * (seed % 3)) * Math.sin(n / 3.8)]);
  return { strokes: [circle, [[90, 110], [92, 112]], [[150, 110], [152, 112]], [[90, 160], [128, 175], [165, 160]]], category };
};

const atlas = () => ({
  drawnBy: "model",
  places: Float32Array.from(CATEGORIES.flatMap((_, n) => [0.1 + 0.15 * n, 0.2 + 0.12 * n])),
  categoryIds: Uint16Array.from(CATEGORIES.keys()),
  categories: CATEGORIES,
  drawings: pack(CATEGORIES.map((name, n) => thing(n, name))),
});

const handlers = {
  load: () => ({
    name: "scripted", categories: CATEGORIES, hasEncoder: true, hasFlow: true, hasClassifier: true, atlas: atlas(),
    device: "wasm", threads: 1, notice: "", training: {},
  }),
  locate: ({ neighbours }) => ({
    at: [0.4, 0.4],
    neighbours: CATEGORIES.slice(0, neighbours).map((_, index) => ({ index, distance: index })),
  }),
  codeAt: ({ place: [x, y] }) => Float32Array.of(x, y, 0, 0),
  encode: () => new Float32Array(4),
  codeOfCategory: () => new Float32Array(4),
  redraw: ({ drawing, samples, seed, settings, category }) =>
    pack(Array.from({ length: samples }, (_, n) => bent(unpack(drawing)[0], seed + n, settings.freedom ?? 0, category))),
  drawCodes: ({ codes, samples, seed }) => pack(codes.flatMap(([x]) => Array.from({ length: samples }, (_, n) => bent(thing(seed + n), 1, 3 * x)))),
  generate: ({ samples, seed, category }) => pack(Array.from({ length: samples }, (_, n) => thing(seed + n, category ?? "face"))),
  complete: ({ started, request }) => {
    const [{ strokes }] = unpack(started);
    const all = strokes.flat();
    const [x, y] = [0, 1].map((axis) => all.reduce((sum, point) => sum + point[axis], 0) / all.length);
    const ways = Array.from({ length: request.samples }, (_, n) => ({
      strokes: [...strokes, [[x - 60 - 20 * n, y - 40], [x - 60 - 20 * n, y + 40]], [[x + 40, y + 20 * n], [x + 120, y + 20 * n]]],
    }));
    const finished = strokes.length > 4 ? 0.9 : 0.1;
    return { drawings: pack(ways), started: ways.map(() => strokes.length), finished: ways.map(() => finished) };
  },
  recognise: ({ drawing }) => {
    const sure = unpack(drawing)[0].strokes.length > 2;
    return [{ category: "fish", probability: sure ? 0.8 : 0.3 }, { category: "owl", probability: 0.2 }];
  },
};

self.addEventListener("message", ({ data: { id, kind, given } }) => {
  if (kind === "abort") return;
  const result = handlers[kind](given);
  if (["redraw", "drawCodes", "generate"].includes(kind)) {
    const at = Array.from(result.drawings, (_, n) => (kind === "drawCodes" ? [Math.floor(n / given.samples), n % given.samples] : [0, n]));
    self.postMessage({ id, kind: "drawings", news: { at, drawings: result } });
  }
  self.postMessage({ id, kind: "done", result });
});

// Lets the studio work without network: what was loaded is kept, and given where the host does not answer.
const KEPT = "sketch-pix2seq";
const FILES = [
  "./",
  "index.css",
  "studio.js",
  "engine-worker.js",
  "pictures-worker.js",
  "rolldown-runtime.js",
  "ort.wasm.min.js",
  "ort-wasm-simd-threaded.mjs",
  "ort-wasm-simd-threaded.wasm.gz",
  "eraser.svg",
  "icon.svg",
  "rough-line.svg",
  "manifest.webmanifest",
  ...[
    "config.json",
    "model.safetensors",
    "encoder.onnx",
    "start.onnx",
    "decoder.onnx",
    "flow.onnx",
    "flow.safetensors",
    "classifier.onnx",
    "atlas.safetensors",
  ].map((name) => `model/${name}`),
];

async function keep(name) {
  const response = await fetch(name);
  if (response.ok) await (await caches.open(KEPT)).put(name, response);
}

self.addEventListener("install", (event) => {
  // What a model has not cannot be kept, and is not missed.
  event.waitUntil(Promise.allSettled(FILES.map(keep)).then(() => self.skipWaiting()));
});

self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));

self.addEventListener("fetch", (event) => {
  const { request } = event;
  if (request.method !== "GET" || new URL(request.url).origin !== location.origin) return;
  event.respondWith(fresh(request));
});

/** The host's answer, which is newer; without one, what is kept. */
async function fresh(request) {
  try {
    const response = await fetch(request);
    if (response.status === 200) await (await caches.open(KEPT)).put(request, response.clone()).catch(() => undefined);
    return response;
  } catch {
    return (await caches.match(request, { ignoreSearch: true })) ?? new Response("", { status: 404 });
  }
}

import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { basename, dirname, join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "fflate";
import { build, type BuildEnvironmentOptions, type Plugin, type UserConfig } from "vite";

const ROOT = dirname(fileURLToPath(import.meta.url));
const OUT = join(ROOT, "../src/sketch_pix2seq/studio/page");

/** What the built page depends on; `build.json` has a hash of it, so that a test can tell a page that is not of it. */
const SOURCES = [
  "../src/sketch_pix2seq/drawing/constants.json",
  "index.html",
  "package-lock.json",
  "package.json",
  "public",
  "src",
  "tsconfig.json",
  "vite.config.ts",
];

const MIT = `Permission is hereby granted, free of charge, to any person obtaining a copy of this software and
associated documentation files (the "Software"), to deal in the Software without restriction, including
without limitation the rights to use, copy, modify, merge, publish, distribute, sublicense, and/or sell
copies of the Software, and to permit persons to whom the Software is furnished to do so, subject to the
following conditions:

The above copyright notice and this permission notice shall be included in all copies or substantial
portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT
LIMITED TO THE WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO
EVENT SHALL THE AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER
IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM, OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE
USE OR OTHER DEALINGS IN THE SOFTWARE.`;

/** Settings that the page and the library share: names that stay the same from build to build, any folder of a host. */
const shared = {
  root: ROOT,
  base: "./",
  // onnxruntime-web with its WebAssembly beside it, rather than threads that load this bundle anew.
  resolve: { conditions: ["onnxruntime-web-use-extern-wasm", "module", "browser", "development|production"] },
  worker: { format: "es", rollupOptions: { output: { ...names(), entryFileNames: workerName } } },
} as const satisfies UserConfig;

function names(): { chunkFileNames: string; assetFileNames: string } {
  return { chunkFileNames: "[name].js", assetFileNames: "[name][extname]" };
}

/** Workers are all called worker.ts; the built ones are named after their folders. */
function workerName(chunk: { facadeModuleId: string | null; name: string }): string {
  const { facadeModuleId } = chunk;
  return facadeModuleId === null ? "[name].js" : `${basename(dirname(facadeModuleId))}-worker.js`;
}

function buildSettings(input: string, entryFileNames: string, emptyOutDir: boolean): BuildEnvironmentOptions {
  return {
    outDir: OUT,
    emptyOutDir,
    target: "es2022",
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 2000,
    rollupOptions: {
      input,
      preserveEntrySignatures: "strict",
      output: { ...names(), entryFileNames },
    },
  };
}

/** After the page: the library that code people load, packed runtimes, licences, and what all was built from. */
function finish(): Plugin {
  return {
    name: "finish",
    apply: "build",
    async closeBundle() {
      const library = buildSettings(join(ROOT, "src/lib.ts"), "sketch-pix2seq.js", false);
      await build({ ...shared, configFile: false, publicDir: false, logLevel: "warn", build: library });
      for (const name of readdirSync(OUT).filter((file) => file.endsWith(".wasm"))) {
        const path = join(OUT, name);
        writeFileSync(`${path}.gz`, gzipSync(readFileSync(path), { level: 9, mtime: 0 }));
        rmSync(path);
      }
      writeFileSync(join(OUT, "licenses.txt"), licenses());
      writeFileSync(join(OUT, "build.json"), `${JSON.stringify({ sources: hashOfSources() })}\n`);
    },
  };
}

/** While developing, the bundled model lies beside the page. */
function bundledModel(): Plugin {
  return {
    name: "bundled-model",
    apply: "serve",
    configureServer({ middlewares }) {
      middlewares.use("/model", (request, response) => {
        const path = join(ROOT, "../src/sketch_pix2seq/pretrained", basename(request.url ?? ""));
        response.statusCode = existsSync(path) ? 200 : 404;
        response.end(existsSync(path) ? readFileSync(path) : "");
      });
    },
  };
}

function licenses(): string {
  const own = (name: string, file: string): string => {
    return readFileSync(join(ROOT, "node_modules", name, file), "utf-8").trim();
  };
  const onnxruntime = [
    `MIT License\n\nCopyright (c) Microsoft Corporation\n\n${MIT}`,
    "What ONNX Runtime itself is built with, and under which licences:",
    "https://github.com/microsoft/onnxruntime/blob/main/ThirdPartyNotices.txt",
  ].join("\n\n");
  const parts = {
    "onnxruntime-web": onnxruntime,
    fflate: own("fflate", "LICENSE"),
    gifenc: own("gifenc", "LICENSE.md"),
  };
  const packages = Object.entries(parts).map(([name, text]) => {
    const { version } = JSON.parse(own(name, "package.json")) as { version: string };
    return `${name} ${version}\n${"=".repeat(name.length + version.length + 1)}\n\n${text}\n`;
  });
  return ["The studio's page holds these packages.\n", ...packages].join("\n\n");
}

/** Each file as its path, NUL, its content, NUL; in the order of their paths. */
function hashOfSources(): string {
  const hash = createHash("sha256");
  const files = SOURCES.flatMap((name) => filesOf(join(ROOT, name)));
  for (const path of files.map((file) => relative(ROOT, file).split(sep).join("/")).sort()) {
    hash.update(`${path}\0`).update(readFileSync(join(ROOT, path))).update("\0");
  }
  return hash.digest("hex");
}

function filesOf(path: string): string[] {
  if (!existsSync(path)) return [];
  if (!statSync(path).isDirectory()) return [path];
  return readdirSync(path).flatMap((name) => filesOf(join(path, name)));
}

export default {
  ...shared,
  build: buildSettings(join(ROOT, "index.html"), "studio.js", true),
  plugins: [finish(), bundledModel()],
  // Threads need both.
  server: {
    headers: { "Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Embedder-Policy": "require-corp" },
    // The numbers that the page shares with Python lie in the package.
    fs: { allow: [join(ROOT, "..")] },
  },
} satisfies UserConfig;

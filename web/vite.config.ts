// Serves and bundles the page. `packFiles` is the part to copy: it puts ONNX Runtime's engine files below /ort/.
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, extname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { defineConfig, type Plugin } from "vite";

const engine = dirname(createRequire(import.meta.url).resolve("onnxruntime-web/ort-wasm-simd-threaded.wasm"));
const pathOf = (name: string) => fileURLToPath(new URL(name, import.meta.url));
const examples = pathOf("../examples");

/** Files that are served, and copied into a build, as they are. */
const FILES: Readonly<Record<string, string>> = {
  "ort/ort-wasm-simd-threaded.mjs": join(engine, "ort-wasm-simd-threaded.mjs"),
  "ort/ort-wasm-simd-threaded.wasm": join(engine, "ort-wasm-simd-threaded.wasm"),
  "ort/ort-wasm-simd-threaded.asyncify.mjs": join(engine, "ort-wasm-simd-threaded.asyncify.mjs"),
  "ort/ort-wasm-simd-threaded.asyncify.wasm": join(engine, "ort-wasm-simd-threaded.asyncify.wasm"),
  "models/digits.onnx": pathOf("models/digits/digits.onnx"),
  "models/wake-words.onnx": pathOf("models/wake-words/wake-words.onnx"),
  "models/phones.onnx": pathOf("models/phones/phones.onnx"),
  "models/student/config.json": join(examples, "student-small-libri/config.json"),
  "models/student/model.safetensors": join(examples, "student-small-libri/model.safetensors"),
  "models/teacher/config.json": join(examples, "hubert-small-libri/config.json"),
  "models/teacher/model.safetensors": join(examples, "hubert-small-libri/model.safetensors"),
  "samples/digits.flac": pathOf("models/digits/example.flac"),
  "samples/wake-words.flac": pathOf("models/wake-words/example.flac"),
  "samples/speech.flac": join(examples, "speech/dev/1284/1180/1284-1180-0022.flac"),
};
/** 27 MB for those who choose WebGPU: fetched when they do, and not kept for times without a network. */
const NOT_KEPT = /asyncify/;
const TYPES: Readonly<Record<string, string>> = {
  ".mjs": "text/javascript",
  ".wasm": "application/wasm",
  ".flac": "audio/flac",
  ".json": "application/json",
};

function packFiles(): Plugin {
  return {
    name: "stillwave-files",
    configureServer(server) {
      // before Vite's own handlers, which would rewrite the modules: the engine's threads load them by address
      server.middlewares.use((request, response, next) => {
        const name = new URL(request.url ?? "/", "http://page").pathname.slice(1);
        const file = FILES[name];
        if (!file) return next();
        response.setHeader("Content-Type", TYPES[extname(name)] ?? "application/octet-stream");
        response.setHeader("Cross-Origin-Embedder-Policy", "require-corp");
        response.setHeader("Cross-Origin-Resource-Policy", "same-origin");
        createReadStream(file).pipe(response);
      });
    },
    async generateBundle() {
      if (this.environment.config.isWorker) return;
      for (const [fileName, path] of Object.entries(FILES))
        this.emitFile({ type: "asset", fileName, source: await readFile(path) });
    },
  };
}

/** Files of `public`, which Vite copies past the bundle. */
const PUBLIC = ["icon.svg", "icon-192.png", "icon-512.png", "manifest.webmanifest"];

/** The service worker, with the names and hashes of all files of the build. */
function packServiceWorker(): Plugin {
  return {
    name: "stillwave-service-worker",
    apply: "build",
    enforce: "post",
    async generateBundle(_options, bundle) {
      if (this.environment.config.isWorker) return;
      const hash = (content: string | Uint8Array) => createHash("sha256").update(content).digest("hex").slice(0, 16);
      const files: Record<string, string> = {};
      for (const [name, file] of Object.entries(bundle))
        if (!NOT_KEPT.test(name)) files[name] = hash(file.type === "chunk" ? file.code : file.source);
      for (const name of PUBLIC) files[name] = hash(await readFile(pathOf(`public/${name}`)));
      const source = await readFile(pathOf("offline/service-worker.js"), "utf8");
      this.emitFile({
        type: "asset",
        fileName: "service-worker.js",
        source: source.replace("const FILES = {};", `const FILES = ${JSON.stringify(files)};`),
      });
    },
  };
}

/** Without these two, browsers give WASM one thread. */
const headers = { "Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Embedder-Policy": "require-corp" };

export default defineConfig({
  root: fileURLToPath(new URL(".", import.meta.url)),
  base: "./",
  plugins: [packFiles(), packServiceWorker()],
  // onnxruntime-web without an engine inside: it is loaded from /ort/ once, not bundled a second time
  resolve: { conditions: ["onnxruntime-web-use-extern-wasm", "module", "browser", "development|production"] },
  // named, because a worker that is the first to ask for a dependency gets an outdated one and does not load
  optimizeDeps: { noDiscovery: true, include: ["@bufbuild/protobuf/wire", "zod"], exclude: ["onnxruntime-web"] },
  worker: { format: "es" },
  build: { target: "es2022", outDir: "dist", emptyOutDir: true, chunkSizeWarningLimit: 2000, assetsInlineLimit: 0 },
  server: { host: "127.0.0.1", headers },
  preview: { host: "127.0.0.1", headers },
});

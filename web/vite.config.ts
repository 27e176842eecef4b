// Serves and bundles the demo. `serveEngine` is the part to copy: it puts ONNX Runtime's engine files below /ort/.
import { createReadStream } from "node:fs";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { defineConfig, type Plugin } from "vite";

const engine = dirname(createRequire(import.meta.url).resolve("onnxruntime-web/ort-wasm-simd-threaded.wasm"));
const example = fileURLToPath(new URL("../examples/speech/dev/1284/1180/1284-1180-0022.flac", import.meta.url));

/** Files that are served, and copied into a build, as they are. The last two are for WebGPU only. */
const FILES: Readonly<Record<string, string>> = {
  "ort/ort-wasm-simd-threaded.mjs": join(engine, "ort-wasm-simd-threaded.mjs"),
  "ort/ort-wasm-simd-threaded.wasm": join(engine, "ort-wasm-simd-threaded.wasm"),
  "ort/ort-wasm-simd-threaded.asyncify.mjs": join(engine, "ort-wasm-simd-threaded.asyncify.mjs"),
  "ort/ort-wasm-simd-threaded.asyncify.wasm": join(engine, "ort-wasm-simd-threaded.asyncify.wasm"),
  "sample.flac": example,
};
const TYPES: Readonly<Record<string, string>> = {
  mjs: "text/javascript",
  wasm: "application/wasm",
  flac: "audio/flac",
};

function serveEngine(): Plugin {
  return {
    name: "stillwave-engine",
    configureServer(server) {
      // before Vite's own handlers, which would rewrite the modules: the engine's threads load them by address
      server.middlewares.use((request, response, next) => {
        const name = new URL(request.url ?? "/", "http://page").pathname.slice(1);
        const file = FILES[name];
        if (!file) return next();
        response.setHeader("Content-Type", TYPES[name.split(".").at(-1)!]);
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

/** Without these two, browsers give WASM one thread. */
const headers = { "Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Embedder-Policy": "require-corp" };

export default defineConfig({
  root: fileURLToPath(new URL(".", import.meta.url)),
  base: "./",
  plugins: [serveEngine()],
  // onnxruntime-web without an engine inside: it is loaded from /ort/ once, not bundled a second time
  resolve: { conditions: ["onnxruntime-web-use-extern-wasm", "module", "browser", "development|production"] },
  // named, because a worker that is the first to ask for a dependency gets an outdated one and does not load
  optimizeDeps: { noDiscovery: true, include: ["@bufbuild/protobuf/wire", "zod"], exclude: ["onnxruntime-web"] },
  worker: { format: "es" },
  build: { target: "es2022", outDir: "dist", emptyOutDir: true, chunkSizeWarningLimit: 2000 },
  server: { host: "127.0.0.1", headers },
  preview: { host: "127.0.0.1", headers },
});

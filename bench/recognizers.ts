// An exported recogniser beside the same student through @huggingface/transformers: size and time in Node and in Chromium.
// Usage: npx tsx bench/recognizers.ts --run runs/phones [--seconds 10] [--rounds 5] [--threads 1] [--in node,chromium] [--json]
// @huggingface/transformers lies in .transformers-js, as .ci/run installs it. Each side has a process or a page of its own, and
// the two take turns, so that a ratio is of neighbours. Ours gives phones or words, theirs hidden states.
import { fork } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync, statSync } from "node:fs";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { cpus, loadavg, tmpdir } from "node:os";
import { extname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { type Browser, chromium } from "playwright-core";
import { build } from "vite";
import { loadModel } from "../src/checkpoint/index.ts";
import { type ExportDtype, shippedSpeech } from "../src/export/index.ts";
import { exportTransformersJs } from "../src/export/transformers-js.ts";
import { exportRecognizer, loadRecognizer } from "../src/index.ts";
import { openRecognizerParts } from "../src/recognizer/node/parts.ts";

const { values } = parseArgs({
  options: {
    run: { type: "string" },
    seconds: { type: "string", default: "10" },
    rounds: { type: "string", default: "5" },
    threads: { type: "string", default: "1" },
    in: { type: "string", default: "node,chromium" },
    json: { type: "boolean", default: false },
  },
});
const [seconds, rounds, threads] = [values.seconds, values.rounds, values.threads].map(Number);

const DTYPES: readonly (readonly [ours: ExportDtype, theirs: string, file: string])[] = [
  ["fp32", "fp32", "model.onnx"],
  ["fp16", "fp16", "model_fp16.onnx"],
  ["int8", "q8", "model_quantized.onnx"],
];
const SIDES = ["ours", "theirs"] as const;
const SAMPLE_RATE_HZ = 16_000;
const pathOf = (name: string) => fileURLToPath(new URL(`../${name}`, import.meta.url));
const installed = pathOf(".transformers-js/");
const library = join(installed, "node_modules/@huggingface/transformers");

type Side = (typeof SIDES)[number];
/** Milliseconds of one recording, from its waveform to what the side gives. */
type Time = (side: Side, dtype: string) => Promise<number>;

/** What both sides of a place run: a table of functions by dtype, each with one recording behind it. */
const THEIRS = `
const { AutoFeatureExtractor, AutoModel, env } = library;
const extractor = await AutoFeatureExtractor.from_pretrained("student");
const models = {};
for (const dtype of ${JSON.stringify(DTYPES.map(([, dtype]) => dtype))}) {
  const model = await AutoModel.from_pretrained("student", { dtype, device, session_options });
  models[dtype] = async () => (await model(await extractor(wave))).last_hidden_state.data;
}
`;
const OURS = `
const models = {};
for (const dtype of ${JSON.stringify(DTYPES.map(([dtype]) => dtype))}) {
  const recognizer = await load(dtype);
  models[dtype] = () => recognizer.facts.kind === "ctc" ? recognizer.transcribe(wave) : recognizer.classify(wave);
}
`;
const WARM = `
for (const run of Object.values(models)) await run();
const time = async (dtype) => {
  const began = performance.now();
  await models[dtype]();
  return performance.now() - began;
};
`;

async function answerInNode(folder: string): Promise<void> {
  const wave = waveOf(folder);
  const recognizers = new Map<string, Awaited<ReturnType<typeof loadRecognizer>>>();
  for (const [dtype] of DTYPES)
    recognizers.set(dtype, await loadRecognizer(join(folder, `${dtype}.onnx`), { threads }));
  const time = async (dtype: string) => {
    const recognizer = recognizers.get(dtype)!;
    const began = performance.now();
    await (recognizer.facts.kind === "ctc" ? recognizer.transcribe(wave) : recognizer.classify(wave));
    return performance.now() - began;
  };
  for (const [dtype] of DTYPES) await time(dtype);
  process.on("message", async (dtype: string) => process.send!(await time(dtype)));
  process.send!("ready");
}

function waveOf(folder: string): Float32Array {
  return new Float32Array(new Uint8Array(readFileSync(join(folder, "wave.f32"))).buffer);
}

async function main(): Promise<void> {
  if (!values.run) throw new Error("--run <folder>: a run of superb or finetune whose upstream is a model");
  if (!existsSync(library)) throw new Error(`${library}: not there; .ci/run installs it`);
  const folder = await mkdtemp(join(tmpdir(), "stillwave-bench-"));
  try {
    const sizes = await writeFiles(values.run, folder);
    const rows: object[] = [];
    for (const place of values.in.split(",")) {
      const opened = place === "node" ? await openNode(folder) : await openChromium(folder);
      try {
        rows.push(...(await measure(place, opened.time, sizes)));
      } finally {
        await opened.close();
      }
    }
    const machine = { processor: cpus()[0].model, threads, seconds, rounds, load: Number(loadavg()[0].toFixed(1)), transformers: versionOf(library), onnxruntime: { ours: [versionOf(pathOf("node_modules/onnxruntime-node")), versionOf(pathOf("node_modules/onnxruntime-web"))], theirs: [versionOf(join(installed, "node_modules/onnxruntime-node")), versionOf(join(installed, "node_modules/onnxruntime-web"))] } }; // biome-ignore format: one line
    if (values.json) console.log(JSON.stringify({ ...machine, rows }));
    else {
      console.log(JSON.stringify(machine));
      console.table(rows);
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

const versionOf = (place: string): string => JSON.parse(readFileSync(join(place, "package.json"), "utf8")).version;

/** Both sides' files and the recording. Gives the files' sizes by side and dtype. */
async function writeFiles(run: string, folder: string): Promise<Record<Side, Record<string, number>>> {
  const sizes: Record<Side, Record<string, number>> = { ours: {}, theirs: {} };
  for (const [dtype] of DTYPES) {
    const { bytes } = await exportRecognizer(run, { out: join(folder, `${dtype}.onnx`), dtype, threads });
    sizes.ours[dtype] = bytes;
  }
  const { upstream } = await openRecognizerParts(run);
  const student = join(folder, "student");
  await exportTransformersJs(await loadModel(upstream), { out: student, threads });
  for (const [, dtype, name] of DTYPES) sizes.theirs[dtype] = statSync(join(student, "onnx", name)).size;
  const wave = new Float32Array(seconds * SAMPLE_RATE_HZ);
  const speech = await shippedSpeech();
  for (let at = 0, i = 0; at < wave.length; i = (i + 1) % speech.length) {
    wave.set(speech[i].subarray(0, wave.length - at), at);
    at += speech[i].length;
  }
  await writeFile(join(folder, "wave.f32"), new Uint8Array(wave.buffer));
  return sizes;
}

const median = (list: readonly number[]) => [...list].sort((a, b) => a - b)[Math.floor(list.length / 2)];

async function measure(place: string, time: Time, sizes: Record<Side, Record<string, number>>): Promise<object[]> {
  const times = new Map(DTYPES.map(([dtype]) => [dtype, { ours: [] as number[], theirs: [] as number[] }]));
  for (let round = 0; round < rounds; round++)
    for (const [ours, theirs] of DTYPES) {
      const taken = times.get(ours)!;
      // who begins changes, as the second finds the machine as the first has left it
      for (const side of round % 2 === 0 ? SIDES : [...SIDES].reverse())
        taken[side].push(await time(side, side === "ours" ? ours : theirs));
    }
  return DTYPES.map(([ours, theirs]) => {
    const taken = times.get(ours)!;
    const [own, other] = [median(taken.ours), median(taken.theirs)];
    return {
      place,
      dtype: ours,
      oursMB: Number((sizes.ours[ours] / 1e6).toFixed(2)),
      theirsMB: Number((sizes.theirs[theirs] / 1e6).toFixed(2)),
      oursMs: Number(own.toFixed(0)),
      theirsMs: Number(other.toFixed(0)),
      oursRealTimeFactor: Number((own / 1000 / seconds).toFixed(4)),
      ratio: Number(median(taken.ours.map((one, i) => one / taken.theirs[i])).toFixed(2)),
    };
  });
}

interface Place {
  readonly time: Time;
  close(): Promise<void>;
}

async function openNode(folder: string): Promise<Place> {
  const script = join(folder, "theirs.mjs");
  const entry = join(library, "dist/transformers.node.mjs");
  await writeFile(
    script,
    `import * as library from ${JSON.stringify(entry)};
import { readFileSync } from "node:fs";
library.env.allowRemoteModels = false;
library.env.localModelPath = ${JSON.stringify(`${folder}/`)};
const [device, session_options] = ["cpu", { intraOpNumThreads: ${threads}, interOpNumThreads: 1 }];
const wave = new Float32Array(new Uint8Array(readFileSync(${JSON.stringify(join(folder, "wave.f32"))})).buffer);
${THEIRS}${WARM}
process.on("message", async (dtype) => process.send(await time(dtype)));
process.send("ready");
`,
  );
  const env = { ...process.env, BENCH_FOLDER: folder };
  const children = {
    ours: fork(fileURLToPath(import.meta.url), process.argv.slice(2), { env, execArgv: ["--import", "tsx"] }),
    theirs: fork(script, { execArgv: [] }),
  };
  const answer = async (side: Side): Promise<unknown> => {
    const over = new AbortController();
    const { signal } = over;
    const ended = once(children[side], "exit", { signal }).then(([code]) => {
      throw new Error(`${side} in Node ended (${code})`);
    });
    const [said] = await Promise.race([once(children[side], "message", { signal }), ended]);
    ended.catch(() => {});
    over.abort();
    return said;
  };
  await Promise.all(SIDES.map(answer));
  return {
    async time(side, dtype) {
      const taken = answer(side);
      children[side].send(dtype);
      return (await taken) as number;
    },
    async close() {
      for (const side of SIDES) children[side].kill();
    },
  };
}

const TYPES: Readonly<Record<string, string>> = { ".html": "text/html", ".js": "text/javascript", ".mjs": "text/javascript", ".wasm": "application/wasm", ".json": "application/json" }; // biome-ignore format: one line
const ORIGIN = "http://localhost";

async function openChromium(folder: string): Promise<Place> {
  const bundled = join(folder, "bundle");
  await build({
    configFile: false,
    logLevel: "error",
    resolve: { conditions: ["onnxruntime-web-use-extern-wasm", "module", "browser"] },
    build: {
      outDir: bundled,
      target: "es2022",
      lib: { entry: pathOf("src/web.ts"), formats: ["es"], fileName: "web" },
    },
  });
  await mkdir(join(folder, "page"));
  await writeFile(join(folder, "page/index.html"), "<!doctype html><title>bench</title>");
  const folders: Readonly<Record<string, string>> = {
    "/ours/ort/": pathOf("node_modules/onnxruntime-web/dist/"),
    "/ours/": `${bundled}/`,
    "/theirs/ort/": join(installed, "node_modules/onnxruntime-web/dist/"),
    "/theirs/": join(library, "dist/"),
    "/files/": `${folder}/`,
    "/": join(folder, "page/"),
  };
  const executablePath = process.env.CHROMIUM_PATH ?? "/usr/bin/chromium";
  const browser = await chromium.launch({ executablePath, args: ["--headless", "--no-sandbox", "--disable-gpu"] });
  const fetchWave = `const wave = new Float32Array(await (await fetch("/files/wave.f32")).arrayBuffer());`;
  const programs = {
    ours: `const { loadRecognizer } = await import("/ours/web.js");
const load = (dtype) => loadRecognizer("/files/" + dtype + ".onnx", { wasmPaths: "/ours/ort/", threads: ${threads}, device: "wasm" });
${fetchWave}${OURS}${WARM}globalThis.time = time;`,
    theirs: `const library = await import("/theirs/transformers.js");
library.env.allowRemoteModels = false;
library.env.allowLocalModels = true;
library.env.localModelPath = "/files/";
library.env.backends.onnx.wasm.wasmPaths = "/theirs/ort/";
library.env.backends.onnx.wasm.numThreads = ${threads};
const [device, session_options] = ["wasm", {}];
${fetchWave}${THEIRS}${WARM}globalThis.time = time;`,
  };
  const pages = { ours: await openPage(browser, folders), theirs: await openPage(browser, folders) };
  for (const side of SIDES) await pages[side].evaluate(`(async () => { ${programs[side]} })()`);
  return {
    time: (side, dtype) => pages[side].evaluate(`time(${JSON.stringify(dtype)})`) as Promise<number>,
    close: () => browser.close(),
  };
}

/** A page of its own, isolated, whose files come from folders. */
async function openPage(browser: Browser, folders: Readonly<Record<string, string>>) {
  const page = await (await browser.newContext()).newPage();
  const prefixes = Object.keys(folders).sort((a, b) => b.length - a.length);
  await page.route(`${ORIGIN}/**`, async (route) => {
    const { pathname } = new URL(route.request().url());
    const prefix = prefixes.find((one) => pathname.startsWith(one))!;
    const path = join(folders[prefix], pathname.slice(prefix.length) || "index.html");
    const headers = { "Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Embedder-Policy": "require-corp" };
    if (!existsSync(path)) return route.fulfill({ status: 404 });
    return route.fulfill({ path, headers, contentType: TYPES[extname(path)] ?? "application/octet-stream" });
  });
  await page.goto(`${ORIGIN}/`);
  return page;
}

/** Our side in Node is this script, started again with a folder to answer for. */
if (process.send && process.env.BENCH_FOLDER) await answerInNode(process.env.BENCH_FOLDER);
else await main();

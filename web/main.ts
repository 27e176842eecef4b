// The page: chooses a model and audio, hands them to the worker, and shows what comes back.
import { decode, MAX_SECONDS, type Recording, record, SAMPLE_RATE_HZ } from "./audio.ts";
import { drawSimilarity, drawStates, drawWaveform } from "./draw.ts";
import type { Reply, Request, State } from "./worker.types.ts";

/** `stillwave export` writes it into public/, from where it is served. */
const DEFAULT_MODEL = new URL("model.onnx", document.baseURI).href;
const ENGINE = new URL("ort/", document.baseURI).href;

const element = <T extends HTMLElement>(id: string) => document.getElementById(id) as T;
const status = element("status");
const audioControls = element<HTMLFieldSetElement>("audio");
const layer = element<HTMLInputElement>("layer");

let worker: Worker | undefined;
let model: { source: ArrayBuffer | string; name: string } = { source: DEFAULT_MODEL, name: "model.onnx" };
let wave: Float32Array | undefined;
let states: readonly State[] = [];
let engine = "";

function say(text: string, failed = false): void {
  status.textContent = text;
  status.classList.toggle("failed", failed);
}

/** A worker for the model; engines keep their settings, so another device is another worker. */
async function openModel(): Promise<void> {
  worker?.terminate();
  audioControls.disabled = true;
  say(`Opening ${model.name} …`);
  worker = new Worker(new URL("./worker.ts", import.meta.url), { type: "module" });
  worker.onmessage = ({ data }: MessageEvent<Reply>) => receive(data);
  worker.onerror = (event) => say(`The worker failed: ${event.message || "it could not be loaded"}`, true);
  const device = element<HTMLSelectElement>("device").value as "auto" | "wasm" | "webgpu";
  const request: Request = { type: "open", model: model.source, device, wasmPaths: ENGINE };
  worker.postMessage(request);
}

function receive(reply: Reply): void {
  if (reply.type === "failed") {
    const missing = model.source === DEFAULT_MODEL && /answers 404|answers with a web page/.test(reply.message);
    say(missing ? "No model here yet: choose an ONNX file made by `stillwave export`." : reply.message, !missing);
    return;
  }
  if (reply.type === "opened") {
    const threads = reply.device === "wasm" ? `, ${reply.threads} thread${reply.threads > 1 ? "s" : ""}` : "";
    engine = `${reply.device === "wasm" ? "WASM" : "WebGPU"}${threads}`;
    audioControls.disabled = false;
    say(
      `${model.name} is ready after ${(reply.milliseconds / 1000).toFixed(1)} s. Record, choose a file or take the sample.`,
    );
    if (wave) run();
    return;
  }
  audioControls.disabled = false;
  states = reply.states;
  show(reply.milliseconds);
}

function run(): void {
  audioControls.disabled = true;
  say("Computing …");
  worker!.postMessage({ type: "run", wave: wave! } satisfies Request);
}

function show(milliseconds: number): void {
  const seconds = wave!.length / SAMPLE_RATE_HZ;
  element("result").hidden = false;
  element("length").textContent = `${seconds.toFixed(2)} s`;
  element("time").textContent = `${milliseconds.toFixed(0)} ms`;
  element("factor").textContent = (milliseconds / 1000 / seconds).toFixed(3);
  element("engine").textContent = engine;
  say(`Done: ${states.length} outputs of ${states[0].frames} frames.`);
  drawWaveform(element("waveform"), wave!);
  layer.max = String(states.length - 1);
  layer.value = layer.max;
  showLayer();
}

function showLayer(): void {
  const state = states[Number(layer.value)];
  if (!state) return;
  const size = `${state.frames} frames of ${state.dim} dimensions`;
  element("name").textContent = state.name;
  layer.setAttribute("aria-valuetext", state.name);
  element("states").setAttribute("aria-label", `Heat map of ${state.name}: ${size}`);
  element("similarity").setAttribute("aria-label", `Similarity of the frames of ${state.name}`);
  drawStates(element("states"), state);
  drawSimilarity(element("similarity"), state);
}

/** Decodes, plays back, runs. */
async function take(bytes: ArrayBuffer, type = ""): Promise<void> {
  const player = element<HTMLAudioElement>("player");
  URL.revokeObjectURL(player.src);
  player.src = URL.createObjectURL(new Blob([bytes], { type }));
  const recording: Recording = await decode(bytes.slice(0));
  wave = recording.wave;
  run();
  if (recording.cut) say(`Computing the first ${MAX_SECONDS} s …`);
}

/** Errors end in the status line. */
const guarded =
  <A extends unknown[]>(action: (...args: A) => Promise<void>) =>
  (...args: A) =>
    action(...args).catch((error: Error) => say(error.message, true));

const chosenFile = (event: Event): File | undefined => (event.target as HTMLInputElement).files?.[0];

element("model").onchange = guarded(async (event: Event) => {
  const file = chosenFile(event);
  if (!file) return;
  model = { source: await file.arrayBuffer(), name: file.name };
  await openModel();
});
element("device").onchange = guarded(openModel);
element("file").onchange = guarded(async (event: Event) => {
  const file = chosenFile(event);
  if (file) await take(await file.arrayBuffer(), file.type);
});
element("sample").onclick = guarded(async () => {
  const response = await fetch(new URL("sample.flac", document.baseURI));
  if (!response.ok) throw new Error(`sample.flac: the server answers ${response.status}`);
  await take(await response.arrayBuffer(), "audio/flac");
});
layer.oninput = showLayer;

let stopRecording: (() => void) | undefined;
element("record").onclick = guarded(async () => {
  if (stopRecording) return stopRecording();
  const button = element<HTMLButtonElement>("record");
  const { stop, bytes } = await record();
  stopRecording = stop;
  button.setAttribute("aria-pressed", "true");
  button.textContent = "Stop";
  say("Recording …");
  const recorded = await bytes;
  stopRecording = undefined;
  button.setAttribute("aria-pressed", "false");
  button.textContent = "Record";
  await take(recorded);
});

addEventListener("resize", () => {
  if (wave && states.length > 0) drawWaveform(element("waveform"), wave);
});

openModel();

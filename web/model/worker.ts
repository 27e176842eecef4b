// The models' home: a worker, so that the page stays quick. One engine, the models opened so far, and the one that listens.
import { joined } from "../../src/graph/array.ts";
import { fetchBytes } from "../../src/runtime/web/fetch.ts";
import {
  createRuntime,
  loadModelFromFiles,
  loadRecognizer,
  type Model,
  type OnnxFile,
  type Recognizer,
  type SpeechStream,
  type WebRuntime,
} from "../../src/web.ts";
import { hearWhole, type Listener, listenerOf } from "../live/listener.ts";
import type {
  Answers,
  Hearing,
  Numbered,
  Opened,
  OpenedFolder,
  Recognised,
  Reply,
  Request,
  Source,
} from "./protocol.ts";
import { observeFile, observeModel, stateNames } from "./states.ts";

/** One second at 16 kHz: the first run of a session is slower, and this is it. */
const WARM_UP_SAMPLES = 16_000;
/** Models above this are not opened: a page would die of them in silence. */
const MAX_BYTES = 1e9;

type Held =
  | { readonly kind: "recogniser"; readonly recognizer: Recognizer; readonly hearing: Hearing }
  | { readonly kind: "file"; readonly file: OnnxFile }
  | { readonly kind: "folder"; readonly model: Model };

let runtime: WebRuntime | undefined;
const models = new Map<string, Held>();
let listener: Listener | undefined;
/** Samples that came while the model was busy. */
let waiting: Float32Array[] = [];
let hearingNow: Promise<void> | undefined;

const post = (message: Reply, transfer: Transferable[] = []) => self.postMessage(message, { transfer });

function engine(): WebRuntime {
  if (!runtime) throw new Error("the engine has not started");
  return runtime;
}

function held<K extends Held["kind"]>(name: string, kinds: readonly K[]): Extract<Held, { kind: K }> {
  const found = models.get(name);
  if (!found || !(kinds as readonly string[]).includes(found.kind)) throw new Error(`no such model is open: ${name}`);
  return found as Extract<Held, { kind: K }>;
}

async function open(name: string, source: Source, hearing: Hearing): Promise<Opened> {
  const bytes = typeof source === "string" ? await fetchBytes(source) : new Uint8Array(source);
  if (bytes.length > MAX_BYTES) throw new Error(`it has ${(bytes.length / 1e6).toFixed(0)} MB; a page takes 1,000`);
  const recognizer = await loadRecognizer(bytes, { runtime: engine() }).catch(async (error: Error) => {
    if (!/exported upstream/.test(error.message)) throw error;
    const file = await engine().open(bytes);
    if (stateNames(file).length === 0) throw error;
    return file;
  });
  if (!("facts" in recognizer)) {
    models.set(name, { kind: "file", file: recognizer });
    return { kind: "states", bytes: bytes.length };
  }
  models.set(name, { kind: "recogniser", recognizer, hearing });
  const { facts } = recognizer;
  const second = new Float32Array(WARM_UP_SAMPLES);
  await recognizer.logits(second);
  if (facts.kind === "ctc" && facts.streaming) await warmUp(recognizer.stream(), second);
  const kind = facts.kind === "classes" ? "words" : facts.text === "phones" ? "phones" : "text";
  return {
    kind,
    bytes: bytes.length,
    labels: facts.labels.filter((_, column) => !facts.special.includes(column)),
    upstream: facts.upstream,
    dtype: facts.dtype,
    figures: facts.figures,
  };
}

/** A stream opens sessions of its own with its first chunk. */
async function warmUp(stream: SpeechStream, samples: Float32Array): Promise<void> {
  await stream.push(samples);
  await stream.end();
}

async function openFolder(name: string, url: string): Promise<OpenedFolder> {
  const [config, safetensors] = await Promise.all([
    fetchBytes(`${url}/config.json`),
    fetchBytes(`${url}/model.safetensors`),
  ]);
  const model = await loadModelFromFiles({ config: new TextDecoder().decode(config), safetensors }, { path: url });
  models.set(name, { kind: "folder", model });
  await model.extract(new Float32Array(WARM_UP_SAMPLES), { runtime: engine() });
  const parameters = [...model.parameters.values()].reduce((sum, { data }) => sum + data.length, 0);
  return { bytes: safetensors.length, parameters, attentionFrom: model.config.attentionFrom };
}

async function recognise(name: string, wave: Float32Array): Promise<Recognised> {
  const { recognizer, hearing } = held(name, ["recogniser"]);
  const started = performance.now();
  const heard = await hearWhole(recognizer, hearing, wave);
  return { heard, milliseconds: performance.now() - started };
}

/** Hears what waits until nothing does. */
async function hearAll(): Promise<void> {
  while (listener && waiting.length > 0) {
    const samples = joined(waiting);
    waiting = [];
    const started = performance.now();
    await listener.take(samples);
    const heard = await listener.guess();
    post({ type: "heard", heard, milliseconds: performance.now() - started });
  }
}

async function hear(samples: Float32Array): Promise<null> {
  waiting.push(samples);
  hearingNow ??= hearAll().finally(() => {
    hearingNow = undefined;
  });
  await hearingNow;
  return null;
}

async function finish(): Promise<Recognised> {
  await hearingNow;
  const last = listener;
  listener = undefined;
  if (!last) return { heard: [], milliseconds: 0 };
  const started = performance.now();
  if (waiting.length > 0) await last.take(joined(waiting));
  const heard = await last.finish();
  return { heard, milliseconds: performance.now() - started };
}

async function answer(request: Request): Promise<Answers[Request["type"]]> {
  switch (request.type) {
    case "start": {
      runtime = await createRuntime({ device: request.device, wasmPaths: request.wasmPaths });
      return { device: runtime.device, threads: runtime.threads };
    }
    case "open":
      return open(request.model, request.source, request.hearing);
    case "openFolder":
      return openFolder(request.model, request.url);
    case "recognise":
      return recognise(request.model, request.wave);
    case "observe": {
      const one = held(request.model, ["file", "folder"]);
      return one.kind === "file"
        ? observeFile(one.file, request.wave)
        : observeModel(one.model, request.wave, { runtime: engine(), maps: request.maps });
    }
    case "listen": {
      const { recognizer, hearing } = held(request.model, ["recogniser"]);
      listener = listenerOf(recognizer, hearing);
      waiting = [];
      return null;
    }
    case "hear":
      return hear(request.samples);
    case "finish":
      return finish();
  }
}

self.onmessage = async ({ data }: MessageEvent<Numbered>) => {
  try {
    post({ type: "answer", id: data.id, value: await answer(data) });
  } catch (error) {
    post({ type: "failed", id: data.id, message: (error as Error).message });
  }
};

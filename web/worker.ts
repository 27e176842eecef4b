// The model's home: a worker, so that the page stays responsive. Opens an exported ONNX file and runs it on waveforms.
import { createRuntime, type OnnxFile } from "../src/web.ts";
import type { Reply, Request, State } from "./worker.types.ts";

/** One second at 16 kHz: the first run of a session is slower, and this is it. */
const WARM_UP_SAMPLES = 16_000;

let model: OnnxFile | undefined;

const reply = (message: Reply, transfer: Transferable[] = []) => self.postMessage(message, { transfer });

function feedsOf(wave: Float32Array) {
  return {
    waveform: { shape: [1, wave.length], data: wave },
    lengths: { shape: [1], data: BigInt64Array.of(BigInt(wave.length)) },
  };
}

/** Outputs that are sequences of vectors: hidden states, heads, features. */
const stateNames = (opened: OnnxFile) =>
  opened.outputs.filter(({ type, shape }) => type === "float32" && shape.length === 3).map(({ name }) => name);

async function open(request: Extract<Request, { type: "open" }>): Promise<void> {
  const started = performance.now();
  const runtime = await createRuntime({ device: request.device, wasmPaths: request.wasmPaths });
  const opened = await runtime.open(request.model);
  const inputs = opened.inputs.map(({ name }) => name).sort();
  if (inputs.join() !== "lengths,waveform" || stateNames(opened).length === 0)
    throw new Error(`not a model exported by Stillwave: its inputs are ${inputs.join(", ")}`);
  await opened.run(feedsOf(new Float32Array(WARM_UP_SAMPLES)), stateNames(opened));
  model = opened;
  reply({
    type: "opened",
    device: runtime.device,
    threads: runtime.threads,
    milliseconds: performance.now() - started,
  });
}

async function run(wave: Float32Array): Promise<void> {
  if (!model) throw new Error("no model is open");
  const started = performance.now();
  const outputs = await model.run(feedsOf(wave), stateNames(model));
  const milliseconds = performance.now() - started;
  const states = Object.entries(outputs).map(([name, { shape, data }]): State => {
    const [, frames, dim] = shape as [number, number, number];
    return { name, frames, dim, data: data as Float32Array };
  });
  reply({ type: "result", states, milliseconds }, [...new Set(states.map(({ data }) => data.buffer as ArrayBuffer))]);
}

self.onmessage = async ({ data }: MessageEvent<Request>) => {
  try {
    await (data.type === "open" ? open(data) : run(data.wave));
  } catch (error) {
    reply({ type: "failed", message: (error as Error).message });
  }
};

// Hidden states and attention maps of a model, as the page draws them.
import type { Model, OnnxFile, WebRuntime } from "../../src/web.ts";
import type { Observed } from "./protocol.ts";

/** Outputs that are sequences of vectors: hidden states, heads, features. */
export const stateNames = (file: OnnxFile): string[] =>
  file.outputs.filter(({ type, shape }) => type === "float32" && shape.length === 3).map(({ name }) => name);

export async function observeFile(file: OnnxFile, wave: Float32Array): Promise<Observed> {
  const feeds = {
    waveform: { shape: [1, wave.length], data: wave },
    lengths: { shape: [1], data: BigInt64Array.of(BigInt(wave.length)) },
  };
  const started = performance.now();
  const outputs = await file.run(feeds, stateNames(file));
  const milliseconds = performance.now() - started;
  const states = Object.entries(outputs).map(([name, { shape, data }]) => ({
    name,
    frames: shape[1],
    dim: shape[2],
    data: data as Float32Array,
  }));
  return { milliseconds, states, prediction: null, maps: new Map() };
}

export async function observeModel(
  model: Model,
  wave: Float32Array,
  options: { readonly runtime: WebRuntime; readonly maps: boolean },
): Promise<Observed> {
  const started = performance.now();
  const { layers, heads, maps } = await model.extract(wave, options);
  const milliseconds = performance.now() - started;
  const stateOf = ({ shape, data }: (typeof layers)[number]) => ({
    frames: shape[1],
    dim: shape[2],
    data: data as Float32Array,
  });
  const last = heads.at(-1);
  return {
    milliseconds,
    states: layers.map((layer, i) => ({ name: `layer ${i + 1}`, ...stateOf(layer) })),
    prediction: last ? stateOf(last) : null,
    maps: new Map(
      [...maps].map(([layer, { shape, data }]) => [
        layer,
        { heads: shape[1], frames: shape[2], data: data as Float32Array },
      ]),
    ),
  };
}

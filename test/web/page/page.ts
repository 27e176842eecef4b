// What the tests drive in Chromium: the browser entry of the package, with handles for what cannot cross into Node.
import * as stillwave from "../../../src/web.ts";

type Feeds = Parameters<stillwave.OnnxModel["run"]>[0];
const models: stillwave.OnnxModel[] = [];
let runtime: stillwave.WebRuntime | undefined;

/** Runs `action`; an error comes back as `Name: message`, which crosses into Node whole. */
async function named<T>(action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (error) {
    throw new Error(`${(error as Error).name}: ${(error as Error).message}`);
  }
}

const page = {
  isolated: () => globalThis.crossOriginIsolated,
  createRuntime: (options: stillwave.WebRuntimeOptions) =>
    named(async () => {
      runtime = await stillwave.createRuntime(options);
      return { device: runtime.device, threads: runtime.threads, version: runtime.version };
    }),
  /** The index of the opened model. */
  open: (model: Uint8Array | string) =>
    named(async () => {
      const opened = await runtime!.open(model);
      return { model: models.push(opened) - 1, inputs: opened.inputs, outputs: opened.outputs };
    }),
  run: (model: number, feeds: Feeds, wanted?: readonly string[]) => named(() => models[model].run(feeds, wanted)),
  dispose: (model: number) => models[model].dispose(),
  /** The whole way: a model folder over HTTP, traced, compiled and run here. */
  extract: (url: string, waveforms: readonly Float32Array[]) =>
    named(async () => {
      const model = await stillwave.loadModelFromUrl(url);
      const { hiddenStates, maps, validFrames } = await model.extract(waveforms, { runtime, maps: true });
      await model.dispose();
      return { hiddenStates, maps: [...maps], validFrames };
    }),
};
export type TestPage = typeof page;
Object.assign(globalThis, { page });

// What the tests drive in Chromium: the browser entry of the package, with handles for what cannot cross into Node.
import * as stillwave from "../../../src/web.ts";

type Feeds = Parameters<stillwave.OnnxFile["run"]>[0];
const models: stillwave.OnnxFile[] = [];
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
  /** A recogniser by its URL, and what it says of a recording: readings of one that writes, else the most probable classes. */
  recognise: (url: string, options: stillwave.LoadRecognizerOptions, wave: Float32Array, count: number) =>
    named(async () => {
      const recognizer = await stillwave.loadRecognizer(url, options);
      const { facts, device } = recognizer;
      const said =
        facts.kind === "ctc"
          ? { readings: await recognizer.transcribe(wave, { nbest: count }) }
          : { classes: await recognizer.classify(wave, { top: count }) };
      await recognizer.dispose();
      return { facts, device, ...said };
    }),
  /** The same while the recording goes on: what each piece of it decides. */
  follow: (
    url: string,
    options: stillwave.LoadRecognizerOptions,
    pieces: readonly Float32Array[],
    settings: stillwave.StreamOptions,
  ) =>
    named(async () => {
      const recognizer = await stillwave.loadRecognizer(url, options);
      const stream = recognizer.stream(settings);
      const updates: stillwave.StreamUpdate[][] = [];
      for (const piece of pieces) updates.push(await stream.push(piece));
      updates.push(await stream.end());
      await recognizer.dispose();
      return { updates, facts: stream.facts };
    }),
};
export type TestPage = typeof page;
Object.assign(globalThis, { page });

// Exported recognisers: the numbers of the run's own upstream and head, padding that counts nowhere, and what cannot be one.
import { existsSync } from "node:fs";
import { cp, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { describe, expect, test } from "vitest";
import { shippedSpeech } from "../../src/export/index.ts";
import { exportRecognizer } from "../../src/recognizer/node/export.ts";
import { loadRecognizer } from "../../src/recognizer/node/load.ts";
import { openRecognizerParts } from "../../src/recognizer/node/parts.ts";
import { createRuntime, openOnnxFile } from "../../src/runtime/node/index.ts";
import { Head } from "../../src/superb/heads/step.ts";
import { readHead } from "../../src/superb/run/head-folder.ts";
import { openUpstream } from "../../src/upstream/open.ts";
import { temporaryFolder } from "../data/corpora.ts";
import { answersOf, evaluate, evaluationsIn } from "../superb/run/evaluations.ts";
import { speechCorpus } from "../superb/speech.ts";
import { KINDS, makeRun, student } from "./made-runs.ts";

const root = temporaryFolder();
const speech = (await shippedSpeech(3)).map((wave, i) => wave.slice(0, [30_000, 21_777, 12_345][i]));

/** Logits of the run's own head, as evaluations compute them. */
async function ownLogits(run: string, wave: Float32Array): Promise<{ shape: readonly number[]; logits: Float32Array }> {
  const { settings, parameters } = await readHead(join(run, "head"));
  const upstream = await openUpstream(student, { threads: 1 });
  const gain = 10 ** ((settings.upstream.gainDb ?? 0) / 20);
  const [{ frames, data }] = await upstream.extract([wave.map((x) => x * gain)]);
  const { config, input } = settings;
  const head = new Head({ config, input, parameters, dtype: "float32", runtime: await createRuntime({ threads: 1 }) });
  const output = await head.infer({ data, shape: [input.layers, 1, frames, input.dim], frames: [frames] });
  await head.release();
  await upstream.dispose();
  const rows = output.shape.length === 3 ? output.frames[0] : 1;
  return { shape: [rows, config.outputs], logits: output.logits.slice(0, rows * config.outputs) };
}

const worst = (actual: ArrayLike<number>, expected: Float32Array): number => {
  const largest = expected.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
  expect(actual.length).toBe(expected.length);
  return expected.reduce((most, x, i) => Math.max(most, Math.abs(actual[i] - x)), 0) / largest;
};

describe.each([
  ["pr", {}],
  ["asr", {}],
  ["ic", { gainDb: -3 }],
] as const)("%s", (kind, options) => {
  test("the file's logits are those of the head, alone and in a padded batch, however stored", async () => {
    const run = await makeRun(root, kind, options);
    const out = join(root, `${kind}.onnx`);
    const result = await exportRecognizer(run, { out, speech, threads: 1 });
    expect(result).toMatchObject({ withinLimit: true, isolate: true, changed: { changed: 0 } });
    expect(result.changed.of).toBeGreaterThan(2);
    const expected = await Promise.all(speech.map((wave) => ownLogits(run, wave)));
    const file = await openOnnxFile(out, { threads: 1 });
    const longest = Math.max(...speech.map(({ length }) => length)) + 5000;
    const batch = new Float32Array(speech.length * longest).fill(9); // what padding holds is not heard
    for (const [i, wave] of speech.entries()) batch.set(wave, i * longest);
    const together = await file.run({
      waveform: { shape: [speech.length, longest], data: batch },
      lengths: { shape: [speech.length], data: BigInt64Array.from(speech, ({ length }) => BigInt(length)) },
    });
    const width = KINDS[kind].config.outputs;
    for (const [i, wave] of speech.entries()) {
      const alone = await file.run({
        waveform: { shape: [1, wave.length], data: wave },
        lengths: { shape: [1], data: BigInt64Array.of(BigInt(wave.length)) },
      });
      const { shape, logits } = expected[i];
      expect(worst(alone.logits.data as Float32Array, logits)).toBeLessThan(2e-5);
      const from = i * (together.logits.shape.length === 3 ? together.logits.shape[1] : 1) * width;
      const padded = (together.logits.data as Float32Array).subarray(from, from + shape[0] * width);
      expect(worst(padded, logits)).toBeLessThan(2e-5);
      if (kind !== "ic") expect(Number(together.valid_frames.data[i])).toBe(shape[0]);
    }
    await file.dispose();
  });

  test("half and quarter of the size, within the limit and loadable", async () => {
    const run = join(root, `${kind}${"gainDb" in options ? options.gainDb : ""}`);
    const whole = (await readFile(join(root, `${kind}.onnx`))).length;
    for (const [dtype, compact, share] of [
      ["fp16", false, 0.56],
      ["int8", true, 0.5],
    ] as const) {
      const out = join(root, `${kind}-${dtype}.onnx`);
      const { bytes, facts, warnings } = await exportRecognizer(run, { out, dtype, compact, speech, threads: 1 });
      const head = warnings.filter((text) => /^the head.* stays in float16 \(\d\.\d\d MB\)/.test(text));
      expect(head).toHaveLength(dtype === "int8" ? 1 : 0);
      expect(head.join()).toMatch(
        kind === "asr" && dtype === "int8" ? /recurrent weights of its LSTM/ : /^((?!LSTM).)*$/,
      );
      expect(bytes / whole).toBeLessThan(share);
      expect(facts.dtype).toBe(dtype);
      const recognizer = await loadRecognizer(out, { threads: 1 });
      expect(recognizer.facts).toEqual(facts);
      await recognizer.dispose();
    }
  });

  test("file, URL, bytes and run give the same answers", async () => {
    const out = join(root, `${kind}.onnx`);
    const run = join(root, `${kind}${"gainDb" in options ? options.gainDb : ""}`);
    const answers = [];
    for (const model of [run, out, pathToFileURL(out), new Uint8Array(await readFile(out))]) {
      const recognizer = await loadRecognizer(model, { threads: 1 });
      const answer = kind === "ic" ? await recognizer.classify(speech[0]) : await recognizer.transcribe(speech[0]);
      answers.push(
        JSON.parse(JSON.stringify(answer, (_, x) => (typeof x === "number" ? Math.round(1e3 * x) / 1e3 : x))),
      );
      await recognizer.dispose();
    }
    for (const answer of answers.slice(1)) expect(answer).toEqual(answers[0]);
  });
});

test("an evaluation's answers on test are those of its exported file, and its figure goes along", async () => {
  const { folder, optionsFor } = evaluationsIn(join(root, "evaluations"), speechCorpus());
  const run = folder();
  await evaluate(optionsFor(run, { upstream: student }));
  const out = join(root, "evaluated.onnx");
  const { facts } = await exportRecognizer(run, { out, speech, threads: 1 });
  const { metric } = JSON.parse(await readFile(join(run, "result.json"), "utf8"));
  expect(facts.figures).toEqual([{ name: "PER", value: metric.value, on: expect.stringMatching(/, test$/) }]);
  expect(facts.upstream).toBe("student-small-libri");
  const recognizer = await loadRecognizer(out, { threads: 1 });
  for (const { audio, hypothesis } of answersOf(run, "predictions/test.jsonl").slice(0, 3))
    expect((await recognizer.transcribe(audio)).text).toBe(hypothesis);
  await recognizer.dispose();
});

test("what tells voices or turns apart, folds and folders without a head are refused by name", async () => {
  const refused = async (run: string) => {
    const out = join(root, "never.onnx");
    const message = await exportRecognizer(run, { out, speech, threads: 1 }).then(() => "", (error: Error) => `${error.name}: ${error.message}`); // biome-ignore format: one line
    expect(existsSync(out)).toBe(false);
    return message;
  };
  expect(await refused(await makeRun(root, "sd"))).toMatch(/^StillwaveError: .*who speaks when.*not labels/);
  expect(await refused(await makeRun(root, "asv"))).toMatch(/^StillwaveError: .*embeddings of voices.*not labels/);
  await mkdir(join(root, "empty"));
  expect(await refused(join(root, "empty"))).toMatch(/^StillwaveError: .*no head in it; give the folder of a finished run/); // biome-ignore format: one line
  expect(await refused(join(root, "nowhere"))).toMatch(/^StillwaveError: .*no such folder/);
});

test("best/ of a training has its upstream beside its head, wherever the run lies", async () => {
  const run = join(root, "trained");
  await cp(await makeRun(root, "pr"), join(run, "best"), { recursive: true });
  await cp(student, join(run, "best", "upstream"), { recursive: true });
  const head = join(run, "best", "head", "head.json");
  await writeFile(head, (await readFile(head, "utf8")).replace(JSON.stringify(student), '"../upstream"'));
  for (const place of [run, join(run, "best")]) {
    const parts = await openRecognizerParts(place);
    expect(parts.upstream).toBe(join(run, "best", "upstream"));
    expect(parts.facts).toMatchObject({ kind: "ctc", blank: 0, samplesPerFrame: 320, upstream: "trained" });
  }
  const recognizer = await loadRecognizer(run, { threads: 1 });
  expect((await recognizer.transcribe(speech[0])).seconds).toBe(speech[0].length / 16_000);
  await recognizer.dispose();
});

// The library as its users call it: the example of the README on a tiny teacher, types included.
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, describe, expect, expectTypeOf, test, vi } from "vitest";
import { librispeech } from "../../src/data/index.ts";
import {
  distill,
  exportOnnx,
  type HostArray,
  initStudent,
  loadAudio,
  loadUpstream,
  type Model,
  type ModelConfig,
  profile,
  reuseEvery,
  type StepEvent,
  StillwaveError,
  studentConv,
  UsageError,
  writeModelFolder,
} from "../../src/index.ts";
import { createRuntime, type Runtime } from "../../src/runtime/node/index.ts";

const examples = fileURLToPath(new URL("../../examples/", import.meta.url));
const teacherFolder = join(examples, "hubert-small-libri");
const speech = join(examples, "speech");
const utterance = join(speech, "dev/121/121726/121-121726-0005.flac");
const narrow = { conv: studentConv(48).map((layer) => ({ ...layer, channels: Math.min(48, layer.channels) })) };

let root = "";
let teacher: Model;
let runtime: Runtime;
beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), "stillwave-library-"));
  runtime = await createRuntime({ device: "cpu" });
  teacher = await loadUpstream(teacherFolder);
});
afterAll(() => rmSync(root, { recursive: true, force: true }));
afterEach(() => vi.restoreAllMocks());

const small = (seed = 0) =>
  initStudent({ layers: 6, dim: 48, ffnDim: 64, heads: 6, attentionFrom: reuseEvery(2, 6), teacher, seed, ...narrow });

describe("the example", () => {
  test("load, initialise, profile, distil, extract", async () => {
    const table = vi.spyOn(console, "table").mockImplementation(() => {});
    const student = small();
    console.table(profile(student, { seconds: 10 }));
    expect(table).toHaveBeenCalledOnce();
    const before = student.parameters.get("heads.5.weight")!.data.slice();
    const waveform = await loadAudio(utterance);
    const fresh = await student.extract(waveform, { runtime });

    const outDir = join(root, "runs/arm-s");
    const data = librispeech(speech, ["train"]);
    const run = distill({
      teacher,
      student,
      runtime,
      data,
      maskProb: 0.8,
      peakLr: 5e-3,
      steps: 3,
      outDir,
      batchSize: 2,
      recipe: { data: { maxSeconds: 1, workers: 1 } },
    });
    const losses: number[] = [];
    for await (const { step, loss } of run) {
      expect(step).toBe(losses.push(loss.total));
      expect(loss.masked).toBeGreaterThan(0);
      expect(loss.unmasked).toBeGreaterThan(0);
      expect(loss.masked + loss.unmasked).toBeCloseTo(loss.total, 5);
    }
    expect(losses).toHaveLength(3);
    expect(losses.every(Number.isFinite)).toBe(true);

    expect(student.parameters.get("heads.5.weight")!.data).not.toEqual(before);
    const saved = await loadUpstream(join(outDir, "last"));
    for (const [name, { data }] of saved.parameters) expect(student.parameters.get(name)!.data).toEqual(data);
    const { hiddenStates, heads, validFrames } = await student.extract(waveform, { runtime });
    expect(hiddenStates.map(({ shape }) => shape)).toEqual(Array(7).fill([1, validFrames[0], 48]));
    expect(heads[5].shape).toEqual([1, validFrames[0], 192]);
    expect(hiddenStates[6].data).not.toEqual(fresh.hiddenStates[6].data);
    expect(hiddenStates[6].data).toEqual((await saved.extract(waveform, { runtime })).hiddenStates[6].data);

    const again = small(7);
    const done = distill({
      teacher,
      student: again,
      runtime,
      data,
      maskProb: 0.8,
      peakLr: 5e-3,
      steps: 3,
      outDir,
      batchSize: 2,
      recipe: { data: { maxSeconds: 1, workers: 1 } },
      resume: true,
      force: true,
    });
    const kinds: string[] = [];
    for await (const event of done.events()) kinds.push(event.kind);
    expect(kinds.at(-1)).toBe("done");
    expect(again.parameters.get("heads.5.weight")!.data).toEqual(student.parameters.get("heads.5.weight")!.data);
    for (const model of [student, saved, again]) await model.dispose();
  });

  test("leaving the loop early: the student has what it learned, and the run can go on", async () => {
    const student = small();
    const before = student.parameters.get("heads.5.weight")!.data.slice();
    const options = {
      teacher,
      student,
      runtime,
      data: librispeech(speech, ["train"]),
      steps: 3,
      outDir: join(root, "early"),
      batchSize: 1,
      recipe: { data: { maxSeconds: 0.5, workers: 1 } },
    };
    for await (const { step } of distill(options)) if (step === 1) break;
    expect(student.parameters.get("heads.5.weight")!.data).not.toEqual(before);
    const steps: number[] = [];
    for await (const { step } of distill({ ...options, resume: true })) steps.push(step);
    expect(steps).toEqual([2, 3]);
  });
});

describe("models", () => {
  test("one waveform, several, without a runtime of one's own", async () => {
    const waveform = (await loadAudio(utterance)).subarray(0, 16000);
    const shorter = waveform.subarray(0, 9000);
    const single = await teacher.extract(waveform);
    const several = await teacher.extract([waveform, shorter], { isolate: true });
    expect(single.hiddenStates).toHaveLength(7);
    expect(several.validFrames).toEqual([49, 27]);
    const [, time, dim] = several.hiddenStates[6].shape as [number, number, number];
    expect([time, dim]).toEqual([49, 192]);
    for (let i = 0; i < single.hiddenStates[6].data.length; i++)
      expect(Math.abs(several.hiddenStates[6].data[i] - single.hiddenStates[6].data[i])).toBeLessThan(1e-4);
    await teacher.dispose();
    expect((await teacher.extract(waveform)).hiddenStates[6].data).toEqual(single.hiddenStates[6].data);
    await expect(teacher.extract(new Float32Array(10))).rejects.toThrow(UsageError);
  });

  test("a student goes through a model folder, and to ONNX", async () => {
    const student = small(3);
    await writeModelFolder(join(root, "saved"), student);
    expect((await loadUpstream(join(root, "saved"))).config).toEqual(student.config);
    const out = join(root, "student.onnx");
    const { withinLimit } = await exportOnnx(student, {
      out,
      speech: [(await loadAudio(utterance)).subarray(0, 8000)],
    });
    expect([withinLimit, existsSync(out)]).toEqual([true, true]);
  });

  test("unknown places", async () => {
    await expect(loadUpstream("/nonexistent/model")).rejects.toThrow(StillwaveError);
  });
});

describe("fresh students", () => {
  // Totals as published (arXiv:2305.11685 table 1).
  test.each([
    [{ layers: 12, dim: 480, ffnDim: 864, attentionFrom: reuseEvery(2, 12) }, 26_448_448],
    [{ layers: 12, dim: 432, ffnDim: 816, attentionFrom: reuseEvery(2, 12) }, 22_394_080],
    [{ layers: 12, dim: 480, ffnDim: 640 }, 26_635_840],
  ])("%j has the published size by default", (options, total) => {
    const student = initStudent(options);
    expect(profile(student).parameters.total).toBe(total);
    expect(profile(student.config).macs.total).toBe(profile(student).macs.total);
    expect(student.config).toMatchObject({ heads: 12, headDim: 768, reuse: "exact", normFirst: false });
  });

  test("equal seeds give equal weights, others do not", () => {
    const weights = (seed: number) => small(seed).parameters.get("encoder.layers.0.attention.q_proj.weight")!.data;
    expect(weights(1)).toEqual(weights(1));
    expect(weights(1)).not.toEqual(weights(2));
  });

  test("mistakes", () => {
    expect(() => initStudent({ layers: 2, dim: 50, ffnDim: 8 })).toThrow(/dim 50 is not divisible by 12 heads/);
    expect(() => initStudent({ layers: 2, dim: 48, ffnDim: 8, copyConv: true })).toThrow(/give the teacher/);
    expect(() => initStudent({ layers: 2, dim: 48, ffnDim: 8, teacher, copyConv: true })).toThrow(/cannot copy/);
    expect(() => initStudent({ layers: 2, dim: 48, ffnDim: 8, attentionFrom: [0, 2] })).toThrow(/attentionFrom\[1\]/);
  });
});

describe("impossible runs", () => {
  const options = () => ({
    teacher,
    student: small(),
    runtime,
    data: librispeech(speech),
    outDir: join(root, "never"),
    steps: 1,
  });
  test.each<[string, () => unknown, RegExp]>([
    ["mask probability", () => distill({ ...options(), maskProb: 2 }), /^distill: masking\.probability: /],
    ["both lengths", () => distill({ ...options(), epochs: 2 }), /run\.steps: epochs is given too/],
    ["no length", () => distill({ ...options(), steps: undefined }), /give epochs or steps/],
    [
      "heads of another width",
      () => distill({ ...options(), student: initStudent({ layers: 6, dim: 48, ffnDim: 8 }) }),
      /headDim is 768/,
    ],
    [
      "unknown section key",
      () => distill({ ...options(), recipe: { run: { stpes: 3 } as never } }),
      /run\.stpes: unknown key; did you mean "steps"|run\.stpes: unknown key/,
    ],
  ])("%s", (_, call, message) => {
    expect(call).toThrow(message);
    expect(existsSync(join(root, "never"))).toBe(false);
  });

  test("missing data ends the loop with one clear error", async () => {
    const run = distill({ ...options(), data: librispeech("/nonexistent/LibriSpeech") });
    await expect(run[Symbol.asyncIterator]().next()).rejects.toThrow(/\/nonexistent\/LibriSpeech: no such/);
  });
});

test("types", () => {
  expectTypeOf(initStudent).returns.toHaveProperty("config").toEqualTypeOf<ModelConfig>();
  expectTypeOf(loadUpstream).returns.resolves.toExtend<Model>();
  expectTypeOf<Parameters<Model["extract"]>[0]>().toExtend<
    Float32Array | readonly Float32Array[] | { paddedSamples: number }
  >();
  expectTypeOf<Awaited<ReturnType<Model["extract"]>>["hiddenStates"]>().toEqualTypeOf<readonly HostArray[]>();
  type Step = ReturnType<typeof distill> extends AsyncIterable<infer Item> ? Item : never;
  expectTypeOf<Step>().toEqualTypeOf<StepEvent>();
  expectTypeOf<Step["loss"]["total"]>().toBeNumber();
  // @ts-expect-error: a width is needed
  expect(() => initStudent({ layers: 2, ffnDim: 8 })).toThrow();
  // @ts-expect-error: an option that does not exist
  expect(() => distill({ ...({} as never), maskPorb: 0.8 })).toThrow();
});

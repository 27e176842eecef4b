// Extraction to files: the numbers are the model's, runs resume, bad input is reported, batches do not leak where they must not.
import { createHash } from "node:crypto";
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { loadAudio } from "../../src/audio/index.ts";
import { readAllSafetensors } from "../../src/checkpoint/index.ts";
import { UsageError } from "../../src/errors.ts";
import { readNpy } from "../../src/extract/npy.ts";
import { type ExtractEvent, extractFiles } from "../../src/extract/run.ts";
import type { ExtractFilesOptions } from "../../src/extract/settings.ts";
import { frameCount, type ModelConfig, noReuse } from "../../src/models/config.ts";
import { initParameters } from "../../src/models/init.ts";
import { Random } from "../../src/random.ts";
import { createRuntime, type Runtime } from "../../src/runtime/node/index.ts";
import { createModel } from "../../src/upstream/model.ts";
import { concat, fixtureBytes, wav16, wavFile } from "../audio/signals.ts";

const config: ModelConfig = {
  family: "student",
  conv: [
    { channels: 8, kernel: 10, stride: 5 },
    { channels: 12, kernel: 8, stride: 8 },
    { channels: 12, kernel: 4, stride: 8 },
  ],
  convNorm: "group",
  convBias: false,
  featureProjection: false,
  dim: 12,
  layers: 3,
  heads: 3,
  ffnDim: 16,
  posConv: { kernel: 4, groups: 2 },
  normFirst: false,
  normalizeWaveform: false,
  layerNormEps: 1e-5,
  relativePosition: null,
  attentionFrom: [0, 0, 2],
  reuse: "exact",
  frameRule: "conv",
  headDim: 7,
  headLayers: noReuse(3),
};
const model = { config, parameters: initParameters(config, { seed: 4 }) };
const other = { config, parameters: initParameters(config, { seed: 5 }) };

let root = "";
let speech = "";
let runtime: Runtime;
beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), "stillwave-extract-"));
  speech = join(root, "speech");
  mkdirSync(join(speech, "b"), { recursive: true });
  for (let i = 0; i < 5; i++) writeWav(join(speech, `a${i}.wav`), 4000 + 1733 * i);
  for (let i = 0; i < 2; i++) writeWav(join(speech, "b", `a${i}.wav`), 9000 + 1001 * i);
  runtime = await createRuntime({ threads: 1 });
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

function writeWav(path: string, samples: number, seed = samples): void {
  const random = new Random(seed, "wav");
  writeFileSync(path, wav16(Array.from({ length: samples }, () => Math.round(3000 * random.normal()) / 32768)));
}

let folders = 0;
const fresh = () => join(root, `out${folders++}`);

async function run(outDir: string, options: Partial<ExtractFilesOptions> = {}): Promise<ExtractEvent[]> {
  const events: ExtractEvent[] = [];
  const all = { model, runtime, inputs: [speech], outDir, workers: 0, ...options };
  for await (const event of extractFiles(all)) events.push(event);
  return events;
}

const files = (folder: string) =>
  (readdirSync(folder, { recursive: true, encoding: "utf8" }) as string[])
    .filter((name) => /\.(npy|safetensors)$/.test(name))
    .sort();
const hashes = (folder: string) =>
  files(folder).map(
    (name) =>
      `${name} ${createHash("sha256")
        .update(readFileSync(join(folder, name)))
        .digest("hex")}`,
  );
const manifestOf = (folder: string) =>
  readFileSync(join(folder, "manifest.jsonl"), "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
const endOf = (events: ExtractEvent[]) => events.at(-1) as Extract<ExtractEvent, { kind: "done" | "interrupted" }>;

describe("numbers", () => {
  test("one at a time: exactly the model's hidden states of each file", async () => {
    const outDir = fresh();
    const end = endOf(await run(outDir, { batchSeconds: 0 }));
    expect(end).toMatchObject({ kind: "done", written: 7, skipped: 0, badFiles: [] });
    expect(files(outDir)).toEqual([0, 1, 2, 3, 4].map((i) => `a${i}.npy`).concat(["b/a0.npy", "b/a1.npy"]));
    const upstream = createModel(model, runtime);
    for (const record of manifestOf(outDir)) {
      const out = await upstream.extract(await loadAudio(record.path));
      const frames = frameCount(config.conv, record.samples);
      expect(record).toMatchObject({
        frames,
        dim: 12,
        layers: [0, 1, 2, 3],
        dtype: "float32",
        file: `${record.id}.npy`,
      });
      const { shape, data } = await readNpy(join(outDir, record.file));
      expect(shape).toEqual([4, frames, 12]);
      const expected = out.hiddenStates.flatMap((state) => [...state.data]);
      expect([...data]).toEqual(expected);
    }
    await upstream.dispose();
  });

  test("batches side by side on threads: the same files, written in the same order, whatever fails among them", async () => {
    const folder = join(root, "lanes");
    mkdirSync(folder);
    for (let i = 0; i < 9; i++) writeWav(join(folder, `a${i}.wav`), 16000 + 1733 * ((5 * i) % 9));
    const loud = Float32Array.from({ length: 20000 }, (_, i) => Math.sin(i / 7) * 1e38);
    writeFileSync(join(folder, "huge.wav"), wavFile({ code: 3, bits: 32, data: new Uint8Array(loud.buffer) }));
    const [one, many] = [fresh(), fresh()];
    const options = { inputs: [folder], batchSeconds: 2, onBadFile: "skip" } as const;
    const order = (events: ExtractEvent[]) =>
      events.flatMap((event) => (event.kind === "file" ? event.record.id : event.kind === "note" ? event.text : []));
    const alone = await run(one, options);
    const threaded = await createRuntime({ threads: 3 });
    expect(threaded.threads).toBe(3);
    const beside = await run(many, { ...options, runtime: threaded, workers: 1 });
    expect(order(beside)).toEqual(order(alone));
    expect(order(beside).filter((text) => text.startsWith("a"))).toHaveLength(9);
    expect(order(beside).filter((text) => /huge\.wav: layer 0 holds NaN/.test(text))).toHaveLength(1);
    expect(hashes(many)).toEqual(hashes(one));
    expect(endOf(beside)).toMatchObject({ kind: "done", written: 9, skipped: 0 });
    const stop = run(fresh(), { ...options, runtime: threaded, onBadFile: "stop" });
    await expect(stop).rejects.toThrow(/huge\.wav: layer 0 holds NaN/);
    const only = run(fresh(), { ...options, inputs: [join(folder, "huge.wav")] });
    await expect(only).rejects.toThrow(/none of the files can be used\n.*huge\.wav: layer 0 holds NaN/);
  });

  test("parts of a file that a list names: the states of these samples, made again when the part changes", async () => {
    const [path, outDir] = [join(speech, "a4.wav"), fresh()];
    const list = join(root, "parts.csv");
    const write = (end: number) =>
      writeFileSync(list, `audio_filepath,start_frame,end_frame\n${path},100,4100\n${path},4100,${end}\n`);
    write(9000);
    await run(outDir, { inputs: [list], batchSeconds: 0 });
    const wave = await loadAudio(path);
    const upstream = createModel(model, runtime);
    const records = manifestOf(outDir);
    expect(records.map(({ id, segment }) => [id, segment.start, segment.samples])).toEqual([
      ["a4_s000100-s004100", 100, 4000],
      ["a4_s004100-s009000", 4100, 4900],
    ]);
    for (const { file, segment } of records) {
      const out = await upstream.extract(wave.subarray(segment.start, segment.start + segment.samples));
      expect([...(await readNpy(join(outDir, file))).data]).toEqual(
        out.hiddenStates.flatMap((state) => [...state.data]),
      );
    }
    await upstream.dispose();
    const named = (start: number) =>
      writeFileSync(list, `{"path":"${path}","id":"x","start_frame":${start},"num_frames":4000}\n`);
    const again = fresh();
    const ends: [number, number][] = [];
    for (const start of [0, 0, 1]) {
      named(start);
      const { written, skipped } = endOf(await run(again, { inputs: [list] }));
      ends.push([written, skipped]);
    }
    expect(ends).toEqual([
      [1, 0],
      [0, 1],
      [1, 0],
    ]);
    expect(manifestOf(again)[0].segment).toEqual({ start: 1, samples: 4000, sampleRateHz: 16000 });
  });

  test("lists are told by their content: Kaldi folders, names without an extension", async () => {
    const folder = join(root, "kaldi");
    mkdirSync(folder);
    writeFileSync(join(folder, "wav.scp"), `u1 ${join(speech, "a0.wav")}\n`);
    writeFileSync(join(root, "list"), `path\n${join(speech, "a1.wav")}\n`);
    const outDir = fresh();
    await run(outDir, { inputs: [folder, join(root, "list")] });
    expect(files(outDir)).toEqual(["a1.npy", "u1.npy"]);
    writeFileSync(join(folder, "wav.scp"), "u1 sox x.wav -t wav - |\n");
    await expect(run(fresh(), { inputs: [folder] })).rejects.toThrow(/wav\.scp:1: a command .* never run/);
  });

  test("batched: padded frames are cut, --isolate gives the numbers of a file alone", async () => {
    const [alone, isolated, padded] = [fresh(), fresh(), fresh()];
    await run(alone, { batchSeconds: 0 });
    const quiet = await run(isolated, { isolate: true });
    expect(quiet.filter(({ kind }) => kind === "note")).toEqual([]);
    const noted = await run(padded);
    expect(noted.find(({ kind }) => kind === "note")).toMatchObject({
      text: expect.stringMatching(/GroupNorm sees the padding/),
    });
    let largest = 0;
    for (const name of files(alone)) {
      const [a, b, c] = await Promise.all([alone, isolated, padded].map((folder) => readNpy(join(folder, name))));
      expect(b!.shape).toEqual(a!.shape);
      expect(c!.shape).toEqual(a!.shape);
      for (let i = 0; i < a!.data.length; i++) {
        expect(Math.abs(a!.data[i] - b!.data[i])).toBeLessThan(1e-4);
        largest = Math.max(largest, Math.abs(a!.data[i] - c!.data[i]));
      }
    }
    expect(largest).toBeGreaterThan(1e-4);
  });

  test("chosen layers and heads, safetensors, float16", async () => {
    const [whole, layers, heads] = [fresh(), fresh(), fresh()];
    await run(whole);
    await run(layers, { layers: [3, 1], format: "safetensors" });
    await run(heads, { heads: true, format: "safetensors", dtype: "float16" });
    for (const { file, id, frames } of manifestOf(layers)) {
      const named = await readAllSafetensors(join(layers, file));
      const all = await readNpy(join(whole, `${id}.npy`));
      expect([...named.keys()]).toEqual(["layer.1", "layer.3"]);
      const size = frames * 12;
      expect([...named.get("layer.3")!.data]).toEqual([...all.data.subarray(3 * size, 4 * size)]);
      const headStates = await readAllSafetensors(join(heads, file));
      expect([...headStates].map(([name, { shape }]) => [name, ...shape])).toEqual(
        [1, 2, 3].map((i) => [`head.${i}`, frames, 7]),
      );
    }
  });

  test("official reuse takes utterances one at a time unless told otherwise", async () => {
    const official = { ...model, config: { ...config, reuse: "official" as const } };
    const [one, same, together] = [fresh(), fresh(), fresh()];
    await run(one, { model: official });
    await run(same, { model: official, batchSeconds: 0 });
    const events = await run(together, { model: official, batchSeconds: 30, isolate: true });
    expect(hashes(one)).toEqual(hashes(same));
    expect(events.find(({ kind }) => kind === "note")).toMatchObject({
      text: expect.stringMatching(/mixes the attention maps/),
    });
  });
});

describe("going on", () => {
  test("interrupted after any file: the files end up identical, and finished ones are not made again", async () => {
    const whole = fresh();
    await run(whole, { batchSeconds: 1.5 });
    for (const stopAfter of [1, 2, 4]) {
      const outDir = fresh();
      const stop = new AbortController();
      const events: ExtractEvent[] = [];
      const options = { model, runtime, inputs: [speech], outDir, workers: 0, batchSeconds: 1.5, signal: stop.signal };
      for await (const event of extractFiles(options)) {
        events.push(event);
        if (event.kind === "file" && event.done === stopAfter) stop.abort();
      }
      const { kind, written } = endOf(events);
      expect(kind).toBe("interrupted");
      expect(written).toBeGreaterThanOrEqual(stopAfter);
      expect(written).toBeLessThan(7);
      const kept = files(outDir).map((name) => statSync(join(outDir, name)).mtimeMs);
      const names = files(outDir);
      appendFileSync(join(outDir, "manifest.jsonl"), '{"id": "torn');
      const again = endOf(await run(outDir, { batchSeconds: 1.5 }));
      expect(again).toMatchObject({ kind: "done", written: 7 - written, skipped: written });
      expect(hashes(outDir)).toEqual(hashes(whole));
      expect(names.map((name) => statSync(join(outDir, name)).mtimeMs)).toEqual(kept);
      expect(manifestOf(outDir).map(({ id }) => id)).toEqual(manifestOf(whole).map(({ id }) => id));
    }
  });

  test("leaving the loop early loses nothing that was written", async () => {
    const outDir = fresh();
    for await (const event of extractFiles({ model, runtime, inputs: [speech], outDir, workers: 0, batchSeconds: 0 }))
      if (event.kind === "file") break;
    expect(manifestOf(outDir)).toHaveLength(1);
    expect(endOf(await run(outDir, { batchSeconds: 0 }))).toMatchObject({ written: 6, skipped: 1 });
  });

  test("changed audio, a damaged or a missing file are done again; by force all that was made otherwise", async () => {
    const outDir = fresh();
    const folder = join(root, "changing");
    mkdirSync(folder);
    for (const i of [1, 2, 3]) writeWav(join(folder, `${i}.wav`), 3000 * i);
    const inputs = [folder];
    const again = async (options: Partial<ExtractFilesOptions> = {}) => {
      const { written, skipped } = endOf(await run(outDir, { inputs, batchSeconds: 0, ...options }));
      return [written, skipped];
    };
    expect(await again()).toEqual([3, 0]);
    expect(await again()).toEqual([0, 3]);
    const force = true;
    expect(await again({ force })).toEqual([0, 3]);
    expect(await again({ layers: [1], force })).toEqual([3, 0]);
    expect(await again({ force })).toEqual([3, 0]);
    expect(await again({ model: other, force })).toEqual([3, 0]);
    expect(await again({ force })).toEqual([3, 0]);
    writeWav(join(folder, "1.wav"), 3000, 99);
    utimesSync(join(folder, "1.wav"), 1e9, 1e9);
    expect(await again()).toEqual([1, 2]);
    writeFileSync(join(outDir, "2.npy"), "short");
    expect(await again()).toEqual([1, 2]);
    rmSync(join(outDir, "3.npy"));
    expect(await again()).toEqual([1, 2]);
    expect(readdirSync(outDir).filter((name) => name.includes(".tmp"))).toEqual([]);
  });
});

describe("a folder that holds something else", () => {
  test.each<[Partial<ExtractFilesOptions>, RegExp]>([
    [{ layers: [1] }, /made otherwise: layers 0,1,2,3 \(now 1\); .*--force/],
    [{ heads: true }, /heads false \(now true\)/],
    [{ dtype: "float16" }, /: dtype float32 \(now float16\);/],
    [{ format: "safetensors" }, /: format npy \(now safetensors\);/],
    [{ batchSeconds: 1 }, /: batch-seconds 60 \(now 1\);/],
    [{ isolate: true }, /: isolate false \(now true\);/],
    [{ model: other }, /made otherwise: another model; .*--force .*start over/],
  ])("features made otherwise (case %#): refused, and nothing changes", async (options, message) => {
    const outDir = fresh();
    await run(outDir);
    const [before, manifest] = [hashes(outDir), readFileSync(join(outDir, "manifest.jsonl"), "utf8")];
    const attempt = run(outDir, options);
    await expect(attempt).rejects.toThrow(UsageError);
    await expect(attempt).rejects.toThrow(message);
    expect([hashes(outDir), readFileSync(join(outDir, "manifest.jsonl"), "utf8")]).toEqual([before, manifest]);
    const forced = fresh();
    await run(forced, options);
    expect(endOf(await run(outDir, { ...options, force: true }))).toMatchObject({ written: 7, skipped: 0 });
    expect(hashes(outDir)).toEqual(hashes(forced));
  });

  test("files that extract did not write are replaced by force only", async () => {
    const outDir = fresh();
    mkdirSync(outDir);
    writeFileSync(join(outDir, "a1.npy"), "mine");
    const attempt = run(outDir);
    await expect(attempt).rejects.toThrow(UsageError);
    await expect(attempt).rejects.toThrow(/a1\.npy: there already, and not written by extract; .*--force/);
    expect(readdirSync(outDir)).toEqual(["a1.npy"]);
    expect(readFileSync(join(outDir, "a1.npy"), "utf8")).toBe("mine");
    expect(endOf(await run(outDir, { force: true }))).toMatchObject({ written: 7 });
    rmSync(join(outDir, "a2.npy"));
    mkdirSync(join(outDir, "a2.npy"));
    await expect(run(outDir, { force: true })).rejects.toThrow(/a2\.npy: is a folder/);
  });

  test("a file that a killed run wrote before its line is its own", async () => {
    const outDir = fresh();
    await run(outDir, { batchSeconds: 0 });
    const path = join(outDir, "manifest.jsonl");
    const text = readFileSync(path, "utf8").split("\n");
    writeFileSync(path, `${text.slice(1).join("\n")}{"writing":"a0.npy"}\n`);
    expect(endOf(await run(outDir, { batchSeconds: 0 }))).toMatchObject({ written: 1, skipped: 6 });
    expect(readFileSync(path, "utf8")).not.toContain("writing");
    writeFileSync(path, text.slice(1).join("\n"));
    await expect(run(outDir, { batchSeconds: 0 })).rejects.toThrow(/a0\.npy: there already/);
  });
});

describe("bad input", () => {
  test("bad files: all named under stop, left out and counted under skip", async () => {
    const folder = join(root, "bad");
    mkdirSync(folder);
    writeWav(join(folder, "good.wav"), 6000);
    writeWav(join(folder, "short.wav"), 50);
    writeFileSync(join(folder, "empty.flac"), "");
    writeFileSync(join(folder, "text.mp3"), "not audio at all");
    const outDir = fresh();
    await expect(run(outDir, { inputs: [folder] })).rejects.toThrow(
      /3 of 4 audio files[\s\S]*empty\.flac[\s\S]*short\.wav[\s\S]*text\.mp3/,
    );
    expect(existsSync(outDir)).toBe(false);
    const end = endOf(await run(outDir, { inputs: [folder], onBadFile: "skip" }));
    expect(end).toMatchObject({ kind: "done", written: 1 });
    expect(end.badFiles.map(({ path }) => path.replace(/.*\//, ""))).toEqual(["empty.flac", "short.wav", "text.mp3"]);
    await expect(run(fresh(), { inputs: [join(folder, "empty.flac")] })).rejects.toThrow(/empty\.flac/);
  });

  test("files that are not quite whole are used, with a note", async () => {
    const folder = join(root, "odd");
    mkdirSync(folder);
    for (const name of ["a.ogg", "b.ogg"])
      writeFileSync(join(folder, name), concat(fixtureBytes("speech.ogg"), new Uint8Array(64)));
    const what = "64 bytes behind its last Ogg page are not read";
    const notes = (events: ExtractEvent[]) => events.flatMap((event) => (event.kind === "note" ? event.text : []));
    const [a, b] = [join(folder, "a.ogg"), join(folder, "b.ogg")];
    const whole = await run(fresh(), { inputs: [folder] });
    expect(notes(whole)).toContain(`2 files are not quite whole, first ${a}: ${what}`);
    expect(endOf(whole)).toMatchObject({ kind: "done", written: 2 });
    expect(notes(await run(fresh(), { inputs: [b] }))).toContain(`${b}: ${what}`);
  });

  test("files that would be written to one place, or out of the folder", async () => {
    const [a, b] = [join(root, "one", "x"), join(root, "two", "x")];
    for (const folder of [a, b]) {
      mkdirSync(folder, { recursive: true });
      writeWav(join(folder, "same.wav"), 5000);
    }
    await expect(run(fresh(), { inputs: [a, b] })).rejects.toThrow(/would both be written as "x\/same"/);
    const list = join(root, "list.jsonl");
    writeFileSync(list, `${JSON.stringify({ id: "../../evil", path: join(a, "same.wav") })}\n`);
    await expect(run(fresh(), { inputs: [list] })).rejects.toThrow(/"\.\.\/\.\.\/evil" cannot name an output file/);
    expect(files(root).filter((name) => name.includes("evil"))).toEqual([]);
  });

  test("somebody else's manifest is not replaced", async () => {
    const outDir = fresh();
    mkdirSync(outDir);
    const own = '{"id": "a", "path": "a.wav"}\n{"id": "b", "path": "b.wav"}\n';
    writeFileSync(join(outDir, "manifest.jsonl"), own);
    await expect(run(outDir)).rejects.toThrow(/manifest\.jsonl: not written by extract/);
    expect(readFileSync(join(outDir, "manifest.jsonl"), "utf8")).toBe(own);
    expect(readdirSync(outDir)).toEqual(["manifest.jsonl"]);
  });

  test("values that float16 cannot hold, and values that are no numbers", async () => {
    const large = { config, parameters: initParameters(config, { seed: 4 }) };
    large.parameters.get("heads.2.bias")!.data[0] = 1e6;
    const options = { model: large, heads: true } as const;
    await expect(run(fresh(), { ...options, dtype: "float16" })).rejects.toThrow(/layer 3 holds .*beyond float16/);
    await run(fresh(), options);
    large.parameters.get("heads.2.bias")!.data[0] = Number.NaN;
    await expect(run(fresh(), options)).rejects.toThrow(/layer 3 holds NaN/);
  });

  test.each<[Partial<ExtractFilesOptions>, RegExp]>([
    [{ layers: [4] }, /no hidden state 4; valid: 0, 1, 2, 3/],
    [{ layers: [0], heads: true }, /no head 0; valid: 1, 2, 3/],
    [{ layers: [] }, /name at least one/],
    [{ layers: [2, 1, 2] }, /layers: 2 is named twice in 2,1,2/],
    [{ layers: [1, 1], heads: true }, /layers: 1 is named twice/],
    [{ batchSeconds: -1 }, /0 or more/],
    [{ format: "csv" as never }, /valid: npy, safetensors/],
    [{ inputs: [] }, /at least one audio file/],
    [{ inputs: ["/nonexistent/x.wav"] }, /no such file or folder/],
  ])("%j", async (options, message) => {
    await expect(run(fresh(), options)).rejects.toThrow(message);
    if (options.layers) await expect(run(fresh(), options)).rejects.toThrow(UsageError);
  });
});

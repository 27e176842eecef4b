// Kept speech: the same samples, bit for bit, as decoding gives, from memory and from disk; what is bounded, told and refused.
import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { floatsOf, writeShorts } from "../../src/data/batch.ts";
import { openCorpus, planEpoch, prefetchBatches, type Utterance } from "../../src/data/index.ts";
import { keptPath, readKept, writeKept } from "../../src/data/kept/file.ts";
import { type KeepMode, type KeepOptions, openKept } from "../../src/data/kept/kept-speech.ts";
import { looseMemory } from "../../src/memory.ts";
import { sine, wav16, wavFile } from "../audio/signals.ts";
import { corpusOf, fixture, temporaryFolder } from "./corpora.ts";

const bits = (samples: ArrayBufferView) =>
  createHash("sha256")
    .update(new Uint8Array(samples.buffer, samples.byteOffset, samples.byteLength))
    .digest("hex");
const float32 = (values: readonly number[]) => new Uint8Array(Float32Array.from(values).buffer);

const fixtures = [
  "mono-8bit.flac", "stereo-16bit.flac", "stereo-24bit.flac", "opus-celt.opus", "opus-silk.opus", "opus-six.opus",
  "opus-stereo.opus", "pages.opus", "speech.wav", "speech.oga", "speech.ogg", "speech.mp3", "speech.m4a",
]; // biome-ignore format: a list
const s24 = (samples: number) => Uint8Array.from({ length: 3 * samples }, (_, i) => (i * 31) % 251);
/** Ids are names without their endings. */
const nameOf = (name: string) =>
  `${name.slice(0, name.lastIndexOf("."))}-${name.slice(name.lastIndexOf(".") + 1)}${name.slice(name.lastIndexOf("."))}`;
const files = () =>
  corpusOf({
    ...Object.fromEntries(fixtures.map((name) => [nameOf(name), new Uint8Array(readFileSync(fixture(name)))])),
    "wav16.wav": 20_000,
    "loudest.wav": wavFile({ bits: 16, data: new Uint8Array(Int16Array.from({ length: 8000 }, (_, i) => (i % 2 ? 32767 : -32768)).buffer) }),
    "wav24.wav": wavFile({ bits: 24, data: s24(9000) }),
    "wav48.wav": wav16(sine(440, 48_000, 60_000), 48_000),
    "negative-zero.wav": wavFile({ code: 3, bits: 32, data: float32(Array.from({ length: 5000 }, (_, i) => (i % 7 ? i / 32768 : -0))) }),
    "clipping.wav": wavFile({ code: 3, bits: 32, data: float32(Array.from({ length: 5000 }, (_, i) => (i % 5 ? 0.25 : 1))) }),
    "mulaw.wav": wavFile({ code: 7, bits: 8, data: Uint8Array.from({ length: 7000 }, (_, i) => i % 256) }),
  }); // biome-ignore format: a list
const SHORTS = ["mono-8bit-flac", "speech-wav", "wav16", "loudest"];

/** All of the files, and parts of some. */
async function everything() {
  const root = files();
  const whole = await openCorpus({ kind: "folder", path: root }, { onBadFile: "stop", workers: 0 });
  const rows = [
    "wav16.wav",
    "wav48.wav",
    "wav24.wav",
    "speech-oga.oga",
    "opus-celt-opus.opus",
    "speech-mp3.mp3",
  ].flatMap((path, i) => [
    { id: `part-${i}`, path, start: 0.05, end: 0.21 + i / 100 },
    { id: `other-${i}`, path, start: 0.15, end: 0.3 },
  ]);
  writeFileSync(join(root, "parts.jsonl"), rows.map((row) => JSON.stringify(row)).join("\n"));
  const parts = await openCorpus({ path: join(root, "parts.jsonl") }, { onBadFile: "stop", workers: 0 });
  return { root, utterances: [...whole.utterances, ...parts.utterances] };
}

const options = { batchSize: 3, maxSeconds: 0.4, seed: 5, shuffle: true } as const;

async function read(
  utterances: readonly Utterance[],
  epoch: number,
  kept: Awaited<ReturnType<typeof openKept>>,
  workers = 0,
) {
  const plan = planEpoch({ utterances }, { ...options, epoch });
  const seen: unknown[] = [];
  for await (const { batch } of prefetchBatches(plan, { workers, onBadFile: "stop", kept })) {
    const { ids, samples, paddedSamples, pcm, wave } = batch;
    seen.push({ ids, samples, paddedSamples, hasShorts: pcm !== undefined, wave: bits(wave) });
    if (pcm) expect(bits(floatsOf(pcm))).toBe(bits(wave));
  }
  return seen;
}

const open = (utterances: KeepOptions["speech"], mode: KeepMode, change: Partial<KeepOptions> = {}) => {
  const notes: string[] = [];
  const folder = change.folder ?? temporaryFolder();
  const onNote = (text: string) => void notes.push(text);
  return openKept({ mode, speech: utterances, folder, onNote, ...change }).then((kept) => ({ kept, notes, folder }));
};

describe("kept speech is decoded speech", () => {
  test.each([
    ["memory", 0],
    ["memory", 2],
    ["disk", 0],
    ["disk", 2],
  ] as const)("%s, %d threads: every format, whole and in parts, cropped anew each epoch", async (mode, workers) => {
    const { root, utterances } = await everything();
    for (const { path } of utterances) utimesSync(path, 1000, 1000);
    const expected = [await read(utterances, 0, undefined), await read(utterances, 1, undefined)];
    const { kept, folder } = await open(utterances, mode);
    expect(await read(utterances, 0, kept, workers)).toEqual(expected[0]);
    // what was kept is what is read: the files hold something else now
    for (const { path } of utterances) {
      writeFileSync(path, new Uint8Array(statSync(path).size));
      utimesSync(path, 1000, 1000);
    }
    expect(await read(utterances, 1, kept, workers)).toEqual(expected[1]);
    expect(await read(utterances, 0, kept, 0)).toEqual(expected[0]);
    kept?.close();
    if (mode === "memory") return;
    // a later run goes on with what is there
    const later = await open(utterances, "disk", { folder });
    expect(later.notes.join()).toMatch(/(\d+) of \1 utterances are there/);
    expect(await read(utterances, 1, later.kept, workers)).toEqual(expected[1]);
    rmSync(root, { recursive: true });
  });

  test("16-bit samples are handed over as such, where all of a batch are", async () => {
    const { utterances } = await everything();
    const plan = planEpoch({ utterances }, { batchSize: 1, seed: 1, epoch: 0, shuffle: false });
    const shorts: string[] = [];
    for await (const { batch } of prefetchBatches(plan, { workers: 0, onBadFile: "stop" }))
      if (batch.pcm) shorts.push(batch.ids[0]);
    const names = new Set(shorts.map((id) => id.replace(/^.*\//, "").replace(/\..*$/, "")));
    for (const name of SHORTS) expect(names).toContain(name);
    // of mu-law, code 127 is a negative zero
    for (const name of ["mulaw", "wav24", "wav48", "negative-zero", "clipping", "opus-celt-opus"])
      expect(names).not.toContain(name);
    const mixed = planEpoch(
      { utterances: utterances.filter(({ id }) => /wav16|wav24/.test(id)) },
      { batchSize: 9, seed: 1, epoch: 0, shuffle: false },
    );
    for await (const { batch } of prefetchBatches(mixed, { workers: 0, onBadFile: "stop" }))
      expect(batch.pcm).toBeUndefined();
  });

  test("floats that are 16-bit samples come back bit for bit, others are told apart", () => {
    const anyFloat = fc.oneof(
      fc.integer({ min: -32768, max: 32767 }).map((k) => k / 32768),
      fc.float({ noNaN: true }),
      fc.constantFrom(-0, 1, -1, 1 - 2 ** -24, 2 ** -16, 32768, 65536 / 32768, 2 ** 40),
    );
    fc.assert(
      fc.property(fc.array(anyFloat, { maxLength: 30 }), (values) => {
        const floats = Float32Array.from(values);
        const shorts = new Int16Array(floats.length);
        const areShorts = values.every((x) => {
          const k = Math.fround(x) * 32768;
          return Number.isInteger(k) && k >= -32768 && k <= 32767 && !Object.is(k, -0);
        });
        expect(writeShorts(floats, shorts)).toBe(areShorts);
        if (areShorts) expect(bits(floatsOf(shorts))).toBe(bits(floats));
      }),
      { numRuns: 500, seed: 8 },
    );
    const all = Int16Array.from({ length: 65_536 }, (_, i) => i - 32768);
    const back = new Int16Array(65_536);
    expect(writeShorts(floatsOf(all), back)).toBe(true);
    expect(back).toEqual(all);
  });
});

describe("in memory", () => {
  const speech = [{ path: "/a.wav", samples: 500_000 }];

  test("auto where 16 bits of all of it fit a quarter of what is free; memory three quarters, or an error", async () => {
    expect((await open(speech, "auto", { freeBytes: 4_000_000 })).kept).toBeDefined();
    const { kept, notes } = await open(speech, "auto", { freeBytes: 3_999_996 });
    expect(kept).toBeUndefined();
    expect(notes).toEqual([
      "speech is decoded anew in every epoch: kept, it would take at least 1 MiB, more than a quarter of the 4 MiB of free memory; data.keepDecoded: disk keeps it in files",
    ]);
    expect((await open(speech, "none", { freeBytes: 1e12 })).kept).toBeUndefined();
    expect((await open(speech, "memory", { freeBytes: 1_333_336 })).kept).toBeDefined();
    await expect(open([{ path: "/a.wav", samples: 2e9 }], "memory", { freeBytes: 4e9 })).rejects.toThrow(
      /^data\.keepDecoded: decoded, the speech takes at least 3\.7 GiB and 2\.8 GiB of 3\.7 GiB free memory may be used; set it to disk, auto or none$/,
    );
    expect((await open(speech, "auto")).kept).toBeDefined();
  });

  test("where samples have more than 16 bits, as many are kept as fit: told once, and numbers stay", async () => {
    const root = corpusOf(
      Object.fromEntries(Array.from({ length: 6 }, (_, i) => [`${i}.wav`, wavFile({ bits: 24, data: s24(4000 + i) })])),
    );
    const { utterances } = await openCorpus({ path: root }, { onBadFile: "stop" });
    const { kept, notes } = await open(utterances, "auto", { freeBytes: 4 * 2 * 24_020 });
    const expected = await read(utterances, 0, undefined);
    expect(await read(utterances, 0, kept)).toEqual(expected);
    expect(await read(utterances, 0, kept, 1)).toEqual(expected);
    expect(notes).toHaveLength(1);
    expect(notes[0]).toMatch(/^3 of 6 utterances are kept decoded: .* decoded again in every epoch$/);
    // three of 4,000 to 4,005 samples
    expect(kept?.heldBytes).toBeGreaterThanOrEqual(4 * 12_003);
    expect(kept?.heldBytes).toBeLessThanOrEqual(4 * 12_012);
    kept?.close();
    expect(kept?.heldBytes).toBe(0);
  });

  test("what is held is not taken for memory that grows", async () => {
    const root = corpusOf({ "a.wav": 400_000, "b.wav": 800_000 });
    const { utterances } = await openCorpus({ path: root }, { onBadFile: "stop" });
    const { kept } = await open(utterances, "memory");
    const plan = planEpoch({ utterances }, { batchSize: 2, seed: 1, epoch: 0, shuffle: false });
    for await (const _ of prefetchBatches(plan, { workers: 1, onBadFile: "stop", kept }));
    expect(kept?.heldBytes).toBe(2 * 1_200_000);
    const difference = process.memoryUsage.rss() - looseMemory();
    kept?.close();
    expect(difference - (process.memoryUsage.rss() - looseMemory())).toBe(2_400_000);
  });
});

describe("on disk", () => {
  const opened = async () => {
    const root = corpusOf({ "a.wav": 4000, "b.wav": 5000 });
    const { utterances } = await openCorpus({ path: root }, { onBadFile: "stop" });
    return { root, utterances };
  };

  test("its size is told before, and too much of it is an error before", async () => {
    const { utterances } = await opened();
    const { notes, folder } = await open(utterances, "disk", { freeBytes: 18_000 });
    expect(notes).toEqual([
      `decoded speech is kept in ${folder}: 1 MiB where its samples have 16 bits, 1 MiB otherwise; it may be removed after the run`,
    ]);
    await expect(open(utterances, "disk", { freeBytes: 17_999 })).rejects.toThrow(
      /: decoded speech needs 1 MiB and 1 MiB are free; make room, set STILLWAVE_CACHE to a folder on another disk, or data\.keepDecoded to none$/,
    );
  });

  test("a recording that changed, and a file that is damaged, torn or of another kind, are decoded again", async () => {
    const { utterances } = await opened();
    const { kept, folder } = await open(utterances, "disk");
    const expected = await read(utterances, 0, kept);
    const path = keptPath(folder, utterances[0]);
    const good = readFileSync(path);
    const damage = [
      (bytes: Buffer) => bytes.subarray(0, 100),
      (bytes: Buffer) => bytes.subarray(0, 0),
      (bytes: Buffer) => Buffer.concat([bytes, Buffer.alloc(2)]),
      (bytes: Buffer) => bytes.fill(0, 0, 4),
      (bytes: Buffer) => bytes.fill(1, 200, 201),
      (bytes: Buffer) => bytes.fill(4, 20, 21),
    ];
    for (const change of damage) {
      writeFileSync(path, change(Buffer.from(good)));
      expect(await read(utterances, 0, kept)).toEqual(expected);
      expect(readFileSync(path).equals(good)).toBe(true);
    }
    utimesSync(utterances[0].path, 1, 1);
    expect(await readKept(folder, { ...utterances[0], fileSamples: 4000 })).toBeUndefined();
    expect(await read(utterances, 0, kept)).toEqual(expected);
    writeFileSync(utterances[0].path, wav16(sine(99, 16_000, 4000)));
    utimesSync(utterances[0].path, 2, 2);
    expect(await read(utterances, 0, kept)).not.toEqual(expected);
  });

  test("whatever a kept file holds: its samples, or none", async () => {
    const { utterances } = await opened();
    const folder = temporaryFolder();
    const item = { ...utterances[0], fileSamples: 3 };
    const path = keptPath(folder, item);
    await writeKept(folder, item, Int16Array.of(1, -2, 3));
    const good = readFileSync(path);
    expect(await readKept(folder, item)).toEqual(Int16Array.of(1, -2, 3));
    await writeKept(folder, item, Float32Array.of(0.1, -0, 3));
    expect(await readKept(folder, item)).toEqual(Float32Array.of(0.1, -0, 3));
    const anyBytes = fc.oneof(
      fc.uint8Array({ maxLength: 120 }),
      fc.tuple(fc.nat(good.length - 1), fc.nat(255)).map(([at, value]) => good.with(at, value)),
    );
    await fc.assert(
      fc.asyncProperty(anyBytes, async (bytes) => {
        writeFileSync(path, bytes);
        const samples = await readKept(folder, item);
        if (samples) expect(bytes).toEqual(Uint8Array.from(good));
      }),
      { numRuns: 150, seed: 2 },
    );
  });

  test("a disk that refuses is told once, and training goes on decoding", async () => {
    const { utterances } = await opened();
    const { kept, notes, folder } = await open(utterances, "disk");
    for (const one of utterances) {
      mkdirSync(folder, { recursive: true });
      writeFileSync(dirname(keptPath(folder, one)), "in the way");
    }
    const expected = await read(utterances, 0, undefined);
    expect(await read(utterances, 0, kept)).toEqual(expected);
    expect(await read(utterances, 0, kept, 1)).toEqual(expected);
    expect(notes.slice(1)).toHaveLength(1);
    expect(notes[1]).toMatch(/^decoded speech is not kept any more: .*a file, where a folder is needed/);
    expect(readdirSync(folder).every((name) => statSync(join(folder, name)).isFile())).toBe(true);
  });
});

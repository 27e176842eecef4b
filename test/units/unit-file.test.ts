// Files of units: whole, for parts of utterances, and every way in which a file can be something else.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { StillwaveError } from "../../src/errors.ts";
import { judgeUnits, readPhones } from "../../src/units/phones.ts";
import { readUnits, writeUnits } from "../../src/units/unit-file.ts";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "stillwave-units-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const facts = { clusters: 9, samplesPerFrame: 320, key: "k", data: "fingerprint" };
const all = [
  { id: "a", units: Uint16Array.of(1, 2, 3, 4, 5, 6) },
  { id: "ü", units: Uint16Array.of(8) },
  { id: "none", units: new Uint16Array() },
];

async function written(name: string): Promise<string> {
  const path = join(folder, name);
  await writeUnits(path, facts, all);
  return path;
}

test("units come back, whole and in parts", async () => {
  const units = await readUnits(await written("whole"));
  expect(units).toMatchObject({ ...facts, ids: ["a", "ü", "none"] });
  expect(units.of("a")).toEqual(all[0].units);
  expect(units.part("a", 0, 6)).toEqual(all[0].units);
  expect(units.part("a", 640, 2)).toEqual(Uint16Array.of(3, 4));
  // parts that begin between frames: the nearest frame, and at the end the last one twice
  expect(units.part("a", 479, 3)).toEqual(Uint16Array.of(2, 3, 4));
  expect(units.part("a", 480, 3)).toEqual(Uint16Array.of(3, 4, 5));
  expect(units.part("a", 480, 5)).toEqual(Uint16Array.of(3, 4, 5, 6, 6));
  expect(units.part("none", 0, 0)).toEqual(new Uint16Array());
});

test("what does not fit is refused with what is there", async () => {
  const units = await readUnits(await written("refusals"));
  expect(() => units.of("b")).toThrow(/no units of utterance "b".*other data/);
  expect(() => units.part("a", 640, 6)).toThrow(/"a" has 6 units, and frames 2 to 7/);
  expect(() => units.part("none", 0, 1)).toThrow(StillwaveError);
});

test("a file that is cut off, altered or foreign is refused", async () => {
  const bytes = readFileSync(await written("sound"));
  const path = join(folder, "bad");
  const refusal = async (content: Uint8Array) => {
    writeFileSync(path, content);
    return await readUnits(path).then(
      () => "read",
      (error: Error) => error.message,
    );
  };
  expect(await refusal(bytes)).toBe("read");
  expect(await refusal(bytes.subarray(0, -2))).toMatch(/bad: holds 6 units where 7 are announced; delete it/);
  expect(await refusal(Buffer.concat([bytes, Buffer.alloc(2)]))).toMatch(/holds 8 units where 7/);
  expect(await refusal(bytes.subarray(0, 40))).toMatch(/cut off/);
  expect(await refusal(bytes.subarray(0, 5))).toMatch(/no file of units/);
  const altered = Buffer.from(bytes);
  altered[bytes.length - 1] ^= 1;
  expect(await refusal(altered)).toMatch(/altered/);
  await writeUnits(path, { ...facts, clusters: 8 }, all);
  await expect(readUnits(path)).rejects.toThrow(/beyond its 8 clusters/);
  await writeUnits(path, facts, [all[0], all[0]]);
  await expect(readUnits(path)).rejects.toThrow(/list of utterances/);
  await expect(readUnits(join(folder, "nowhere"))).rejects.toThrow(/no such file of units/);
  await expect(readUnits(folder)).rejects.toThrow(StillwaveError);
});

test("any change of a file gives an error of the user's or the same units", async () => {
  const bytes = readFileSync(await written("fuzz-base"));
  const path = join(folder, "fuzz");
  const change = fc.record({ at: fc.nat(bytes.length - 1), to: fc.nat(255), cut: fc.nat(bytes.length) });
  await fc.assert(
    fc.asyncProperty(change, fc.boolean(), async ({ at, to, cut }, cuts) => {
      const changed = Buffer.from(bytes);
      changed[at] = to;
      writeFileSync(path, cuts ? changed.subarray(0, cut) : changed);
      try {
        const { ids } = await readUnits(path);
        expect(ids).toHaveLength(3);
      } catch (error) {
        expect(error).toBeInstanceOf(StillwaveError);
      }
    }),
    { numRuns: 300 },
  );
});

test("units against phones of frames, and against sequences spread evenly", async () => {
  const path = join(folder, "quality");
  await writeUnits(path, { ...facts, samplesPerFrame: 320 }, [
    { id: "u", units: Uint16Array.of(1, 1, 2, 2, 3, 3) },
    { id: "v", units: Uint16Array.of(1, 1) },
  ]);
  const units = await readUnits(path);
  const phones = join(folder, "phones.txt");
  writeFileSync(phones, "u AA BB CC\n");
  const spread = await judgeUnits(units, { path: phones, kind: "sequence" });
  expect(spread).toEqual({ phonePurity: 1, clusterPurity: 1, pnmi: 1, frames: 6, utterances: 1, without: 1 });
  writeFileSync(phones, "u AA AA AA BB CC CC\nv BB BB\n");
  const framed = await judgeUnits(units, { path: phones, kind: "frames" });
  expect(framed).toMatchObject({ phonePurity: 5 / 8, frames: 8, utterances: 2, without: 0 });
  // labels every 10 ms: the one in the middle of each frame
  writeFileSync(phones, `u ${"AA ".repeat(4)}${"BB ".repeat(4)}${"CC ".repeat(4)}\n`);
  expect(await judgeUnits(units, { path: phones, kind: "frames", frameMs: 10 })).toMatchObject({ pnmi: 1 });
  await expect(judgeUnits(units, { path: phones, kind: "frames" })).rejects.toThrow(/"u" has 12 labels of 20 ms/);
  writeFileSync(phones, "x AA\n");
  await expect(judgeUnits(units, { path: phones, kind: "sequence" })).rejects.toThrow(/none of the 2 utterances/);
  writeFileSync(phones, "x AA\nx BB\n");
  await expect(readPhones(phones)).rejects.toThrow(/phones.txt:2: utterance "x" is there twice/);
});

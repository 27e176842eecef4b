// safetensors: number formats, round trips, and headers that no honest writer makes.
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Dtype, decodeInto, floatsToHalves, halfToFloat } from "../../../src/checkpoint/formats/dtypes.ts";
import { readAllSafetensors, readSafetensors, writeSafetensors } from "../../../src/checkpoint/index.ts";
import { StillwaveError } from "../../../src/errors.ts";

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "stillwave-safetensors-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** A file with this header text (or value) and data. */
async function file(name: string, header: unknown, data: Uint8Array, length?: bigint): Promise<string> {
  const json = Buffer.from(typeof header === "string" ? header : JSON.stringify(header));
  const start = Buffer.alloc(8);
  start.writeBigUInt64LE(length ?? BigInt(json.length));
  const path = join(folder, `${name}.safetensors`);
  await writeFile(path, Buffer.concat([start, json, data]));
  return path;
}

async function readOne(dtype: string, shape: number[], bytes: Uint8Array) {
  const path = await file("one", { x: { dtype, shape, data_offsets: [0, bytes.length] } }, bytes);
  const opened = await readSafetensors(path);
  try {
    return [...(await opened.read("x")).data];
  } finally {
    await opened.close();
  }
}

describe("number formats", () => {
  const view = (array: ArrayBufferView) => new Uint8Array(array.buffer);
  const cases: [string, ArrayBufferView, number[]][] = [
    ["F64", Float64Array.of(0.1, -2, 1e300), [0.1, -2, 1e300]],
    ["F32", Float32Array.of(0.5, -2, 3e38), [0.5, -2, Math.fround(3e38)]],
    ["F16", Uint16Array.of(0x3c00, 0xc000, 0x0001, 0x7bff), [1, -2, 2 ** -24, 65504]],
    ["BF16", Uint16Array.of(0x3f80, 0xc000, 0x4049), [1, -2, 3.140625]],
    ["I64", BigInt64Array.of(1n, -5n, 2n ** 40n), [1, -5, 2 ** 40]],
    ["U64", BigUint64Array.of(1n, 2n ** 40n), [1, 2 ** 40]],
    ["I32", Int32Array.of(1, -(2 ** 31)), [1, -(2 ** 31)]],
    ["U32", Uint32Array.of(1, 2 ** 32 - 1), [1, 2 ** 32 - 1]],
    ["I16", Int16Array.of(-32768, 7), [-32768, 7]],
    ["U16", Uint16Array.of(65535, 7), [65535, 7]],
    ["I8", Int8Array.of(-128, 127), [-128, 127]],
    ["U8", Uint8Array.of(255, 0), [255, 0]],
    ["BOOL", Uint8Array.of(1, 0), [1, 0]],
  ];
  for (const [dtype, array, values] of cases)
    test(dtype, async () => {
      expect(await readOne(dtype, [values.length], view(array))).toEqual(values.map(Math.fround));
    });

  test("numbers that lie at an odd place in memory", () => {
    for (const [dtype, array, values] of cases) {
      const bytes = Buffer.concat([Buffer.of(7), view(array)]).subarray(1);
      const out = new Float32Array(values.length + 1);
      decodeInto(out, 1, bytes, dtype as Dtype);
      expect([...out], dtype).toEqual([0, ...values.map(Math.fround)]);
    }
  });

  test("halves that cannot be represented are rounded to even, like the hardware does", () => {
    const half = (value: number) => halfToFloat(floatsToHalves(Float32Array.of(value))[0]);
    expect([1 + 2 ** -11, 1 + 3 * 2 ** -11, 65519, -65519].map(half)).toEqual([1, 1 + 2 ** -9, 65504, -65504]);
    expect([65520, 1e9, -1e9].map(half)).toEqual([Infinity, Infinity, -Infinity]);
    expect([2 ** -25, 3 * 2 ** -25, 2 ** -26, -(2 ** -24)].map(half)).toEqual([0, 2 ** -23, 0, -(2 ** -24)]);
    expect(half(Number.NaN)).toBeNaN();
    for (let bits = 0; bits < 0x7c00; bits++) expect(floatsToHalves(Float32Array.of(halfToFloat(bits)))[0]).toBe(bits);
  });

  test("formats that cannot be decoded are named", async () => {
    await expect(readOne("F8_E4M3", [2], new Uint8Array(2))).rejects.toThrow("F8_E4M3");
  });
});

describe("round trip", () => {
  test("any names, shapes and values", async () => {
    const path = join(folder, "trip.safetensors");
    const array = fc.array(fc.nat(4), { maxLength: 4 }).chain((shape) =>
      fc
        .array(fc.float({ noNaN: false }), {
          minLength: shape.reduce((a, b) => a * b, 1),
          maxLength: shape.reduce((a, b) => a * b, 1),
        })
        .map((values) => ({ shape, data: Float32Array.from(values) })),
    );
    const names = fc.string().filter((name) => name !== "__metadata__");
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(fc.tuple(names, array), { selector: ([name]) => name, maxLength: 6 }),
        async (entries) => {
          await writeSafetensors(path, entries, { metadata: { made: "here" } });
          expect([...(await readAllSafetensors(path))]).toEqual(
            Object.entries(Object.fromEntries(entries)).length === entries.length
              ? expect.arrayContaining(entries)
              : entries,
          );
        },
      ),
      { numRuns: 60 },
    );
  });

  test("data starts at a multiple of 8 bytes", async () => {
    const path = join(folder, "aligned.safetensors");
    await writeSafetensors(path, [["odd", { shape: [3], data: Float32Array.of(1, 2, 3) }]]);
    const bytes = await readFile(path);
    expect(Number(bytes.readBigUInt64LE(0)) % 8).toBe(0);
  });

  test("float16 refuses what it cannot hold", async () => {
    const wide = writeSafetensors(
      join(folder, "wide.safetensors"),
      [["w", { shape: [1], data: Float32Array.of(1e6) }]],
      {
        dtype: "float16",
      },
    );
    await expect(wide).rejects.toThrow("beyond float16");
  });
});

describe("broken files", () => {
  const f32 = (begin: number, end: number, shape: unknown = [(end - begin) / 4]) => ({
    dtype: "F32",
    shape,
    data_offsets: [begin, end],
  });
  const cases: [string, unknown, number, RegExp, bigint?][] = [
    ["header longer than the file", {}, 0, /truncated/, 1000n],
    ["enormous header", {}, 0, /at most/, 2n ** 62n],
    ["not JSON", "{nope", 0, /not JSON/],
    ["array", "[]", 0, /not an object/],
    ["deep JSON", "[".repeat(200_000), 0, /not JSON/],
    ["overlap", { a: f32(0, 8), b: f32(4, 12) }, 12, /"b" overlaps "a"/],
    ["hole", { a: f32(0, 4), b: f32(8, 12) }, 12, /4 unused bytes before tensor "b"/],
    ["unused end", { a: f32(0, 4) }, 12, /8 unused bytes/],
    ["outside", { a: f32(0, 400) }, 12, /outside the data/],
    ["backwards", { a: f32(8, 4, [1]) }, 12, /outside the data/],
    ["wrong size", { a: f32(0, 12, [4]) }, 12, /needs 16 bytes, but has 12/],
    ["absurd shape", { a: f32(0, 12, [2 ** 31, 2 ** 31, 2 ** 31]) }, 12, /needs/],
    ["negative shape", { a: f32(0, 12, [-3]) }, 12, /impossible shape/],
    ["fractional shape", { a: f32(0, 12, [1.5, 2]) }, 12, /impossible shape/],
    ["huge rank", { a: f32(0, 4, new Array(100).fill(1)) }, 4, /impossible shape/],
    ["text offsets", { a: { dtype: "F32", shape: [1], data_offsets: ["0", "4"] } }, 4, /impossible data_offsets/],
    ["unknown dtype", { a: { dtype: "Q4", shape: [1], data_offsets: [0, 4] } }, 4, /unknown dtype "Q4"; valid: F64/],
    ["inherited dtype", { a: { dtype: "toString", shape: [1], data_offsets: [0, 4] } }, 4, /unknown dtype/],
    ["null entry", { a: null }, 0, /not an object/],
    [
      "twice",
      `{"a":${JSON.stringify(f32(0, 4))},"b\\"x":${JSON.stringify(f32(4, 8))},"a":${JSON.stringify(f32(8, 12))}}`,
      12,
      /"a" appears twice/,
    ],
  ];
  for (const [name, header, bytes, message, length] of cases)
    test(name, async () => {
      const path = await file("broken", header, new Uint8Array(bytes), length);
      const error = await readSafetensors(path).then(
        () => undefined,
        (e: unknown) => e,
      );
      expect(error).toBeInstanceOf(StillwaveError);
      expect((error as Error).message).toMatch(message);
      expect((error as Error).message).toContain(path);
    });

  test("empty and tiny files", async () => {
    const path = join(folder, "tiny.safetensors");
    for (let size = 0; size < 12; size++) {
      await writeFile(path, new Uint8Array(size));
      await expect(readSafetensors(path)).rejects.toBeInstanceOf(StillwaveError);
    }
  });
});

// Damaged and random checkpoints: a model or a StillwaveError comes out, within bounded time, and nothing else.
import { existsSync, readdirSync } from "node:fs";
import { copyFile, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readPickle } from "../../src/checkpoint/formats/pickle.ts";
import { plain } from "../../src/checkpoint/formats/pickle.types.ts";
import { inspectCheckpoint, loadModel, readAllSafetensors } from "../../src/checkpoint/index.ts";
import { StillwaveError } from "../../src/errors.ts";

const root = fileURLToPath(new URL("../../../shared/oracle/checkpoints/", import.meta.url));
const present = existsSync(root);
if (!present) console.warn(`skipped: no recorded checkpoints at ${root}`);

/** Raise for longer runs, e.g. FUZZ_RUNS=20000. */
const runs = Number(process.env.FUZZ_RUNS ?? 50);
/** No damage may make reading a file of some hundred kilobytes take longer. */
const maxMs = 5_000;

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "stillwave-fuzz-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function expectModelOrError(path: string): Promise<void> {
  const start = performance.now();
  for (const read of [loadModel, inspectCheckpoint])
    try {
      await read(path);
    } catch (error) {
      if (!(error instanceof StillwaveError)) throw error;
      expect(error.message.length).toBeLessThan(20_000);
    }
  expect(performance.now() - start).toBeLessThan(maxMs);
}

/** Bytes changed, removed or repeated; most of the damage where the structure is, not in the weights. */
function damage(original: Uint8Array, structure: [number, number][]): fc.Arbitrary<Uint8Array> {
  const position = fc.oneof(
    ...structure.map(([start, end]) => fc.integer({ min: start, max: Math.max(start, end - 1) })),
    fc.nat(original.length - 1),
  );
  const flips = fc.array(fc.tuple(position, fc.nat(255)), { minLength: 1, maxLength: 6 }).map((changes) => {
    const bytes = Uint8Array.from(original);
    for (const [at, value] of changes) bytes[at] = value;
    return bytes;
  });
  const cut = fc.oneof(position, fc.nat(original.length)).map((length) => original.slice(0, length));
  const removed = fc
    .tuple(position, fc.integer({ min: 1, max: 64 }))
    .map(([at, count]) => Buffer.concat([original.subarray(0, at), original.subarray(at + count)]));
  const repeated = fc
    .tuple(position, fc.integer({ min: 1, max: 64 }))
    .map(([at, count]) => Buffer.concat([original.subarray(0, at + count), original.subarray(at)]));
  return fc.oneof({ weight: 6, arbitrary: flips }, cut, removed, repeated);
}

/** Where the pickle and the directory of a torch file are, or the header of a safetensors file. */
function structureOf(bytes: Uint8Array, name: string): [number, number][] {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  if (name.endsWith(".safetensors")) return [[0, 8 + Number(view.readBigUInt64LE(0))]];
  const directory = view.indexOf(Buffer.from("PK\x01\x02", "latin1"));
  const pickle = view.readUInt32LE(18) || 12_000;
  return directory < 0
    ? [[0, 12_000]]
    : [
        [0, Math.min(pickle, directory)],
        [directory, bytes.length],
      ];
}

const targets = [
  "fairseq_hubert_base_cfgdict/checkpoint.pt",
  "fairseq_hubert_base_argsns/checkpoint.pt",
  "fairseq_hubert_base_legacy_nonzip/checkpoint.pt",
  "wavlm_orig_base/checkpoint.pt",
  "lightning_armhubert/checkpoint-epoch=01.ckpt",
  "hf_hubert_base/model.safetensors",
  "hf_wavlm_base/pytorch_model.bin",
];

describe.skipIf(!present)("damaged files", () => {
  for (const target of present ? targets : [])
    test(
      target,
      async () => {
        const own = await mkdtemp(join(folder, "damaged-"));
        for (const file of readdirSync(dirname(root + target)))
          if (/\.(json|yaml)$/.test(file)) await copyFile(join(dirname(root + target), file), join(own, file));
        const original = await readFile(root + target);
        const path = join(own, basename(target));
        await fc.assert(
          fc.asyncProperty(damage(original, structureOf(original, target)), async (bytes) => {
            await writeFile(path, bytes);
            await expectModelOrError(path);
          }),
          { numRuns: runs },
        );
      },
      120_000 + runs * 500,
    );

  test("settings beside the weights", async () => {
    const source = `${root}hf_hubert_base/`;
    await copyFile(`${source}model.safetensors`, join(folder, "model.safetensors"));
    const original = JSON.parse(await readFile(`${source}config.json`, "utf8"));
    const change = fc.tuple(fc.constantFrom(...Object.keys(original)), fc.jsonValue());
    await fc.assert(
      fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 3 }), async (changes) => {
        await writeFile(join(folder, "config.json"), JSON.stringify({ ...original, ...Object.fromEntries(changes) }));
        await expectModelOrError(folder);
      }),
      { numRuns: runs },
    );
  });
});

describe("random bytes", () => {
  test("as safetensors headers", async () => {
    const path = join(folder, "random.safetensors");
    const entry = fc.record({
      dtype: fc.oneof(fc.constantFrom("F32", "F16", "I64", "BOOL"), fc.string()),
      shape: fc.oneof(fc.array(fc.nat(6), { maxLength: 4 }), fc.array(fc.integer()), fc.jsonValue()),
      data_offsets: fc.oneof(fc.tuple(fc.nat(64), fc.nat(64)), fc.array(fc.maxSafeInteger()), fc.jsonValue()),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.dictionary(fc.string(), fc.oneof(entry, fc.jsonValue())),
        fc.uint8Array({ maxLength: 64 }),
        async (header, data) => {
          const json = Buffer.from(JSON.stringify(header));
          const length = Buffer.alloc(8);
          length.writeBigUInt64LE(BigInt(json.length));
          await writeFile(path, Buffer.concat([length, json, data]));
          await readAllSafetensors(path).catch((error: unknown) => expect(error).toBeInstanceOf(StillwaveError));
        },
      ),
      { numRuns: runs },
    );
  });

  // Instructions that make sense after each other, so that more than the first is reached.
  const text = (value: string) => [0x58, value.length, 0, 0, 0, ...Buffer.from(value)];
  const globals = [
    "torch FloatStorage",
    "torch._utils _rebuild_tensor_v2",
    "collections OrderedDict",
    "os system",
    "argparse Namespace",
  ];
  const instruction = fc.oneof(
    {
      weight: 4,
      arbitrary: fc.constantFrom([0x5d], [0x7d], [0x29], [0x28], [0x4e], [0x88], [0x8f], [0x32], [0x30], [0x94]),
    },
    {
      weight: 4,
      arbitrary: fc.constantFrom(
        [0x85],
        [0x86],
        [0x87],
        [0x74],
        [0x61],
        [0x65],
        [0x73],
        [0x75],
        [0x52],
        [0x81],
        [0x62],
        [0x51],
        [0x6f],
      ),
    },
    { weight: 2, arbitrary: fc.nat(255).map((n) => [0x4b, n]) },
    { weight: 2, arbitrary: fc.nat(3).map((n) => [0x71, n]) },
    { weight: 2, arbitrary: fc.nat(3).map((n) => [0x68, n]) },
    { weight: 2, arbitrary: fc.constantFrom("storage", "0", "cpu", "model", "cfg", "x").map(text) },
    {
      weight: 2,
      arbitrary: fc.constantFrom(...globals).map((name) => [0x63, ...Buffer.from(`${name.replace(" ", "\n")}\n`)]),
    },
    { weight: 1, arbitrary: fc.uint8Array({ maxLength: 6 }).map((bytes) => [...bytes]) },
  );

  test("as pickles", () => {
    fc.assert(
      fc.property(fc.array(instruction, { maxLength: 60 }), (instructions) => {
        const bytes = Uint8Array.from([0x80, 2, ...instructions.flat(), 0x2e]);
        const start = performance.now();
        try {
          plain(readPickle((offset, length) => bytes.subarray(offset, offset + length)).value);
        } catch (error) {
          if (!(error instanceof StillwaveError)) throw error;
        }
        expect(performance.now() - start).toBeLessThan(maxMs);
      }),
      { numRuns: runs * 50 },
    );
  });
});

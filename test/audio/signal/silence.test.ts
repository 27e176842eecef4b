// Silence cut out of speech: sample for sample what SoX leaves, recorded, and run where it is installed.
import { execFileSync, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { loadAudio, trimSilence } from "../../../src/audio/index.ts";
import { Random } from "../../../src/random.ts";
import { speechFolder, wavFile } from "../signals.ts";

/** Pieces of noise: [samples, amplitude in steps of 16 bits]; a piece of one value where the amplitude is a text. */
type Piece = readonly [samples: number, amplitude: number | `${number}`];

function noise(seed: number, pieces: readonly Piece[]): Int16Array {
  const random = new Random(seed, "noise");
  return Int16Array.from(
    pieces.flatMap(([samples, amplitude]) =>
      Array.from({ length: samples }, () =>
        typeof amplitude === "string" ? Number(amplitude) : Math.round(amplitude * (2 * random.uniform() - 1)),
      ),
    ),
  );
}

/** What SoX left of the signals: how many samples, and the beginning of the SHA-256 of their 32-bit values. */
const RECORDED: readonly (readonly [string, readonly Piece[], number, string])[] = [
  ["nothing", [], 0, "e3b0c44298fc1c14"],
  ["silence", [[9000, 20]], 0, "e3b0c44298fc1c14"],
  [
    "speech between silences",
    [
      [4000, 10],
      [8000, 9000],
      [4000, 10],
    ],
    8319,
    "c8c5ae624fe1c77f",
  ],
  [
    "a short silence inside",
    [
      [6000, 9000],
      [1000, 10],
      [6000, 9000],
    ],
    13000,
    "c6c7095d55622c26",
  ],
  [
    "a long silence inside",
    [
      [6000, 9000],
      [3000, 10],
      [6000, 9000],
      [900, 5],
    ],
    13218,
    "ffff93544cfd4352",
  ],
  [
    "a click between silences",
    [
      [6000, 9000],
      [3000, 10],
      [900, 9000],
      [3000, 10],
      [6000, 9000],
    ],
    12319,
    "3c67b88059e6cd36",
  ],
  [
    "a click before, silence held back at the end",
    [
      [700, 9000],
      [3000, 10],
      [5000, 9000],
      [1500, 3],
    ],
    6500,
    "a7f2b3771a79f27b",
  ],
  [
    "sound of just 0.1 s",
    [
      [1600, "900"],
      [8000, "0"],
    ],
    1919,
    "33c057352ebb6922",
  ],
  ["sound of one sample less than 0.1 s with its window", [[1599, "900"]], 0, "e3b0c44298fc1c14"],
  [
    "noise at the threshold",
    [
      [20_000, 84],
      [20_000, 80],
      [20_000, 90],
    ],
    58401,
    "bad5a7f029872d75",
  ],
  [
    "full scale",
    [
      [3000, "32767"],
      [3000, "-32768"],
      [5000, "0"],
      [3000, "-32768"],
    ],
    9319,
    "5a99ebdef20b2d6a",
  ],
];

const FILES: readonly (readonly [string, number, string])[] = [
  ["dev/4992/41806/4992-41806-0010.flac", 23643, "5d2c0814a86d1126"],
  ["dev/1284/1181/1284-1181-0007.flac", 55295, "c492362422beb641"],
];

const pcmOf = async (file: string) =>
  Int16Array.from(await loadAudio(join(speechFolder, file)), (sample) => sample * 32768);

/** The samples as SoX holds them, 32-bit whole numbers. */
const wholes = (wave: Float32Array) => Int32Array.from(wave, (sample) => sample * 2 ** 31);
const hashOf = (values: Int32Array) =>
  createHash("sha256").update(new Uint8Array(values.buffer)).digest("hex").slice(0, 16);
/** As float32, which holds 24 bits of them. */
const rounded = (values: Int32Array) => Int32Array.from(values, (value) => Math.fround(value / 2 ** 31) * 2 ** 31);
const floats = (pcm: Int16Array) => Float32Array.from(pcm, (value) => value / 32768);

const CHAIN = "channels 1 rate 16000 gain -3.0 silence 1 0.1 0.1% -1 0.1 0.1%".split(" ");

function bySox(pcm: Int16Array): Int32Array {
  const folder = mkdtempSync(join(tmpdir(), "sox-"));
  try {
    const [input, output] = [join(folder, "in.wav"), join(folder, "out.s32")];
    writeFileSync(input, wavFile({ bits: 16, data: new Uint8Array(pcm.buffer) }));
    execFileSync("sox", [input, "-t", "raw", "-b", "32", "-e", "signed", "-L", output, ...CHAIN], { stdio: "ignore" });
    return rounded(new Int32Array(new Uint8Array(readFileSync(output)).buffer));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

describe("trimmed speech", () => {
  test.each(RECORDED)("%s: as recorded from SoX", (_name, pieces, samples, hash) => {
    const kept = wholes(trimSilence(floats(noise(1, pieces))));
    expect([kept.length, hashOf(kept)]).toEqual([samples, hash]);
  });

  test.each(FILES)("%s: as recorded from SoX", async (file, samples, hash) => {
    const kept = wholes(trimSilence(await loadAudio(join(speechFolder, file))));
    expect([kept.length, hashOf(kept)]).toEqual([samples, hash]);
  });

  test("samples beyond full scale are clipped, and a wave may begin anywhere", () => {
    const wave = new Float32Array(4000).fill(1.5);
    expect(trimSilence(wave.subarray(1))).toHaveLength(3999);
    expect(trimSilence(wave)[0]).toBeCloseTo(10 ** (-3 / 20), 7);
  });

  test("what is kept is a part of the attenuated wave", () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.integer({ min: 1, max: 3000 }), fc.constantFrom(0, 20, 70, 90, 8000)), { maxLength: 6 }),
        (pieces) => {
          const wave = floats(noise(2, pieces));
          const kept = trimSilence(wave);
          expect(kept.length).toBeLessThanOrEqual(wave.length);
          let at = 0;
          for (const sample of kept) {
            while (at < wave.length && Math.abs(wave[at] * 10 ** (-3 / 20) - sample) > 1e-7) at++;
            expect(at++).toBeLessThan(wave.length);
          }
        },
      ),
      { numRuns: 50 },
    );
  });
});

const hasSox = spawnSync("sox", ["--version"]).status === 0;
if (!hasSox) console.warn("skipped: no sox (Debian: sox)");

test.skipIf(!hasSox)(
  "trimmed speech equals SoX's on recordings and on pieces of noise",
  { timeout: 60_000 },
  async () => {
    for (const [file] of FILES) {
      const pcm = await pcmOf(file);
      const quiet = pcm.map((sample, i) => (i % 12_000 < 4000 ? sample / 400 : sample));
      for (const signal of [pcm, quiet]) expect(wholes(trimSilence(floats(signal)))).toEqual(bySox(signal));
    }
    for (const [, pieces] of RECORDED)
      expect(wholes(trimSilence(floats(noise(1, pieces))))).toEqual(bySox(noise(1, pieces)));
    const random = new Random(3, "pieces");
    for (let round = 0; round < 20; round++) {
      const pieces = Array.from(
        { length: 8 },
        (): Piece => [random.integer(4000), [0, 30, 79, 80.2, 82, 500][random.integer(6)]],
      );
      expect(wholes(trimSilence(floats(noise(round, pieces))))).toEqual(bySox(noise(round, pieces)));
    }
  },
);

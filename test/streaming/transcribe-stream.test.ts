// What transcribe --stream prints of a pipe, and which flags it refuses.
import { expect, test } from "vitest";
import { checkStreamFlags, streamInput } from "../../src/cli/streaming/transcribe-stream.ts";
import { UsageError } from "../../src/errors.ts";
import type { Recognizer } from "../../src/recognizer/recognizer.types.ts";
import { SpeechStream, type StreamOptions } from "../../src/streaming/speech-stream.ts";
import type { StreamStages } from "../../src/streaming/stream.types.ts";
import { TextReader } from "../../src/streaming/text-reader.ts";

const SYMBOLS = ["<pad>", "A", "B"];

/** A recogniser that hears A in every loud frame of 20 ms, and nothing in the others. */
function loudness(): Recognizer {
  const conv = [{ channels: 1, kernel: 400, stride: 320 }];
  const stages: StreamStages = {
    config: { conv, convNorm: "layer", normalizeWaveform: false, posConv: { kernel: 2, groups: 1 }, dim: 1 },
    stack: 1,
    async features(wave) {
      const frames = Math.floor((wave.length - 400) / 320) + 1;
      return {
        shape: [1, frames, 1],
        data: Float32Array.from({ length: frames }, (_, i) => Math.abs(wave[320 * i + 200])),
      };
    },
    positions: async (features) => features,
    logits: async ({ data }) => ({
      frames: data.length,
      data: Float32Array.from([...data].flatMap((loud) => [0, loud > 0.1 ? 5 : -5, -5])),
    }),
  };
  const reader = () => new TextReader({ kind: "ctc", text: "phones", symbols: SYMBOLS, special: ["<pad>"] }, 0.02);
  return { stream: (options?: StreamOptions) => new SpeechStream(stages, reader(), options) } as Recognizer;
}

test("samples without a header are read as they come, a line for each chunk that says something", async () => {
  // loud from 0.5 s to 0.6 s, from 1.5 s to 1.6 s, and at the end
  const values = Int16Array.from({ length: 32_000 }, (_, i) =>
    (i >= 8000 && i < 9600) || (i >= 24_000 && i < 25_600) || i >= 31_000 ? 9000 : 0,
  );
  const bytes = new Uint8Array(values.buffer);
  const pipe = async function* () {
    for (let at = 0; at < bytes.length; at += 999) yield bytes.subarray(at, at + 999);
  };
  const [printed, notes, lines]: [string[], string[], unknown[]] = [[], [], []];
  const output = {
    print: (text: string) => void printed.push(text),
    note: (text: string) => void notes.push(text),
    error: (text: string) => void notes.push(text),
    quieten: () => {},
    json: () => {},
    jsonLine: (value: unknown) => void lines.push(value),
    flush: async () => {},
  };
  await streamInput(loudness(), pipe(), { stream: true, chunk: 0.4, left: 0.2, right: 0.1 }, output);
  // a chunk of 0.4 s is decided 0.1 s and 5 ms after its end; what is said up to its last frame might go on
  expect(printed).toEqual(["-\t0.91\tA", "-\t2.00\tA", "-\t2.00\tA"]);
  expect(notes.length).toBe(1);
  expect(notes[0]).toContain("-: 2.00 s in 5 chunks");
  await streamInput(loudness(), pipe(), { stream: true, json: true, rate: 8000 }, output);
  expect(lines.at(-2)).toMatchObject({ path: "-", isLast: true });
  expect(lines.at(-1)).toMatchObject({ path: "-", kind: "stream", chunk: 0.64, sampleRate: 8000, seconds: 4 });
});

test("flags of streaming without it, and searches with it, are refused", () => {
  expect(() => checkStreamFlags({ chunk: 1 }, {})).toThrow(UsageError);
  expect(() => checkStreamFlags({ live: true }, {})).toThrow("--live belongs to --stream");
  expect(() => checkStreamFlags({ stream: true, chunk: 1 }, { beam: 4 })).toThrow("leave --beam out");
  expect(() => checkStreamFlags({ stream: true }, { times: undefined, nbest: false })).not.toThrow();
});

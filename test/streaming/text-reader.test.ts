// Words and phones from logits that come in blocks: what greedy decoding of all at once reads, each part once and when it is complete.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { logSoftmax } from "../../src/decode/emissions.ts";
import { greedyDecode } from "../../src/decode/greedy.ts";
import { Random } from "../../src/random.ts";
import type { StreamAnswer, TimedPart } from "../../src/streaming/stream.types.ts";
import { TextReader } from "../../src/streaming/text-reader.ts";
import { symbolDecoding } from "../../src/superb/objectives/decoding.ts";
import type { CtcSpec } from "../../src/superb/objectives/spec.ts";

const LETTERS: CtcSpec = { kind: "ctc", text: "characters", symbols: ["<pad>", "<eos>", "|", "A", "B"], special: ["<pad>", "<eos>"] }; // biome-ignore format: one line
const PHONES: CtcSpec = { ...LETTERS, text: "phones", symbols: ["<pad>", "<eos>", "AA", "B", "K"] };
const SLOTS: CtcSpec = { ...LETTERS, text: "slots", symbols: ["<pad>", " ", "B-x", "E-x", "a"], special: ["<pad>"] };

/** Blocks of a path of best symbols, `x` before it with probability 0.9. */
function read(spec: CtcSpec, path: readonly number[], lengths: readonly number[]) {
  const reader = new TextReader(spec, 0.02);
  const vocab = spec.symbols.length;
  const answers: StreamAnswer[] = [];
  let from = 0;
  for (const length of [...lengths, path.length]) {
    const frames = Math.min(length, path.length - from);
    if (frames === 0) continue;
    const data = Float32Array.from({ length: frames * vocab }, (_, i) =>
      i % vocab === path[from + Math.floor(i / vocab)] ? 3 : 0,
    );
    answers.push(reader.read({ from, frames, data, samples: 0 }));
    from += frames;
  }
  return { answers, end: reader.end() };
}

const textsOf = (parts: readonly TimedPart[]) => parts.map(({ text }) => text);

describe("text as it comes", () => {
  test("a symbol that goes on over a border is one, two with a blank between are two", () => {
    const { answers, end } = read(PHONES, [2, 2, 2, 2, 0, 2, 3, 3], [2, 2, 2]);
    expect(answers.map(({ parts }) => textsOf(parts))).toEqual([[], [], ["AA"], ["AA"]]);
    expect(answers.map(({ open }) => open?.text)).toEqual(["AA", "AA", "AA", "B"]);
    expect(answers[2].parts).toMatchObject([{ startSeconds: 0, endSeconds: 0.08 }]);
    // e^3 over e^3 + 4
    expect(answers[2].parts[0].confidence).toBeCloseTo(0.8339, 4);
    expect(end).toMatchObject({ parts: [{ text: "B", startSeconds: 0.12, endSeconds: 0.16 }], open: null });
  });

  test("a word is given when the space after it has begun, and shown as it grows", () => {
    const { answers, end } = read(LETTERS, [3, 0, 4, 4, 0, 2, 0, 3], [1, 2, 2, 1, 1]);
    expect(answers.map(({ parts }) => textsOf(parts))).toEqual([[], [], [], [], ["AB"], []]);
    expect(answers.map(({ open }) => open?.text)).toEqual(["A", "AB", "AB", "AB", undefined, "A"]);
    expect(textsOf(end.parts)).toEqual(["A"]);
  });

  test("any logits in any blocks read as all at once", () => {
    const cases = fc.record({
      spec: fc.constantFrom(LETTERS, PHONES, SLOTS),
      seed: fc.integer({ min: 0, max: 1e6 }),
      frames: fc.integer({ min: 0, max: 80 }),
      lengths: fc.array(fc.integer({ min: 1, max: 20 }), { maxLength: 8 }),
    });
    fc.assert(
      fc.property(cases, ({ spec, seed, frames, lengths }) => {
        const vocab = spec.symbols.length;
        const random = new Random(seed, "logits");
        const logits = Float32Array.from({ length: frames * vocab }, () => 3 * random.normal());
        const reader = new TextReader(spec, 0.02);
        const parts: TimedPart[] = [];
        let from = 0;
        for (const length of [...lengths, frames]) {
          const until = Math.min(frames, from + length);
          const data = logits.slice(from * vocab, until * vocab);
          parts.push(...reader.read({ from, frames: until - from, data, samples: 0 }).parts);
          from = until;
        }
        parts.push(...reader.end().parts);
        const [expected] = symbolDecoding(spec).decode(logits);
        const times = ({ text, startFrame, endFrame }: { text: string; startFrame: number; endFrame: number }) => ({
          text,
          startSeconds: startFrame * 0.02,
          endSeconds: endFrame * 0.02,
        });
        expect(parts.map(({ confidence: _, ...part }) => part)).toEqual(expected.parts.map(times));
        if (spec !== PHONES) return;
        const emissions = logSoftmax(logits, vocab, new Float32Array(logits.length));
        const drop = spec.special.map((one) => spec.symbols.indexOf(one));
        for (const [i, { symbol, startFrame, endFrame }] of greedyDecode(logits, { vocab, drop }).entries()) {
          const own = Array.from(
            { length: endFrame - startFrame },
            (_, t) => emissions[(startFrame + t) * vocab + symbol],
          );
          expect(parts[i].confidence).toBeCloseTo(Math.exp(Math.max(...own)), 5);
        }
      }),
    );
  });

  test("an hour of one symbol, and of nothing, is held in no room", () => {
    const reader = new TextReader(LETTERS, 0.02);
    const block = (symbol: number) => Float32Array.from({ length: 500 }, (_, i) => (i % 5 === symbol ? 3 : 0));
    for (let i = 0; i < 1800; i++)
      reader.read({ from: i * 100, frames: 100, data: block(i < 900 ? 3 : 2), samples: 0 });
    expect(JSON.stringify(reader).length).toBeLessThan(1500);
  });
});

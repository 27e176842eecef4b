// CTC loss and gradient against all alignments written out, finite differences, the log-space form, and PyTorch.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ctcLoss, framesNeeded } from "../../src/decode/ctc.ts";
import { type CtcItem, CtcWorkspace } from "../../src/decode/ctc-item.ts";
import { forwardBackwardLog } from "../../src/decode/ctc-log.ts";
import { Random } from "../../src/random.ts";
import { findTorch, runTorch } from "../superb/torch.ts";

/** What a path of symbols reads as: repeats merged, blanks dropped. */
function collapse(path: readonly number[], blank: number): number[] {
  return path.filter((symbol, t) => symbol !== blank && (t === 0 || symbol !== path[t - 1]));
}

/** -log of the probability of all vocab^frames paths that read as `labels`, by enumeration. */
function enumerated(logits: ArrayLike<number>, frames: number, vocab: number, labels: number[], blank: number): number {
  const row = (t: number) => Array.from({ length: vocab }, (_, v) => logits[t * vocab + v]);
  const log = Array.from({ length: frames }, (_, t) => {
    const max = Math.max(...row(t));
    const normalizer = max + Math.log(row(t).reduce((sum, z) => sum + Math.exp(z - max), 0));
    return row(t).map((z) => z - normalizer);
  });
  const wanted = labels.join();
  const terms: number[] = [];
  for (let code = 0; code < vocab ** frames; code++) {
    const path = Array.from({ length: frames }, (_, t) => Math.floor(code / vocab ** t) % vocab);
    if (collapse(path, blank).join() === wanted) terms.push(path.reduce((sum, symbol, t) => sum + log[t][symbol], 0));
  }
  if (terms.length === 0) return Number.POSITIVE_INFINITY;
  const max = Math.max(...terms);
  return -(max + Math.log(terms.reduce((sum, term) => sum + Math.exp(term - max), 0)));
}

const smallCase = fc.record({
  vocab: fc.integer({ min: 2, max: 4 }),
  frames: fc.integer({ min: 1, max: 5 }),
  seed: fc.integer({ min: 0, max: 2 ** 31 }),
  spread: fc.constantFrom<number>(1, 5, 400, 2000),
  blankAt: fc.integer({ min: 0, max: 3 }),
  labels: fc.array(fc.integer({ min: 1, max: 3 }), { maxLength: 4 }),
});

function drawn({
  vocab,
  frames,
  seed,
  spread,
  blankAt,
  labels,
}: typeof smallCase extends fc.Arbitrary<infer T> ? T : never) {
  const random = new Random(seed);
  const logits = Float64Array.from({ length: frames * vocab }, () => random.normal() * spread);
  const blank = blankAt % vocab;
  return { logits, frames, vocab, blank, labels: labels.map((label) => (blank + 1 + (label % (vocab - 1))) % vocab) };
}

const one = ({
  logits,
  frames,
  vocab,
  labels,
}: {
  logits: Float64Array;
  frames: number;
  vocab: number;
  labels: number[];
}) => ({ logits, shape: [1, frames, vocab] as const, frameLengths: [frames], labels: [labels] });

function randomBatch(seed: number, items: number, time: number, vocab: number, labelLength: number, spread: number) {
  const random = new Random(seed);
  const logits = Float64Array.from({ length: items * time * vocab }, () => random.normal() * spread);
  const frameLengths = Array.from({ length: items }, (_, b) => time - 7 * b);
  const labels = frameLengths.map((_, b) =>
    Array.from({ length: labelLength - 3 * b }, () => 1 + random.integer(vocab - 1)),
  );
  return { logits, shape: [items, time, vocab] as const, frameLengths, labels };
}

describe("CTC loss", () => {
  test("the CTC loss is the sum over all alignments", () => {
    fc.assert(
      fc.property(smallCase, (spec) => {
        const drawnCase = drawn(spec);
        const { logits, frames, vocab, blank, labels } = drawnCase;
        const expected = enumerated(logits, frames, vocab, labels, blank);
        const { losses, infinite } = ctcLoss(one(drawnCase), { blank, zeroInfinity: false });
        if (expected === Number.POSITIVE_INFINITY) {
          expect(infinite).toBe(1);
          expect(frames < framesNeeded(labels)).toBe(true);
        } else expect(Math.abs(losses[0] - expected)).toBeLessThan(1e-10 * Math.max(1, expected));
      }),
      { numRuns: 200 },
    );
  });

  test("the CTC loss has the gradient that finite differences give", () => {
    fc.assert(
      fc.property(smallCase, (spec) => {
        const drawnCase = drawn({ ...spec, spread: Math.min(spec.spread, 5) });
        const { logits, frames, vocab, blank, labels } = drawnCase;
        fc.pre(frames >= framesNeeded(labels));
        const { gradient } = ctcLoss(one(drawnCase), { blank, reduction: "sum" });
        for (let i = 0; i < logits.length; i++) {
          const at = (delta: number) => {
            const moved = logits.slice();
            moved[i] += delta;
            return enumerated(moved, frames, vocab, labels, blank);
          };
          expect(Math.abs((at(1e-5) - at(-1e-5)) / 2e-5 - gradient[i])).toBeLessThan(1e-5);
        }
      }),
      { numRuns: 25 },
    );
  });

  test.each([
    ["near uniform", 0.1, 240, 60],
    ["peaked", 6, 240, 60],
    ["sharp, where most entries are taken for 0,", 15, 400, 120],
    ["near uniform, in many frames,", 0.1, 1600, 300],
    ["hopeless, where scaled probabilities underflow", 60, 400, 180],
  ])("the CTC loss of long %s items equals its log-space form", (_name, spread, time, labelLength) => {
    const batch = randomBatch(5, 3, time, 30, labelLength, spread);
    const fast = ctcLoss(batch, { reduction: "sum" });
    const gradient = new Float64Array(batch.logits.length);
    for (let b = 0; b < 3; b++) {
      const work = new CtcWorkspace();
      const frames = batch.frameLengths[b];
      const states = 2 * batch.labels[b].length + 1;
      work.reserve(frames, 30, states);
      work.symbols.fill(0);
      batch.labels[b].forEach((label, i) => {
        work.symbols[2 * i + 1] = label;
        work.skips[2 * i + 1] = i > 0 && label !== batch.labels[b][i - 1] ? 1 : 0;
      });
      for (let t = 0; t < frames; t++) {
        const row = batch.logits.subarray((b * time + t) * 30, (b * time + t + 1) * 30);
        const max = Math.max(...row);
        work.logNormalizers[t] = max + Math.log(row.reduce((sum, z) => sum + Math.exp(z - max), 0));
        for (let v = 0; v < 30; v++) work.probabilities[t * 30 + v] = Math.exp(row[v] - work.logNormalizers[t]);
      }
      const item: CtcItem = {
        frames,
        vocab: 30,
        states,
        blank: 0,
        offset: b * time * 30,
        logits: batch.logits,
        gradient,
        weight: 1,
      };
      const loss = forwardBackwardLog(item, work);
      expect(Math.abs(loss - fast.losses[b])).toBeLessThan(1e-9 * loss);
    }
    let worst = 0;
    for (let i = 0; i < gradient.length; i++) worst = Math.max(worst, Math.abs(gradient[i] - fast.gradient[i]));
    expect(worst).toBeLessThan(1e-8);
  });

  test("the CTC loss is a mean over label lengths, then over the batch", () => {
    const batch = randomBatch(1, 3, 40, 6, 10, 1);
    const { losses, loss, gradient } = ctcLoss(batch);
    expect(loss).toBeCloseTo((losses[0] / 10 + losses[1] / 7 + losses[2] / 4) / 3, 12);
    const sum = ctcLoss(batch, { reduction: "sum" });
    expect(sum.loss).toBeCloseTo(losses[0] + losses[1] + losses[2], 10);
    expect(gradient[5]).toBeCloseTo(sum.gradient[5] / 30, 12);
  });

  test("the CTC loss zeroes what no alignment fits, and frames past the end", () => {
    const logits = new Float32Array(2 * 3 * 3).fill(1);
    const batch = { logits, shape: [2, 3, 3] as const, frameLengths: [3, 2], labels: [[1, 1, 2], [1]] };
    const { losses, infinite, gradient } = ctcLoss(batch);
    expect(infinite).toBe(1);
    expect(losses[0]).toBe(0);
    // paths of two frames that read as one label: ab, ba, aa of nine
    expect(losses[1]).toBeCloseTo(-Math.log(3 / 9), 12);
    expect(gradient).toBeInstanceOf(Float32Array);
    expect([...gradient.subarray(0, 9), ...gradient.subarray(15)].every((g) => g === 0)).toBe(true);
    expect(gradient.subarray(9, 15).some((g) => g !== 0)).toBe(true);
    expect(ctcLoss(batch, { zeroInfinity: false }).losses[0]).toBe(Number.POSITIVE_INFINITY);
  });

  test("the CTC loss passes NaN on, for that item only", () => {
    const logits = new Float64Array(2 * 2 * 2);
    logits[1] = Number.NaN;
    const { losses, gradient } = ctcLoss({ logits, shape: [2, 2, 2], frameLengths: [2, 2], labels: [[1], [1]] });
    expect(losses[0]).toBeNaN();
    expect(gradient[0]).toBeNaN();
    expect(losses[1]).toBeCloseTo(-Math.log(3 / 4), 12);
    expect(gradient.subarray(4).every(Number.isFinite)).toBe(true);
  });

  test("the CTC loss of an empty label is that of blanks only", () => {
    const { losses } = ctcLoss({ logits: new Float64Array(6), shape: [1, 3, 2], frameLengths: [3], labels: [[]] });
    expect(losses[0]).toBeCloseTo(3 * Math.log(2), 12);
  });

  test.each([
    [{ labels: [[0]] }, "label 0 at place 0 of item 0"],
    [{ labels: [[5]] }, "label 5"],
    [{ frameLengths: [4] }, "item 0 has 4 frames"],
    [{ labels: [] }, "0 label sequences"],
    [{ shape: [1, 2, 2] as const }, "[1, 2, 2]"],
  ])("the CTC loss refuses %j", (change, message) => {
    const batch = { logits: new Float64Array(6), shape: [1, 3, 2] as const, frameLengths: [3], labels: [[1]] };
    expect(() => ctcLoss({ ...batch, ...change })).toThrow(message);
  });
});

const python = findTorch();
test.skipIf(python === undefined)("CTC loss and gradient equal PyTorch's", () => {
  const script = `
import json, sys, torch
case = json.load(sys.stdin)
logits = torch.tensor(case["logits"], dtype=torch.float64, requires_grad=True)
labels = torch.tensor([x for y in case["labels"] for x in y])
out = {}
for reduction in ["mean", "sum"]:
    logits.grad = None
    loss = torch.nn.CTCLoss(blank=0, reduction=reduction, zero_infinity=True)(
        logits.log_softmax(-1).transpose(0, 1), labels,
        torch.tensor(case["frameLengths"]), torch.tensor([len(y) for y in case["labels"]]))
    loss.backward()
    out[reduction] = {"loss": loss.item(), "gradient": logits.grad.flatten().tolist()}
json.dump(out, sys.stdout)
`;
  const batch = randomBatch(3, 4, 30, 8, 14, 2);
  batch.labels[2] = Array.from({ length: 20 }, () => 3); // 39 frames needed: infinite
  const nested = batch.frameLengths.map((_, b) =>
    Array.from({ length: 30 }, (_, t) => [...batch.logits.subarray((b * 30 + t) * 8, (b * 30 + t + 1) * 8)]),
  );
  const recorded = runTorch(python!, script, { ...batch, logits: nested }) as Record<
    "mean" | "sum",
    { loss: number; gradient: number[] }
  >;
  for (const reduction of ["mean", "sum"] as const) {
    const ours = ctcLoss(batch, { reduction });
    expect(ours.infinite).toBe(1);
    expect(ours.loss).toBeCloseTo(recorded[reduction].loss, 9);
    let worst = 0;
    recorded[reduction].gradient.forEach((g, i) => {
      worst = Math.max(worst, Math.abs(g - ours.gradient[i]));
    });
    expect(worst).toBeLessThan(1e-9);
  }
});

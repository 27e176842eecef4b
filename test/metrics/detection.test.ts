// Slot filling, verification, diarisation and search metrics: by hand, by brute force, and against md-eval where installed.
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { bestAssignment } from "../../src/metrics/assignment.ts";
import {
  diarizationErrorRate,
  diarizationErrors,
  diarizationErrorsByOverlap,
  type SpeakerTurn,
} from "../../src/metrics/der.ts";
import { detectionCurve, equalErrorRate, minimumDetectionCost } from "../../src/metrics/eer.ts";
import { drawnQueries, maximumTermWeightedValue, QUESST_WEIGHTS, termDetectionCurve } from "../../src/metrics/mtwv.ts";
import { scoreSlots, slotsOfTranscript } from "../../src/metrics/slots.ts";
import { equalErrorInterval } from "../../src/metrics/verification.ts";
import { Random } from "../../src/random.ts";

describe("slot filling", () => {
  test("slots and their values are found in a transcript", () => {
    const slots = slotsOfTranscript("PLAY B-artist THE  BAND E-artist AND B-song B-x A E-x GO E-song B-open END");
    expect([...slots]).toEqual([
      ["artist", ["THE BAND"]],
      ["song", ["A GO"]],
    ]);
  });

  test("slot scores are those counted by hand", () => {
    const predictions = [
      // one of two types found, one invented: F1 = 1/2; value ABC heard as ABD (closest of two), XY not at all
      {
        id: "1",
        reference: "B-a ABC E-a B-b XY E-b",
        hypothesis: "B-a ABD E-a B-a QQQQ E-a B-c Z E-c",
      },
      // neither has slots: F1 = 1
      { id: "2", reference: "HELLO", hypothesis: "HELL" },
      // nothing found: F1 = 0
      { id: "3", reference: "B-a GO E-a", hypothesis: "GO" },
    ];
    const { f1, cer, characters, edits } = scoreSlots(predictions);
    expect(f1).toBeCloseTo((100 * 1.5) / 3, 9);
    expect([characters, edits]).toEqual([7, 1 + 2 + 2]);
    expect(cer).toBeCloseTo(500 / 7, 9);
    expect(() => scoreSlots([])).toThrow("no predictions");
    expect(() => scoreSlots(predictions.slice(1, 2))).toThrow("no reference has a slot");
  });
});

describe("equal error rate", () => {
  const eer = (targets: number[], others: number[]) =>
    equalErrorRate([...targets, ...others], [...targets.map(() => true), ...others.map(() => false)]).eer;

  test.each([
    [[3, 4], [1, 2], 0],
    [[1, 2], [3, 4], 100],
    [[1, 1], [1, 1], 50],
    // one of four on each side is wrong at a threshold between 2 and 3
    [[2, 5, 6, 7], [0, 1, 1, 3], 25],
    // between (0, 1/2) and (1/3, 1/2) the curve meets alarms = misses = 1/2 past the next point (1/3, 1), at 1/3
    [[1, 4], [0, 0, 3], 100 / 3],
    // a tie of both kinds is a slope: from (0, 0) to (1/2, 1), met at alarms 1/3
    [[1], [1, 0], 100 / 3],
  ])("the equal error rate of targets %j and others %j", (targets, others, expected) => {
    expect(eer(targets, others)).toBeCloseTo(expected, 9);
  });

  test("the equal error rate is where misses and false alarms meet, for many trials", () => {
    const random = new Random(4);
    const targets = Array.from({ length: 4000 }, () => random.normal() + 2);
    const others = Array.from({ length: 4000 }, () => random.normal());
    // two normals two deviations apart cross at one: P(Z > 1) = 15.87 %
    expect(Math.abs(eer(targets, others) - 15.87)).toBeLessThan(1.5);
    expect(() => eer([1], [])).toThrow("both needed");
    expect(() => eer([Number.NaN], [1])).toThrow("NaN");
  });
});

describe("detection", () => {
  const listOf = (targets: readonly number[], others: readonly number[]) =>
    [
      [...targets, ...others],
      [...targets.map(() => true), ...others.map(() => false)],
    ] as const;
  /** By definition, for every score there is. */
  const rates = (targets: readonly number[], others: readonly number[], threshold: number) => [
    targets.filter((score) => score < threshold).length / targets.length,
    others.filter((score) => score >= threshold).length / others.length,
  ];
  const scores = fc.array(fc.constantFrom(-1, 0, 0.25, 0.5, 0.5, 1, 2), { minLength: 1, maxLength: 12 });

  test("the threshold of an equal error rate has the rates that it says, as equal as any has, on tied lists too", () => {
    fc.assert(
      fc.property(scores, scores, (targets, others) => {
        const { threshold, missRate, falseAlarmRate } = equalErrorRate(...listOf(targets, others));
        const [misses, alarms] = rates(targets, others, threshold);
        expect(missRate).toBeCloseTo(misses, 12);
        expect(falseAlarmRate).toBeCloseTo(alarms, 12);
        for (const other of [...targets, ...others, 9]) {
          const [m, a] = rates(targets, others, other);
          expect(Math.abs(misses - alarms)).toBeLessThanOrEqual(Math.abs(m - a) + 1e-12);
        }
      }),
    );
    expect(equalErrorRate(...listOf([0.5, 0.5], [0.5]))).toMatchObject({ eer: 50, threshold: 0.5 });
    expect(equalErrorRate(...listOf([Number.POSITIVE_INFINITY, 1], [Number.NEGATIVE_INFINITY, 0]))).toMatchObject({
      eer: 0,
      threshold: 1,
    });
  });

  test("lists of one class, and of nothing, are errors that say so", () => {
    expect(() => equalErrorRate(...listOf([1, 2], []))).toThrow("all 2 trials are of one speaker");
    expect(() => equalErrorRate(...listOf([], [1, 2, 3]))).toThrow("all 3 trials are of two speakers");
    expect(() => equalErrorRate([], [])).toThrow("there are no trials");
    expect(() => detectionCurve([1], [true])).toThrow("both needed");
  });

  test("the curve has the rates of every threshold, and the least cost is the least of them", () => {
    fc.assert(
      fc.property(scores, scores, (targets, others) => {
        const curve = detectionCurve(...listOf(targets, others));
        expect(curve.map(({ threshold }) => threshold)).toEqual([
          Number.POSITIVE_INFINITY,
          ...[...new Set([...targets, ...others])].sort((a, b) => b - a),
        ]);
        for (const { threshold, missRate, falseAlarmRate } of curve) {
          const [misses, alarms] = rates(targets, others, threshold);
          expect(missRate).toBeCloseTo(misses, 12);
          expect(falseAlarmRate).toBeCloseTo(alarms, 12);
        }
        const costs = curve.map(({ missRate, falseAlarmRate }) => (0.05 * missRate + 0.95 * falseAlarmRate) / 0.05);
        expect(minimumDetectionCost(curve).cost).toBeCloseTo(Math.min(...costs), 12);
      }),
    );
    const curve = detectionCurve([3, 2, 1], [true, false, true]);
    // at 3: half the targets missed, no alarms
    expect(minimumDetectionCost(curve)).toEqual({ cost: 0.5, threshold: 3 });
    expect(() => minimumDetectionCost(curve, { targetPrior: 1, missCost: 1, falseAlarmCost: 1 })).toThrow("prior");
  });

  const trialsOf = (speakers: number, seed: number, shift: number) => {
    const random = new Random(seed, "trials");
    return Array.from({ length: 600 }, (_, i) => {
      const a = random.integer(speakers);
      const b = i % 2 === 0 ? a : (a + 1 + random.integer(speakers - 1)) % speakers;
      return { speakers: [`s${a}`, `s${b}`] as const, score: random.normal() + (a === b ? shift : 0) };
    });
  };

  test("an interval over speakers holds the estimate, is drawn of speakers, and is the same again", () => {
    const trials = trialsOf(20, 1, 2);
    const interval = equalErrorInterval(trials, { seed: 0, draws: 400 });
    const { eer } = equalErrorRate(
      trials.map(({ score }) => score),
      trials.map(({ speakers: [a, b] }) => a === b),
    );
    expect(interval.estimate).toBeCloseTo(eer, 9);
    expect(interval.low).toBeLessThan(eer);
    expect(interval.high).toBeGreaterThan(eer);
    expect(equalErrorInterval(trials, { seed: 0, draws: 400 })).toEqual(interval);
    // ten times the trials of the same speakers tell no more of other speakers
    const many = Array.from({ length: 10 }, () => trials).flat();
    const { low, high } = equalErrorInterval(many, { seed: 0, draws: 400 });
    expect([low, high].map((value) => value.toFixed(6))).toEqual(
      [interval.low, interval.high].map((value) => value.toFixed(6)),
    );
  });
});

test("the assignment is the best of all permutations", () => {
  const matrix = fc
    .tuple(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 4 }))
    .chain(([rows, columns]) =>
      fc.array(fc.array(fc.nat(9), { minLength: columns, maxLength: columns }), { minLength: rows, maxLength: rows }),
    );
  const best = (gains: number[][], row: number, used: number): number => {
    if (row === gains.length) return 0;
    let most = best(gains, row + 1, used);
    gains[row].forEach((gain, j) => {
      if (!(used & (1 << j))) most = Math.max(most, gain + best(gains, row + 1, used | (1 << j)));
    });
    return most;
  };
  fc.assert(
    fc.property(matrix, (gains) => {
      const columns = bestAssignment(gains).filter((j) => j >= 0);
      expect(new Set(columns).size).toBe(columns.length);
      expect(columns.length).toBe(Math.min(gains.length, gains[0].length));
      const total = bestAssignment(gains).reduce((sum, j, i) => sum + (j >= 0 ? gains[i][j] : 0), 0);
      expect(total).toBe(best(gains, 0, 0));
    }),
    { numRuns: 100 },
  );
  expect(bestAssignment([])).toEqual([]);
});

const turn = (speaker: string, startSeconds: number, endSeconds: number): SpeakerTurn => ({
  speaker,
  startSeconds,
  endSeconds,
});

describe("diarisation error rate", () => {
  test("misses, false alarms, confusion and overlap are those counted by hand", () => {
    const reference = [turn("A", 0, 10), turn("B", 8, 20)];
    const hypothesis = [turn("x", 0, 9), turn("y", 9, 15), turn("x", 15, 20), turn("y", 25, 26)];
    const errors = diarizationErrors(reference, hypothesis);
    // x is A (9 s), y is B (6 s); B alone 8-9 and A alone 9-10 are missed, 15-20 is x for B, 25-26 nobody
    expect(errors).toEqual({ speechSeconds: 22, missedSeconds: 2, falseAlarmSeconds: 1, confusionSeconds: 5 });
    expect(diarizationErrorRate([errors])).toBeCloseTo(800 / 22, 9);
    expect(diarizationErrorRate([errors, { ...errors, missedSeconds: 0 }])).toBeCloseTo(1400 / 44, 9);
  });

  test("the diarisation error rate does not care what speakers are called, or that turns overlap themselves", () => {
    const reference = [turn("A", 0, 3), turn("A", 2, 5), turn("B", 6, 7)];
    const hypothesis = [turn("2", 0, 5), turn("1", 6, 7)];
    expect(diarizationErrors(reference, hypothesis)).toEqual({
      speechSeconds: 6,
      missedSeconds: 0,
      falseAlarmSeconds: 0,
      confusionSeconds: 0,
    });
    expect(diarizationErrors(reference, []).missedSeconds).toBe(6);
    expect(() => diarizationErrorRate([diarizationErrors([], hypothesis)])).toThrow("no speech");
    expect(() => diarizationErrors([turn("A", 3, 2)], [])).toThrow("from 3 s to 2 s");
  });
});

const mdEval = "/usr/lib/sctk/bin/md-eval.pl";
const hasMdEval = existsSync(mdEval);
if (!hasMdEval) console.warn(`skipped: no ${mdEval} (Debian: sctk)`);

const SCORED = ["MISSED SPEAKER TIME", "FALARM SPEAKER TIME", "SPEAKER ERROR TIME"];

test.skipIf(!hasMdEval)("diarisation errors equal md-eval's with a UEM over both sides, part by part", async () => {
  const folder = await mkdtemp(join(tmpdir(), "md-eval-"));
  const random = new Random(17);
  const hundredth = (seconds: number) => Math.round(100 * seconds) / 100;
  // a speaker's own turns may touch or overlap: both sides count them once
  const draw = (speakers: number) =>
    Array.from({ length: speakers }, (_, s) => {
      const turns: SpeakerTurn[] = [];
      for (let at = random.integer(800) / 100; at < 50; at += random.integer(900) / 100 - 0.5) {
        const end = hundredth(at + 0.5 + random.integer(900) / 100);
        turns.push(turn(`s${s}`, hundredth(Math.max(0, at)), end));
        at = end;
      }
      return turns;
    }).flat();
  try {
    for (let round = 0; round < 6; round++) {
      const recordings = Array.from({ length: 1 + random.integer(3) }, (_, i) => ({
        name: `r${i}`,
        sides: { reference: draw(1 + random.integer(3)), hypothesis: draw(1 + random.integer(4)) },
      }));
      for (const side of ["reference", "hypothesis"] as const) {
        const lines = recordings.flatMap(({ name, sides }) =>
          sides[side].map(
            ({ speaker, startSeconds, endSeconds }) =>
              `SPEAKER ${name} 1 ${startSeconds} ${(endSeconds - startSeconds).toFixed(2)} <NA> <NA> ${speaker} <NA>\n`,
          ),
        );
        await writeFile(join(folder, side), lines.join(""));
      }
      const uem = recordings.map(({ name, sides }) => {
        const turns = [...sides.reference, ...sides.hypothesis];
        const [from, to] = [turns.map((one) => one.startSeconds), turns.map((one) => one.endSeconds)];
        return `${name} 1 ${Math.min(...from)} ${Math.max(...to)}\n`;
      });
      await writeFile(join(folder, "all.uem"), uem.join(""));
      const options = ["-c", "0", "-r", "reference", "-s", "hypothesis", "-u", "all.uem"];
      const { stdout } = spawnSync(mdEval, options, { cwd: folder, encoding: "utf8" });
      const all = stdout.slice(stdout.lastIndexOf("for ALL"));
      const expected = Number(/OVERALL SPEAKER DIARIZATION ERROR = ([\d.]+) percent/.exec(all)?.[1]);
      const errors = recordings.map(({ sides }) => diarizationErrors(sides.reference, sides.hypothesis));
      expect(Math.abs(diarizationErrorRate(errors) - expected)).toBeLessThan(0.011);
      const sum = (key: keyof (typeof errors)[number]) => errors.reduce((total, one) => total + one[key], 0);
      const parts = [sum("missedSeconds"), sum("falseAlarmSeconds"), sum("confusionSeconds")];
      for (const [i, name] of SCORED.entries())
        expect(Math.abs(parts[i] - Number(new RegExp(`${name} =\\s*([\\d.]+)`).exec(all)?.[1]))).toBeLessThan(0.011);
    }
  } finally {
    await rm(folder, { recursive: true });
  }
});

test("errors by overlap are those of stretches with nobody, one and several speaking", () => {
  const reference = [turn("A", 0, 10), turn("B", 8, 20)];
  const hypothesis = [turn("x", 0, 9), turn("y", 9, 15), turn("x", 15, 20), turn("y", 25, 26)];
  const { silence, single, overlap } = diarizationErrorsByOverlap(reference, hypothesis);
  expect(silence).toEqual({ speechSeconds: 0, missedSeconds: 0, falseAlarmSeconds: 1, confusionSeconds: 0 });
  expect(single).toEqual({ speechSeconds: 18, missedSeconds: 0, falseAlarmSeconds: 0, confusionSeconds: 5 });
  expect(overlap).toEqual({ speechSeconds: 4, missedSeconds: 2, falseAlarmSeconds: 0, confusionSeconds: 0 });
});

describe("maximum term weighted value", () => {
  // beta = 1 x 0.5 / (1 x 0.5) = 1
  const weights = { missCost: 1, falseAlarmCost: 1, targetPrior: 0.5 };
  const trials = (query: string, targets: number[], others: number[]) => [
    ...targets.map((score) => ({ query, score, isTarget: true })),
    ...others.map((score) => ({ query, score, isTarget: false })),
  ];

  test("the maximum term weighted value is that found by hand", () => {
    const all = [...trials("q", [9, 5], [6, 1]), ...trials("r", [8], [7, 2])];
    // at 8: q misses one of two, r nothing: 1 - (1/2 + 0) / 2
    expect(maximumTermWeightedValue(all, weights)).toEqual({ mtwv: 0.75, threshold: 8, queries: 2 });
    // at 5: q finds both with one false alarm of two, r has one of two: 1 - (1/2 + 1/2) / 2, and cheap alarms pay
    const cheap = { ...weights, falseAlarmCost: 0.1 };
    expect(maximumTermWeightedValue(all, cheap).mtwv).toBeCloseTo(1 - (0.05 + 0.05) / 2, 12);
  });

  test("the maximum term weighted value of a useless system is below 0, and queries without targets are left out", () => {
    // at 3 one of two others is claimed, at 1 everything: 0 - 1/2 and 1 - 1
    expect(maximumTermWeightedValue(trials("q", [1], [2, 3]), weights)).toEqual({ mtwv: 0, threshold: 1, queries: 1 });
    const dear = { ...weights, falseAlarmCost: 3 };
    expect(maximumTermWeightedValue(trials("q", [1], [2, 3]), dear)).toEqual({ mtwv: -1.5, threshold: 3, queries: 1 });
    const all = [...trials("q", [3], [1]), ...trials("none", [], [9, 9])];
    expect(maximumTermWeightedValue(all, weights)).toEqual({ mtwv: 1, threshold: 3, queries: 1 });
    expect(() => maximumTermWeightedValue(trials("q", [], [1]), weights)).toThrow("no query");
    expect(() => maximumTermWeightedValue(trials("q", [Number.NaN], []), weights)).toThrow("NaN");
    expect(() => maximumTermWeightedValue([], { ...weights, targetPrior: 0 })).toThrow("prior");
  });

  // by NIST's F4DE 3.5.0 (TrialsTWV, MetricTWV, DETCurve->getBestCombComb) with as many documents as trials, and with 40
  test.each([
    [0, 1, 3.3, 1],
    [1, -0.594761904761905, 1.9, -0.109561403508772],
    [2, -0.416333333333333, 2, -0.109561403508772],
    [3, -0.346944444444444, 2, -0.112522522522523],
    [4, 0.666666666666667, 2.1, 0.666666666666667],
    [5, -0.178235294117647, 2, -0.0489814814814813],
    [6, -0.219122807017544, 2, -0.118952380952381],
    [7, 0.355555555555556, 2.3, 0.355555555555556],
  ])("list %i of scores with ties has the value that F4DE gives it", (list, value, threshold, of40) => {
    const scored = scoredLists()[list];
    const found = maximumTermWeightedValue(scored, QUESST_WEIGHTS);
    expect(found.mtwv).toBeCloseTo(value, 12);
    expect(found.threshold).toBe(threshold);
    const larger = maximumTermWeightedValue(scored, QUESST_WEIGHTS, { documents: 40 });
    expect(larger.mtwv).toBeCloseTo(of40, 12);
  });

  test("queries that were not searched for count as not found", () => {
    const all = [...trials("q", [9, 5], [6, 1]), ...trials("r", [8], [7, 2])];
    const own = maximumTermWeightedValue(all, weights, { documents: 22 });
    // at 5: q finds both with 1 alarm of 20, r its one with 1 of 21
    expect(own.mtwv).toBeCloseTo(1 - (1 / 20 + 1 / 21) / 2, 12);
    const official = maximumTermWeightedValue(all, weights, { documents: 22, queries: 5 });
    expect(official.mtwv).toBeCloseTo((2 / 5) * own.mtwv, 12);
    expect(() => maximumTermWeightedValue(all, weights, { documents: 3 })).toThrow('query "q" has 4 trials');
    expect(() => maximumTermWeightedValue(all, weights, { queries: 1 })).toThrow("2 of the trials are in a document");
  });

  test("queries that are drawn again count as often as they are drawn", () => {
    const all = [...trials("found", [9], [1, 2]), ...trials("lost", [0], [5, 6])];
    const { count, mtwvOf } = drawnQueries(all, weights);
    expect(count).toBe(2);
    expect(mtwvOf([0, 1])).toBe(maximumTermWeightedValue(all, weights).mtwv);
    // everything claimed: 1 - 1
    expect([mtwvOf([0, 0]), mtwvOf([1, 1])]).toEqual([1, 0]);
  });

  test("the detection curve has the rates at every threshold", () => {
    const all = [...trials("q", [9, 5], [6]), ...trials("r", [6], [2])];
    expect(termDetectionCurve(all).map(({ threshold, missRate }) => [threshold, missRate])).toEqual([
      [9, 0.75],
      [6, 0.25],
      [5, 0],
      [2, 0],
    ]);
    expect(termDetectionCurve(all).map(({ falseAlarmRate }) => falseAlarmRate)).toEqual([0, 0.5, 0.5, 1]);
  });
});

/** Lists of scores with one decimal, as they were given to F4DE: four queries, the last without targets. */
function scoredLists() {
  let state = 12_345;
  const next = () => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    return state / 2_147_483_648;
  };
  const useful = [3, 1, 0, -2, 2, 0.5, -1, 1.5];
  return useful.map((gain, list) =>
    [0, 1, 2, 3].flatMap((query) =>
      Array.from({ length: 6 + 3 * list }, (_, document) => {
        const isTarget = query < 3 && document % 5 === query;
        const score = Math.round((next() * 4 - 2 + Number(isTarget) * gain) * 10) / 10;
        return { query: `q${query}`, score, isTarget };
      }),
    ),
  );
}

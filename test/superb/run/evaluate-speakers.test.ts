// Verification and diarisation from corpus to report: choices on dev and on test, lists that are kept, probabilities, resumption.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { equalErrorRate } from "../../../src/metrics/eer.ts";
import { readPredictions } from "../../../src/metrics/predictions.ts";
import { Random } from "../../../src/random.ts";
import { reportEvaluation } from "../../../src/report/evaluation/page.ts";
import { decodeFloats } from "../../../src/speakers/probabilities.ts";
import { evaluateRun } from "../../../src/superb/run/evaluate-run.ts";
import type { EvaluationOptions } from "../../../src/superb/run/evaluation.types.ts";
import { readResult } from "../../../src/superb/run/result.ts";
import { wavFile } from "../../audio/signals.ts";
import { temporaryFolder } from "../../data/corpora.ts";

process.env.STILLWAVE_CACHE = temporaryFolder();

/** Speakers are noises of different colour. */
function voice(path: string, colour: number, seconds: number): void {
  const random = new Random(1, path);
  let last = 0;
  const pcm = Int16Array.from({ length: seconds * 16_000 }, () => {
    last = colour * last + (2 * random.uniform() - 1);
    return Math.round(4000 * last * (1 - Math.abs(colour)));
  });
  mkdirSync(join(path, ".."), { recursive: true });
  writeFileSync(path, wavFile({ bits: 16, data: new Uint8Array(pcm.buffer) }));
}

async function resultOf(options: EvaluationOptions) {
  const on = new Set<string>();
  for await (const event of evaluateRun(options)) {
    if (event.kind === "interrupted") throw new Error("interrupted");
    if (event.kind === "evaluation") on.add(event.on);
  }
  const folder = options.run?.outDir ?? "";
  return { folder, on: [...on], result: await readResult(folder) };
}

const common = { upstream: { model: "fbank" }, run: { threads: 1 } } as const;

describe("verification", () => {
  const root = temporaryFolder();
  const colours = [-0.8, -0.5, 0, 0.5, 0.7, 0.9];
  for (const [i, colour] of colours.entries())
    for (const chapter of ["1", "2"])
      for (const n of [0, 1]) {
        const split = i < 3 ? "train" : i < 5 ? "dev" : "test";
        voice(join(root, split, `${i}`, chapter, `${i}-${chapter}-${n}.wav`), colour, 2.5);
        if (split === "test") voice(join(root, split, `9`, chapter, `9-${chapter}-${n}.wav`), 0.2, 2.5);
      }
  const settings = (protocol: "fixed" | "superb") =>
    ({
      ...common,
      task: "asv",
      data: { root },
      training: { protocol, steps: 4, evaluateEvery: 2, batchSize: 4, accumulate: 1, learningRates: [1e-3] },
      head: { hidden: 6, projection: 5 },
      run: { ...common.run, outDir: join(temporaryFolder(), protocol) },
    }) as const;

  test("under fixed dev chooses the step, and the list that was made is kept", { timeout: 60_000 }, async () => {
    const { folder, result, on } = await resultOf(settings("fixed"));
    expect(on).toEqual(["dev"]);
    expect(result).toMatchObject({ task: "asv", unit: "trial", metric: { name: "EER" } });
    expect(result.choices).toMatchObject([{ what: "checkpoint", on: "dev", among: 2 }]);
    const rows = await readPredictions(join(folder, result.predictions.test));
    const list = readFileSync(join(folder, "trials-test.txt"), "utf8").trim().split("\n");
    expect(rows.map(({ id }) => id)).toEqual(list.map((line) => line.slice(2)));
    const { eer } = equalErrorRate(
      rows.map(({ hypothesis }) => Number(hypothesis)),
      list.map((line) => line[0] === "1"),
    );
    expect(result.metric.value).toBeCloseTo(eer, 9);
    expect(readFileSync(join(folder, "trials-dev.txt"), "utf8")).toMatch(/^[01] /);
    await reportEvaluation(folder);
    expect(readFileSync(join(folder, "report.html"), "utf8")).toContain("Misses and false alarms");
  });

  test("under superb test chooses the step, and the result says so", { timeout: 60_000 }, async () => {
    const { folder, result, on } = await resultOf(settings("superb"));
    expect(result.choices).toMatchObject([{ what: "checkpoint", on: "test", among: 2 }]);
    expect(on).toEqual(["test"]);
    expect([result.dev, result.predictions.dev]).toEqual([null, null]);
    await reportEvaluation(folder);
    const report = readFileSync(join(folder, "report.html"), "utf8");
    expect(report).toContain("EER on test at");
    expect(report).not.toContain(" on dev");
  });
});

describe("diarisation", () => {
  const root = temporaryFolder();
  for (const split of ["train", "dev", "test"]) {
    for (const n of [0, 1, 2]) voice(join(root, split, `${split}${n}.wav`), n / 3, 2);
    const file = (name: string, text: (id: string) => string) =>
      writeFileSync(join(root, split, name), [0, 1, 2].map((n) => text(`${split}${n}`)).join(""));
    file("wav.scp", (id) => `${id} ${id}.wav\n`);
    file("segments", (id) => `${id}-a ${id} 0.1 1.2\n${id}-b ${id} 0.8 1.9\n`);
    file("utt2spk", (id) => `${id}-a ${id}a\n${id}-b ${id}b\n`);
    file("reco2dur", (id) => `${id} 2.0\n`);
  }

  test.each(["fixed", "superb"] as const)(
    "%s chooses the way of reading where it says",
    { timeout: 60_000 },
    async (protocol) => {
      const { folder, result } = await resultOf({
        ...common,
        task: "sd",
        data: { root },
        training: { protocol, steps: 4, evaluateEvery: 2, batchSize: 2, accumulate: 1, learningRates: [1e-3] },
        head: { hidden: 4 },
        run: { ...common.run, outDir: join(temporaryFolder(), protocol) },
      });
      expect(result).toMatchObject({ task: "sd", unit: "turn", metric: { name: "DER" } });
      expect(result.decodings).toHaveLength(10);
      const [metric, others] = [result.metric, result.otherMetrics];
      expect(others.reduce((sum, { value }) => sum + value, 0)).toBeCloseTo(metric.value, 9);
      const choice = result.choices.find(({ what }) => what.startsWith("reading"));
      expect(choice).toMatchObject({
        on: protocol === "superb" ? "test" : "dev",
        among: 10,
        chosen: result.decodings[0].name,
      });
      if (protocol === "superb") {
        expect(metric.value).toBe(Math.min(...result.decodings.map((one) => one.metric.value)));
        expect(choice?.onDev).toMatch(/^threshold/);
      }
      const [row] = await readPredictions(join(folder, result.predictions.test));
      const probabilities = decodeFloats(row.detail ?? "");
      // 100 frames of 10 ms for every second of two speakers
      expect(probabilities).toHaveLength(2 * 200);
      expect(probabilities?.every((value) => value > 0 && value < 1)).toBe(true);
      const [other] = await readPredictions(join(folder, result.decodings[1].predictions));
      expect(other.detail).toBeUndefined();
      await reportEvaluation(folder);
      expect(readFileSync(join(folder, "report.html"), "utf8")).toContain("DER on dev by threshold");
    },
  );
});

// The report of an evaluation: complete, self-contained, escaped, bounded, and never failing for a recording.
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Prediction } from "../../../src/metrics/predictions.ts";
import { reportEvaluation, writeEvaluationReport } from "../../../src/report/evaluation/page.ts";
import type { Evaluation } from "../../../src/report/results/read.ts";
import type { EvaluationResult } from "../../../src/superb/run/result.ts";
import { brokenIds, outside, parse, textOf } from "../page.ts";
import { madeRun, metricOf, writeRun } from "../runs.ts";

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "evaluation-report-"));
});
afterAll(() => rm(root, { recursive: true }));

const withResult = (run: Evaluation, change: Partial<EvaluationResult>): Evaluation => ({
  ...run,
  result: { ...run.result, ...change },
});

/** The run with other test predictions and the metric that they give. */
const withTest = (run: Evaluation, test: readonly Prediction[]): Evaluation => ({
  ...withResult(run, { metric: metricOf(run.result.task, test) }),
  test,
});

describe.each(["pr", "asr", "ks", "sid", "ic"] as const)("%s", (task) => {
  const run = madeRun(task);
  const page = writeEvaluationReport(run);
  const text = textOf(page);
  const { metric, dev } = run.result;

  test("the page says how well the upstream did, on what, and how the head was trained", () => {
    expect(text).toContain(`${metric.value.toFixed(2)} %`);
    expect(text).toContain(`95 % interval ${metric.low.toFixed(2)} to ${metric.high.toFixed(2)}`);
    expect(text).toContain(dev?.toFixed(2));
    expect(text).toMatch(/94\.4 M parameters, frozen; the head trains 0\.22 M/);
    expect(text).toMatch(/Learning rate 1e-3 best on dev of 4/);
    expect(text).toMatch(/train 28,539 101 hours train-clean-100 dev \d+ .* held out of train test \d+ .* test-clean/);
    expect(text).toContain("layer 9 0.1489");
    expect(text).toMatch(/1e-1 diverged — 6,000 212/);
    expect(text).toContain("fixed: training ends when dev no longer improves");
    expect(text).toMatch(/batch 16 .* lm none/);
    expect(text).toContain("onnxruntime 1.30.0");
  });

  test("the page loads and runs nothing, forbids itself to, and plays what it holds", () => {
    expect(outside(page)).toEqual([]);
    expect(parse(page).querySelector("meta[http-equiv=Content-Security-Policy]")!.getAttribute("content")).toMatch(
      /^default-src 'none'; img-src data:; media-src data:; style-src 'unsafe-inline'; script-src 'sha256-[^']+'$/,
    );
    expect(parse(page).querySelectorAll("audio[controls]")).toHaveLength(10);
    expect(Buffer.byteLength(page)).toBeLessThan(2e6);
  });

  test("the page is accessible, has no broken number in a picture, and is the same for the same data", () => {
    expect(brokenIds(page)).toEqual([]);
    for (const svg of parse(page).querySelectorAll("svg:not([aria-hidden])")) {
      expect(svg.getAttribute("role")).toBe("img");
      expect(svg.outerHTML.replace(/<(desc|title).*?<\/\1>/g, "")).not.toMatch(/NaN|undefined|Infinity/);
    }
    expect(writeEvaluationReport(run)).toBe(page);
  });
});

describe("what the page shows", () => {
  test("the page shows counts of errors as they are in the predictions", () => {
    const rows = [
      { id: "a", reference: "A B C D", hypothesis: "A X C D" },
      { id: "b", reference: "A B", hypothesis: "A B" },
      { id: "c", reference: "A B C D", hypothesis: "B C D E F" },
    ];
    const text = textOf(writeEvaluationReport(withTest(madeRun("asr"), rows)));
    expect(text).toMatch(
      /Of 10 words of reference .* correct 8 80\.0 % substitutions 1 10\.0 % deletions 1 10\.0 % insertions 2 20\.0 %/,
    );
    expect(text).toContain("WER 40.00 %: 4 edits");
    expect(text).toContain("66.67 % of 3 utterances hold an error");
    const document = parse(writeEvaluationReport(withTest(madeRun("asr"), rows)));
    const [worst] = document.querySelectorAll(".utterances > li");
    expect(worst.querySelector("h3")!.textContent).toContain("3 edits for 4 words (75.0 %)");
    const pairs = [...worst.querySelectorAll(".aligned li")].map((item) => `${item.className} ${item.textContent}`);
    expect(pairs).toEqual(["deletion A–D", "correct BB", "correct CC", "correct DD", "insertion –EI", "insertion –FI"]);
  });

  test("the worst utterances come first: by edits, then by rate", () => {
    const rows = [
      { id: "one", reference: "A B C", hypothesis: "A B" },
      { id: "long", reference: "A B C D", hypothesis: "X Y C D" },
      { id: "right", reference: "A B", hypothesis: "A B" },
      { id: "short", reference: "A B", hypothesis: "X Y" },
      { id: "most", reference: "A B C D", hypothesis: "" },
    ];
    const document = parse(writeEvaluationReport(withTest(madeRun("asr"), rows)));
    const ids = [...document.querySelectorAll(".utterances h3")].map(({ textContent }) => textContent.split(" ")[0]);
    expect(ids).toEqual(["most", "short", "long", "one"]);
  });

  test("the page shows decodings side by side, the headline marked", () => {
    const run = madeRun("asr");
    const other = metricOf("asr", madeRun("asr", { share: 0.08, seed: 4 }).test);
    const decodings = [
      ...run.result.decodings,
      { name: "lexicon beam 5, 4-gram.arpa", metric: other, otherMetrics: [], predictions: "p/lm.jsonl" },
    ];
    const text = textOf(writeEvaluationReport(withResult(run, { decodings })));
    expect(text).toContain("greedy (headline)");
    expect(text).toContain(`lexicon beam 5, 4-gram.arpa ${other.value.toFixed(2)} %`);
  });

  test("a learning rate at the end of the sweep, updates left out and lost predictions of dev are pointed out", () => {
    const { dev: _, ...run } = madeRun("pr", { rates: [1e-3, 1e-2] });
    const rates = run.result.learningRates.map((rate) => ({ ...rate, skippedSteps: 3 }));
    const text = textOf(writeEvaluationReport(withResult(run, { learningRates: rates })));
    expect(text).toContain("chosen learning rate is the smallest that was tried; a smaller one may be better");
    expect(text).toContain("3 updates of the chosen head were left out");
    expect(text).toContain("no longer holds the predictions of dev");
  });

  test("one learning rate and one hidden state leave nothing to choose or to weigh", () => {
    const run = madeRun("ks", { rates: [1e-4], layers: 1 });
    const upstream = { ...run.result.upstream, kind: "fbank", parameters: null, layers: ["fbank"] } as const;
    const text = textOf(writeEvaluationReport(withResult(run, { upstream })));
    expect(text).toContain("the only one tried");
    expect(text).toContain("one hidden state, so there is nothing to weigh");
    expect(text).not.toMatch(/Every learning rate|by learning rate/);
    expect(text).toContain("Upstream fbank without parameters to count");
  });

  test("predictions without errors are said to have none", () => {
    for (const task of ["pr", "ks"] as const) {
      const run = madeRun(task);
      const page = writeEvaluationReport(
        withTest(
          run,
          run.test.map((row) => ({ ...row, hypothesis: row.reference })),
        ),
      );
      expect(textOf(page)).toMatch(/None of the 77 utterances has an error|All 400 answers are right/);
      expect(page).not.toContain("media-src");
    }
  });
});

describe("recordings", () => {
  const playing = (audio: string | undefined) => {
    const run = madeRun("ks");
    const rows = run.test.map((row) => ({
      ...row,
      audio,
      hypothesis: "no",
      reference: row.id.endsWith("3") ? "go" : "no",
    }));
    return writeEvaluationReport(withTest(run, rows));
  };

  test("recordings that do not exist, or are not named, are said to be missing", () => {
    expect(textOf(playing("/nowhere/a.flac"))).toContain("No recording: the file is not there (any more).");
    expect(textOf(playing(undefined))).toContain("No recording: the predictions do not say where the recording is.");
    expect(playing("/nowhere/a.flac")).not.toContain("<audio");
  });

  test("recordings that are folders, devices, texts, pickles, or impossible paths are not embedded", async () => {
    const secret = join(root, "secret.flac");
    await writeFile(secret, "root:x:0:0");
    expect(textOf(playing(secret))).toContain("it is in no format that browsers play");
    expect(playing(secret)).not.toContain(Buffer.from("root:x:0:0").toString("base64"));
    expect(textOf(playing(root))).toContain("its path is no file");
    expect(textOf(playing("/dev/zero"))).toContain("its path is no file");
    expect(textOf(playing("a\0b"))).toContain("No recording: it cannot be read");
    expect(textOf(playing(`/${"x".repeat(5000)}`))).toContain("No recording: it cannot be read");
  });

  test("recordings that are too large, or too many for one page, are left out", async () => {
    const run = madeRun("pr");
    const flac = await readFile(run.test[0].audio!);
    const [large, fits] = [join(root, "large.flac"), join(root, "fits.flac")];
    await writeFile(large, Buffer.concat([flac, Buffer.alloc(400_001)]));
    await writeFile(fits, Buffer.concat([flac, Buffer.alloc(390_000 - flac.length)]));
    expect(textOf(playing(large))).toMatch(/No recording: \d+ kB are more than the 400 kB that a page holds of one/);
    const page = writeEvaluationReport(
      withTest(
        run,
        run.test.map((row) => ({ ...row, audio: fits })),
      ),
    );
    expect(parse(page).querySelectorAll("audio")).toHaveLength(5);
    expect(textOf(page)).toContain("No recording: the page holds as much audio as it can.");
    expect(Buffer.byteLength(page)).toBeLessThan(4e6);
  });

  test("recordings may be named relative to the corpus", () => {
    const run = madeRun("pr");
    const rows = run.test.map((row) => ({ ...row, audio: row.audio!.slice(run.result.data.root.length + 1) }));
    expect(parse(writeEvaluationReport(withTest(run, rows))).querySelectorAll("audio")).toHaveLength(10);
  });
});

describe("hostile and odd input", () => {
  const evil = `<script>alert(1)</script>"'&<img src=x onerror=alert(1)></style></title>\u0000\ud800`;

  test.each(["pr", "asr", "ks"] as const)("every text is escaped: %s", (task) => {
    const run = madeRun(task);
    const word = evil.replaceAll(" ", "_");
    const rows = run.test.map((row, i) => ({
      id: `${evil}${i}`,
      reference: row.reference,
      hypothesis: `${word} ${row.hypothesis} ${word}`,
      audio: `/${evil}`,
    }));
    const { result } = withTest(run, rows);
    const hostile: EvaluationResult = {
      ...result,
      created: evil,
      upstream: { ...result.upstream, name: evil, fingerprint: evil, layers: result.upstream.layers.map(() => evil) },
      data: {
        root: evil,
        fingerprint: evil,
        train: { ...result.data.train, source: evil },
        dev: { ...result.data.dev, source: evil },
        test: { ...result.data.test, source: evil },
      },
      metric: { ...result.metric, name: evil },
      decodings: [1, 2].map(() => ({
        name: evil,
        metric: { ...result.metric, name: evil },
        otherMetrics: [],
        predictions: evil,
      })),
      options: { [evil]: evil },
      environment: { [evil]: evil },
    };
    const page = writeEvaluationReport({ ...run, result: hostile, test: rows });
    expect(outside(page)).toEqual([]);
    expect(page.match(/<script|<img/g)).toEqual(["<script"]);
    expect(page.match(/<\/style>/g)).toHaveLength(1);
    expect(page).not.toContain("\u0000");
  });

  test("numbers that are none, huge, zero or negative break no picture", () => {
    const run = madeRun("pr");
    const { learningRates, layerWeights } = run.result;
    const rates = learningRates.map((rate, i) => ({
      ...rate,
      curve: rate.curve.map((point, n) => ({
        ...point,
        dev: [Number.NaN, 1e308, -1][n % 3],
        trainLoss: i === 1 ? Number.NEGATIVE_INFINITY : 0,
        devLoss: i === 2 ? Number.NaN : 1e300,
      })),
      best: i === 0 ? { step: 0, dev: Number.NaN } : rate.best,
    }));
    const change = {
      learningRates: rates,
      layerWeights: layerWeights.map((_, i) => (i % 2 ? Number.NaN : 0)),
      dev: Number.NaN,
    };
    const page = writeEvaluationReport(withResult(run, change));
    for (const svg of parse(page).querySelectorAll("svg"))
      expect(svg.outerHTML.replace(/<(desc|title).*?<\/\1>/g, "")).not.toMatch(/NaN|undefined|Infinity/);
    expect(textOf(page)).toContain("6 of the weights are not finite");
    const none = {
      layerWeights: layerWeights.map(() => Number.NaN),
      learningRates: rates.map((rate) => ({ ...rate, curve: [], best: null })),
    };
    expect(textOf(writeEvaluationReport(withResult(run, none)))).toMatch(
      /13 of the weights are not finite.*No values yet/,
    );
  });

  test("5,000 predictions of 60 tokens stay below 4 MB and take seconds", () => {
    const run = madeRun("asr");
    const words = run.test.flatMap(({ reference }) => reference.split(" "));
    const rows = Array.from({ length: 5000 }, (_, i) => {
      const said = Array.from({ length: 60 }, (_, n) => words[(i * 31 + n * 7) % words.length]);
      const { audio } = run.test[i % run.test.length];
      return {
        id: `u${i}`,
        reference: said.join(" "),
        hypothesis: said.map((word, n) => ((i + n) % 9 ? word : `${word}${i}`)).join(" "),
        audio,
      };
    });
    const page = writeEvaluationReport(withTest(run, rows));
    expect(Buffer.byteLength(page)).toBeLessThan(4e6);
    expect(textOf(page)).toContain("5,000");
  });

  test("one utterance of thousands of tokens is cut", () => {
    const run = madeRun("pr");
    const long = { id: "long", reference: "AH ".repeat(4000), hypothesis: "IH ".repeat(3000) };
    const page = writeEvaluationReport(withTest(run, [long, ...run.test]));
    expect(textOf(page)).toMatch(/Cut after 600 of 4,000 places/);
    expect(Buffer.byteLength(page)).toBeLessThan(4e6);
  });

  test("1251 classes are too many for a matrix; tables name the worst", () => {
    const run = madeRun("sid");
    const rows = Array.from({ length: 5000 }, (_, i) => ({
      id: `u${i}`,
      reference: `id${10_001 + (i % 1251)}`,
      hypothesis: `id${10_001 + (((i % 1251) + (i % 7 === 0 ? 1 : 0)) % 1251)}`,
    }));
    const page = writeEvaluationReport(withTest(run, rows));
    expect(textOf(page)).toMatch(/1,251 classes are too many for a matrix.*Most confused.*Found least often/);
    expect(page).not.toContain('svg class="matrix');
    expect(Buffer.byteLength(page)).toBeLessThan(1e6);
  });

  test("74 phones and long class names fit a matrix", () => {
    const run = madeRun("ks");
    const names = Array.from({ length: 31 }, (_, i) => `activate washroom lights number ${i}`);
    const rows = names.flatMap((name, i) =>
      [0, 1].map((n) => ({ id: `${i}-${n}`, reference: name, hypothesis: names[(i + n) % 31] })),
    );
    const document = parse(writeEvaluationReport(withTest(run, rows)));
    expect(document.querySelectorAll("svg.matrix rect.wrong")).toHaveLength(31);
    const phones = Array.from({ length: 74 }, (_, i) => `P${i}`);
    const said = { id: "a", reference: phones.join(" "), hypothesis: phones.toReversed().join(" ") };
    expect(parse(writeEvaluationReport(withTest(madeRun("pr"), [said]))).querySelectorAll("svg.matrix")).toHaveLength(
      1,
    );
  });

  test("a report without predictions is an error", () => {
    expect(() => writeEvaluationReport({ ...madeRun("pr"), test: [] })).toThrow(/no error rate/);
  });
});

test("report.html is written into the run folder, once the figures have been checked", async () => {
  const folder = join(root, "run");
  const run = await writeRun(folder, madeRun("pr"));
  expect(await reportEvaluation(folder)).toEqual({ path: join(folder, "report.html") });
  expect(await readFile(join(folder, "report.html"), "utf8")).toBe(writeEvaluationReport(run));
  await writeFile(join(folder, "result.json"), JSON.stringify({ ...run.result, dev: 1 }));
  await expect(reportEvaluation(folder)).rejects.toThrow(/dev is 1, but/);
});

// Whole evaluations of other tasks, without a cache, and with files that cannot be decoded.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { UsageError } from "../../../src/errors.ts";
import type { EvaluateEvent } from "../../../src/library/evaluate.ts";
import { fixture, temporaryFolder } from "../../data/corpora.ts";
import { speechCorpus } from "../speech.ts";
import { tonesCorpus } from "../tones.ts";
import { answersOf, doneOf, evaluate, evaluationsIn, kindsOf, notesOf, rateOf, tinyLibri } from "./evaluations.ts";

const root = temporaryFolder();
const corpus = speechCorpus();
const { folder, optionsFor } = evaluationsIn(root, corpus);

describe("other tasks and ways", () => {
  test("asr: a stacked LSTM with SpecAugment, decoded with a language model", async () => {
    const lm = join(root, "tiny.arpa");
    writeFileSync(lm, "\\data\\\nngram 1=4\n\n\\1-grams:\n-9\t<s>\n-1\t</s>\n-0.5\tTHE\n-0.9\tA\n\n\\end\\\n");
    const out = folder();
    const training = { steps: 4, evaluateEvery: 2, learningRates: [1e-2] };
    const head = { hidden: 5, stack: 3 };
    const { result } = doneOf(
      await evaluate(optionsFor(out, { task: "asr", training, head, decoding: { lm, beam: 3 } })),
    );
    expect(result).toMatchObject({ task: "asr", unit: "word", metric: { name: "WER" }, options: { hidden: 5, stack: 3, specAugment: true, dropout: 0.2 } }); // biome-ignore format: one line
    expect(result.decodings.map(({ name }) => name)).toEqual([
      "greedy",
      "lexicon beam 3, tiny.arpa, weight 2, word score -1",
    ]);
    for (const { metric, predictions } of result.decodings) expect(rateOf(answersOf(out, predictions))).toBeCloseTo(metric.value, 9); // biome-ignore format: one line
    const heard = answersOf(out, result.decodings[1].predictions).flatMap(({ hypothesis }) => hypothesis.split(" "));
    expect(heard.every((word) => ["THE", "A", ""].includes(word))).toBe(true);
  });

  test("ks: tones are told apart; answers are not decoded", async () => {
    const out = folder();
    const tones = { root: tonesCorpus(), onBadFile: "stop" as const };
    const options = optionsFor(out, { task: "ks", upstream: tinyLibri, data: tones, training: { steps: 30, evaluateEvery: 15, learningRates: [1e-2] } }); // biome-ignore format: one line
    await expect(evaluate({ ...options, decoding: { beam: 3 } })).rejects.toThrow("decoding.beam: ks has no such setting; of its own it has data.labelColumns, data.testRoot"); // biome-ignore format: one line
    const events = await evaluate(options);
    const { result } = doneOf(events);
    expect(notesOf(events).join()).toContain("has no dev split: a tenth of train is held out");
    expect(result).toMatchObject({ unit: null, metric: { name: "accuracy", isHigherBetter: true, value: 100 } }); // biome-ignore format: one line
    const answers = answersOf(out, "predictions/test.jsonl");
    const right = answers.filter(({ reference, hypothesis }) => reference === hypothesis).length;
    expect((100 * right) / answers.length).toBe(result.metric.value);
    expect(new Set(answers.map(({ reference }) => reference)).size).toBe(3);
  });

  test("ks waves pass the benchmark's gain of -3 dB, those of other tasks none; their states are kept apart", async () => {
    const cacheOf = async (task: "ks" | "sid") => {
      const out = folder();
      const labelColumns = task === "sid" ? ["label"] : undefined;
      const data = { root: tonesCorpus(), onBadFile: "stop" as const, labelColumns };
      const training = { steps: 1, evaluateEvery: 1, learningRates: [1e-2] };
      const events = await evaluate(optionsFor(out, { task, upstream: "fbank", data, training }));
      const head = JSON.parse(readFileSync(join(out, "head", "head.json"), "utf8"));
      const caches = events.flatMap((event) => (event.kind === "cache-start" ? [event.folder] : []));
      return { options: doneOf(events).result.options.gainDb, head: head.upstream.gainDb, caches };
    };
    const [ks, sid] = [await cacheOf("ks"), await cacheOf("sid")];
    expect(ks).toMatchObject({ options: -3, head: -3 });
    expect(sid).toMatchObject({ options: 0, head: undefined });
    expect(new Set([...ks.caches, ...sid.caches]).size).toBe(2);
  });

  test("without a cache nothing is cached, and training is the same but for rounding", async () => {
    const [streamed, cached] = [folder(), folder()];
    const elsewhere = join(root, "unused cache");
    const training = { steps: 3, evaluateEvery: 3 };
    process.env.STILLWAVE_CACHE = elsewhere;
    const one = await evaluate(optionsFor(streamed, { upstream: tinyLibri, training, features: { cache: null } }));
    delete process.env.STILLWAVE_CACHE;
    const two = await evaluate(optionsFor(cached, { upstream: tinyLibri, training }));
    expect(existsSync(elsewhere)).toBe(false);
    expect(kindsOf(one).has("cache-start")).toBe(false);
    const losses = (events: EvaluateEvent[]) => events.flatMap((event) => (event.kind === "step" ? [event.loss] : []));
    expect(losses(one)).toEqual(losses(two).map((loss) => expect.closeTo(loss, 3)));
    expect(doneOf(one).result.options.features).toBe("float32");
    await expect(evaluate({ ...optionsFor(streamed, { upstream: tinyLibri, training }), resume: true })).rejects.toThrow('features "streamed float32", now "float32"'); // biome-ignore format: one line
    await expect(evaluate(optionsFor(folder(), { features: { cache: null, dtype: "float16" } }))).rejects.toThrow(
      UsageError,
    );
  });

  test("a file that cannot be decoded ends it, or is left out of its split", async () => {
    // whole in its header, damaged in its samples
    const damaged = speechCorpus();
    const bytes = readFileSync(fixture("mono-8bit.flac"));
    mkdirSync(join(damaged, "train/7/8"), { recursive: true });
    writeFileSync(join(damaged, "train/7/8/7-8-0000.flac"), bytes.subarray(0, Math.floor(bytes.length / 2)));
    writeFileSync(join(damaged, "phones.txt"), `${readFileSync(join(damaged, "phones.txt"), "utf8").trim()}\n7-8-0000 AH\n`); // biome-ignore format: one line
    const options = (onBadFile: "stop" | "skip") =>
      optionsFor(folder(), { data: { root: damaged, onBadFile }, training: { steps: 2 } });
    await expect(evaluate(options("stop"))).rejects.toThrow("7-8-0000.flac");
    const events = await evaluate(options("skip"));
    expect(notesOf(events).join("\n")).toContain("7-8-0000.flac");
    expect(doneOf(events).result.data.train.utterances).toBe(15);
  });
});

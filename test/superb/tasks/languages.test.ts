// Recognition of a language that the benchmark's alphabet cannot spell, and the benchmark's rule for phones beside CTC's.
import { expect, test } from "vitest";
import { greedyDecode } from "../../../src/decode/greedy.ts";
import { createObjective } from "../../../src/superb/objectives/index.ts";
import { asr } from "../../../src/superb/tasks/asr.ts";
import { corpusOf, temporaryFolder } from "../../data/corpora.ts";
import { EMODB_SENTENCES } from "../emodb.ts";
import { answersOf, doneOf, evaluate, evaluationsIn, notesOf } from "../run/evaluations.ts";
import { speechCorpus } from "../speech.ts";

/** Each sentence by two voices to train, by one each to choose and to test. */
function german(): string {
  const files: Record<string, number | string> = {};
  const lines = ["path\tsplit\ttext"];
  for (const [i, [code, text]] of Object.entries(EMODB_SENTENCES).entries())
    for (const [split, voice] of [
      ["train", "a"],
      ["train", "b"],
      ["dev", "c"],
      ["test", "d"],
    ] as const) {
      files[`${voice}/${code}.wav`] = 16_000 + 800 * i;
      lines.push(`${voice}/${code}.wav\t${split}\t${text}`);
    }
  return corpusOf({ ...files, "german.tsv": lines.join("\n") });
}

test("German is spelled with an alphabet of its own, trained and tested", async () => {
  const root = `${german()}/german.tsv`;
  await expect(asr.load({ root, onBadFile: "stop" })).rejects.toThrow(
    "characters that are not in the vocabulary of 32",
  );
  const data = await asr.load({ root, onBadFile: "stop", symbols: "training" });
  expect(data.objective).toMatchObject({ kind: "ctc", text: "characters" });
  expect(data.utterances.test[2].reference).toBe("heute abend könnte ich es ihm sagen");
  const { folder, optionsFor } = evaluationsIn(temporaryFolder(), root);
  const out = folder();
  const options = optionsFor(out, { task: "asr", data: { symbols: "training" }, head: { hidden: 4, stack: 4 }, training: { steps: 2, evaluateEvery: 2, learningRates: [1e-2], batchSize: 4, accumulate: 1, specAugment: false } }); // biome-ignore format: one line
  const events = await evaluate(options);
  expect(notesOf(events).join()).toContain("left out of the transcripts, as the alphabet has them not: . (36)");
  expect(doneOf(events).result).toMatchObject({ unit: "word", options: { outputs: 29 } });
  expect(answersOf(out, "predictions/test.jsonl").map(({ reference }) => reference)).toContain("was sind denn das für tüten die da unter dem tisch stehen"); // biome-ignore format: one line
});

test("the benchmark's rule merges what is said twice in a row, however many blanks are between", async () => {
  // symbols of frames: blank 0, <eos> 1, then A and B
  const frames = [2, 2, 0, 2, 1, 2, 3, 0, 0, 3, 3, 2];
  const emissions = frames.flatMap((symbol) => [0, 1, 2, 3].map((one) => (one === symbol ? 1 : 0)));
  const said = (mergesLast: boolean) => greedyDecode(emissions, { vocab: 4, drop: [0, 1], mergesLast });
  expect(said(false).map(({ symbol }) => symbol)).toEqual([2, 2, 2, 3, 3, 2]);
  expect(said(true)).toEqual([
    { symbol: 2, startFrame: 0, endFrame: 6 },
    { symbol: 3, startFrame: 6, endFrame: 11 },
    { symbol: 2, startFrame: 11, endFrame: 12 },
  ]);
  const spec = { kind: "ctc", text: "phones", symbols: ["<pad>", "<eos>", "A", "B"], special: ["<pad>", "<eos>"] } as const; // biome-ignore format: one line
  const output = { logits: Float32Array.from(emissions), shape: [1, 12, 4], frames: [12] };
  expect(createObjective(spec).readings[0].answers(output)).toEqual(["A A A B B A"]);
  expect(createObjective(spec, "reference").readings[0].answers(output)).toEqual(["A B A"]);
});

test("pr with the benchmark's rule has it as headline, and CTC's beside it", async () => {
  const { folder, optionsFor } = evaluationsIn(temporaryFolder(), speechCorpus());
  const [plain, reference] = [folder(), folder()];
  const training = { steps: 6, evaluateEvery: 3, learningRates: [1e-2], batchSize: 5, accumulate: 1 };
  const ours = doneOf(await evaluate(optionsFor(plain, { training }))).result;
  const { result } = doneOf(await evaluate(optionsFor(reference, { training, decoding: { decoder: "reference" } })));
  expect(ours.decodings.map(({ name }) => name)).toEqual(["greedy"]);
  expect(result.decodings.map(({ name }) => name)).toEqual([
    "greedy, blanks dropped before repeats are merged",
    "greedy",
  ]);
  for (const { reference: _, hypothesis } of answersOf(reference, "predictions/test.jsonl")) {
    const phones = hypothesis.split(" ").filter(Boolean);
    expect(phones.every((phone, i) => phone !== phones[i - 1])).toBe(true);
  }
});

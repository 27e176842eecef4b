// PR and ASR on the example speech: phones from phones.txt or lexicons, characters, splits found and refused.
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, renameSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, test } from "vitest";
import { StillwaveError, UsageError } from "../../../src/errors.ts";
import type { Split } from "../../../src/superb/labels/classes.ts";
import type { ObjectiveSpec } from "../../../src/superb/objectives/spec.ts";
import type { DataSettings } from "../../../src/superb/recipe/schema.ts";
import { asr } from "../../../src/superb/tasks/asr.ts";
import { pr } from "../../../src/superb/tasks/pr.ts";
import type { TaskData } from "../../../src/superb/tasks/task.types.ts";
import { corpusOf, temporaryFolder } from "../../data/corpora.ts";
import { examplePhones, examples, hasShared, SPEAKERS, shared, speechCorpus, transcriptsOf } from "../speech.ts";

const isShared = hasShared();
const SPLITS = ["train", "dev", "test"] as const;
const options = (root: string, rest: Partial<DataSettings> = {}): DataSettings => ({
  root,
  onBadFile: "stop",
  ...rest,
});
const symbolsOf = ({ objective }: TaskData) => (objective as Extract<ObjectiveSpec, { kind: "ctc" }>).symbols;
const spelledOf = (data: TaskData, split: Split) => {
  const symbols = symbolsOf(data);
  return data.utterances[split].map(({ label }) => Array.from(label, (id) => symbols[id]));
};
const idsOf = (data: TaskData, split: Split) => data.utterances[split].map(({ id }) => id);
const expectedIds = (split: Split) => transcriptsOf(SPEAKERS[split]).map(([id]) => id).sort(); // biome-ignore format: one line

describe("phonemes of phones.txt", () => {
  test("phonemes of phones.txt are labels with an end; they make the vocabulary", async () => {
    const root = speechCorpus();
    const data = await pr.load(options(root));
    const used = new Set<string>();
    for (const split of SPLITS) {
      expect(idsOf(data, split)).toEqual(expectedIds(split));
      expect(data.facts[split]).toMatchObject({ utterances: expectedIds(split).length, source: split });
      for (const [i, { id, reference, samples, path }] of data.utterances[split].entries()) {
        const phones = examplePhones.get(id)!;
        for (const phone of phones) used.add(phone);
        expect(spelledOf(data, split)[i]).toEqual([...phones, "<eos>"]);
        expect(reference).toBe(phones.join(" "));
        expect(samples).toBeGreaterThan(16_000);
        expect(path.endsWith(`${id}.flac`)).toBe(true);
      }
      const seconds = data.utterances[split].reduce((sum, { samples }) => sum + samples, 0) / 16_000;
      expect(data.facts[split].seconds).toBeCloseTo(seconds, 9);
    }
    expect(symbolsOf(data)).toEqual(["<pad>", "<eos>", "<unk>", ...[...used].sort()]);
    expect(data.objective).toMatchObject({ kind: "ctc", text: "phones", special: ["<pad>", "<eos>"] });
    expect(data).toMatchObject({ root, badFiles: [], notes: [] });
  });

  test("of another file, folded", async () => {
    const root = speechCorpus();
    const phones = join(temporaryFolder(), "stressed.txt");
    const lines = [...examplePhones].map(([id, list]) => `${id} ${list.map((phone) => (phone === "AH" ? "AH0" : phone)).join(" ")}`); // biome-ignore format: one line
    writeFileSync(phones, lines.join("\n"));
    const [plain, stressed, folded] = await Promise.all([
      pr.load(options(root)),
      pr.load(options(root, { phones })),
      pr.load(options(root, { phones, stress: "folded" })),
    ]);
    expect(symbolsOf(stressed!)).toContain("AH0");
    expect(symbolsOf(folded!)).toEqual(symbolsOf(plain!));
    expect(folded!.utterances).toEqual(plain!.utterances);
    expect(folded!.fingerprint).toBe(plain!.fingerprint);
    expect(stressed!.fingerprint).not.toBe(plain!.fingerprint);
  });

  test("phonemes of phones.txt must be there, of every utterance", async () => {
    const root = speechCorpus();
    const phones = join(root, "phones.txt");
    renameSync(phones, join(root, "other.txt"));
    await expect(pr.load(options(root))).rejects.toThrow(
      `${phones}: not there; give the corpus's phones with --phones <file> or --lexicon <file>`,
    );
    await expect(pr.load(options(root, { phones: join(root, "none") }))).rejects.toThrow("no such phones file");
    const some = [...examplePhones]
      .filter(([id]) => !id.startsWith("121-"))
      .map(([id, list]) => `${id} ${list.join(" ")}`);
    writeFileSync(phones, some.join("\n"));
    const missing = expectedIds("dev").filter((id) => id.startsWith("121-"));
    await expect(pr.load(options(root))).rejects.toThrow(`${phones}: no phones of ${missing.length} utterances (${missing.join(", ")})`); // biome-ignore format: one line
  });

  test("of fairseq's lists, one a split: words, letters and phones in files beside them", async () => {
    const root = speechCorpus();
    const lists = join(root, "lists");
    mkdirSync(lists);
    const walked = { asr: await asr.load(options(root)), pr: await pr.load(options(root)) };
    const names = { train: "train", dev: "valid", test: "test" };
    for (const split of SPLITS) {
      const rows = transcriptsOf(SPEAKERS[split]).map(([id, text]) => {
        const [speaker, chapter] = id.split("-");
        const found = walked.pr.utterances[split].find((one) => one.id === id)!;
        return {
          row: `${split}/${speaker}/${chapter}/${id}.flac\t${found.samples}`,
          text,
          phones: examplePhones.get(id)!,
        };
      });
      const write = (extension: string, lines: readonly string[]) =>
        writeFileSync(join(lists, `${names[split]}.${extension}`), `${lines.join("\n")}\n`);
      write("tsv", [root, ...rows.map(({ row }) => row)]);
      write("phn", rows.map(({ phones }) => phones.join(" "))); // biome-ignore format: one line
      // letters as fairseq's libri_labels.py writes them
      if (split === "test") write("ltr", rows.map(({ text }) => `${[...text.replaceAll(" ", "|")].join(" ")} |`)); // biome-ignore format: one line
      else write("wrd", rows.map(({ text }) => text)); // biome-ignore format: one line
    }
    const listed = { asr: await asr.load(options(lists)), pr: await pr.load(options(lists)) };
    for (const task of ["asr", "pr"] as const)
      for (const split of SPLITS) {
        const said = ({ utterances }: TaskData) => utterances[split].map(({ path, reference }) => [path, reference]);
        expect(said(listed[task])).toEqual(said(walked[task]));
      }
    expect(listed.pr.facts.dev.source).toBe("valid");
    writeFileSync(join(lists, "train.wrd"), "ONE LINE\n");
    await expect(asr.load(options(lists))).rejects.toThrow(/train\.wrd: 1 lines, .*train\.tsv beside it lists \d+/);
  });

  test("of CSV lists, one a split, in a folder; twice is an error", async () => {
    const root = speechCorpus();
    const lists = join(root, "lists");
    mkdirSync(lists);
    for (const split of SPLITS) {
      const rows = transcriptsOf(SPEAKERS[split]).map(([id, text]) => {
        const [speaker, chapter] = id.split("-");
        return `${id},${join(root, split, speaker!, chapter!, `${id}.flac`)},${text}`;
      });
      writeFileSync(join(lists, `${split}.csv`), ["ID,wav,wrd", ...rows].join("\n"));
    }
    writeFileSync(join(lists, "labels.tsv"), "not read");
    const [listed, walked] = [await asr.load(options(lists)), await asr.load(options(root))];
    expect(listed.utterances).toEqual(walked.utterances);
    writeFileSync(join(lists, "dev.jsonl"), "{}");
    await expect(asr.load(options(lists))).rejects.toThrow(
      /dev\.csv and .*dev\.jsonl are both called after split "dev"/,
    );
    await expect(asr.load(options(lists, { splits: { train: ["more"] } }))).rejects.toThrow(/no split "more"/);
  });

  test("lie beside a manifest", async () => {
    const root = speechCorpus();
    const files = SPLITS.flatMap((split) =>
      transcriptsOf(SPEAKERS[split]).map(([id]) => {
        const [speaker, chapter] = id.split("-");
        return { path: join(split, speaker!, chapter!, `${id}.flac`), id, split };
      }),
    );
    const manifest = join(root, "all.jsonl");
    writeFileSync(manifest, files.map((file) => JSON.stringify(file)).join("\n"));
    const [listed, walked] = [await pr.load(options(manifest)), await pr.load(options(root))];
    for (const split of SPLITS) {
      const text = ({ utterances }: TaskData) =>
        utterances[split].map(({ reference, samples }) => [reference, samples]);
      expect(text(listed)).toEqual(text(walked));
    }
  });
});

/** Every letter a phone, A a vowel with stress: a lexicon of all words of the corpus in two files. */
function lexiconFiles(leaveOut: readonly string[] = []): string[] {
  const words = SPLITS.flatMap((split) => transcriptsOf(SPEAKERS[split])).flatMap(([, text]) => text.split(" "));
  const spoken = (word: string) =>
    [...word].map((letter) => (/[AEIOU]/.test(letter) ? "AH1" : /['X]/.test(letter) ? "SIL" : "K"));
  const lines = [...new Set(words)]
    .filter((word) => !leaveOut.includes(word))
    .map((word) => `${word} ${spoken(word).join(" ")}`);
  const folder = temporaryFolder();
  const files = [join(folder, "a.txt"), join(folder, "b.txt")];
  const half = Math.ceil(lines.length / 2);
  writeFileSync(files[0], lines.slice(0, half).join("\n"));
  // the second pronunciation of a word does not count
  writeFileSync(files[1], [...lines.slice(half), `${lines[0].split(" ")[0]} ZH`].join("\n"));
  return files;
}

describe("phonemes of lexicons", () => {
  test.each([
    ["stressed", 74, "AH1"],
    ["folded", 44, "AH"],
  ] as const)("%s", async (stress, size, vowel) => {
    const root = speechCorpus();
    const lexicon = lexiconFiles();
    const data = await pr.load(options(root, { lexicon, stress }));
    expect(symbolsOf(data).length).toBe(size);
    expect(symbolsOf(data).slice(0, 5)).toEqual(["<pad>", "<eos>", "<unk>", "SIL", "SPN"]);
    if (stress === "stressed") expect((await pr.load(options(root, { lexicon }))).fingerprint).toBe(data.fingerprint);
    for (const split of SPLITS) {
      const transcripts = new Map(transcriptsOf(SPEAKERS[split]));
      for (const [i, { id, reference }] of data.utterances[split].entries()) {
        const letters = [...transcripts.get(id)!.replaceAll(" ", "")];
        const expected = letters.map((letter) => (/[AEIOU]/.test(letter) ? vowel : /['X]/.test(letter) ? "SIL" : "K"));
        expect(reference).toBe(expected.join(" "));
        expect(spelledOf(data, split)[i]).toEqual([...expected, "<eos>"]);
      }
    }
  });

  test("phonemes of lexicons list every word that they lack, of all splits, with its count", async () => {
    const words = SPLITS.flatMap((split) => transcriptsOf(SPEAKERS[split])).flatMap(([, text]) => text.split(" "));
    const distinct = [...new Set(words)];
    const left = distinct.filter((_, i) => i % 3 === 0);
    expect(left.length).toBeGreaterThan(60);
    const error = await pr.load(options(speechCorpus(), { lexicon: lexiconFiles(left) })).catch((e: Error) => e);
    expect(error).toBeInstanceOf(StillwaveError);
    const { message } = error as Error;
    expect(message).toContain(`lacks ${left.length} words`);
    for (const word of left)
      expect(message).toMatch(new RegExp(`[ :]${word} \\(${words.filter((other) => other === word).length}\\)[,;]`));
  });

  test("phonemes of lexicons need transcripts", async () => {
    const root = corpusOf({
      "train/1/2/1-2-0000.wav": 16_000,
      "train/1/2/1-2.trans.txt": "1-2-0000 HELLO\n",
      "dev/3/4/3-4-0000.wav": 16_000,
      "test/5/6/5-6-0000.wav": 16_000,
    });
    const lexicon = lexiconFiles();
    await expect(pr.load(options(root, { lexicon }))).rejects.toThrow(
      `${root}: no transcript of 2 utterances (3-4-0000, 5-6-0000); a lexicon needs <chapter>.trans.txt`,
    );
  });
});

describe("characters", () => {
  test("characters are those of transcripts, with marks and an end", async () => {
    const data = await asr.load(options(speechCorpus()));
    expect(symbolsOf(data).length).toBe(32);
    expect(data.objective).toMatchObject({ text: "characters", special: ["<s>", "<pad>", "</s>"] });
    for (const split of SPLITS) {
      const transcripts = new Map(transcriptsOf(SPEAKERS[split]));
      expect(idsOf(data, split)).toEqual([...transcripts.keys()].sort());
      for (const [i, { id, reference }] of data.utterances[split].entries()) {
        expect(reference).toBe(transcripts.get(id));
        expect(spelledOf(data, split)[i].join("")).toBe(`${reference.replaceAll(" ", "|")}|</s>`);
      }
    }
  });

  test("that nobody can spell are named with their utterance", async () => {
    const root = corpusOf({
      "train/1/2/1-2-0000.wav": 16_000,
      "train/1/2/1-2.trans.txt": "1-2-0000 NUMBER 9\n",
      "dev/3/4/3-4-0000.wav": 16_000,
      "dev/3/4/3-4.trans.txt": "3-4-0000 lower case\n",
      "test/5/6/5-6-0000.wav": 16_000,
      "test/5/6/5-6.trans.txt": "5-6-0000 TEST\n",
    });
    await expect(asr.load(options(root))).rejects.toThrow(/transcript of 1-2-0000: characters that are not in the vocabulary of 32 symbols: 9/); // biome-ignore format: one line
    writeFileSync(join(root, "train/1/2/1-2.trans.txt"), "1-2-0000 NINE\n");
    expect((await asr.load(options(root))).utterances.dev[0].reference).toBe("LOWER CASE");
    writeFileSync(join(root, "dev/3/4/3-4.trans.txt"), "3-4-0000\n");
    await expect(asr.load(options(root))).rejects.toThrow("no transcript of 1 utterances (3-4-0000)");
  });
});

describe("splits", () => {
  test("splits are found by LibriSpeech's names first", async () => {
    const root = speechCorpus({ train: "train-clean-100", dev: "dev-clean", test: "test-clean" });
    for (const name of ["train", "dev", "test", "train-other-500"]) mkdirSync(join(root, name));
    const data = await pr.load(options(root));
    expect(SPLITS.map((split) => data.facts[split].source)).toEqual(["train-clean-100", "dev-clean", "test-clean"]);
    const valid = await pr.load(options(speechCorpus({ dev: "valid" })));
    expect(valid.facts.dev.source).toBe("valid");
  });

  test("may be named, several for one", async () => {
    const root = speechCorpus({ train: "alpha", dev: "beta", test: "gamma" });
    await expect(pr.load(options(root))).rejects.toThrow(
      `${root}: no split to take as train; name it with --train <folder> (there: alpha, beta, gamma)`,
    );
    const more = speechCorpus();
    renameSync(join(more, "train"), join(root, "delta"));
    const splits = { train: ["alpha"], dev: ["beta"], test: ["gamma"] };
    expect(idsOf(await pr.load(options(root, { splits })), "train")).toEqual(expectedIds("train"));
    // the same speakers again: their ids are there twice
    await expect(pr.load(options(root, { splits: { ...splits, train: ["alpha", "delta"] } }))).rejects.toThrow("two files have the utterance id"); // biome-ignore format: one line
    mkdirSync(join(root, "epsilon"));
    symlinkSync(join(examples, "train/3575"), join(root, "epsilon/3575"));
    const others = { train: ["alpha", "beta"], dev: ["gamma"], test: ["epsilon"] };
    const both = await pr.load(options(root, { splits: others }));
    expect(both.facts.train).toMatchObject({ source: "alpha + beta" });
    expect(idsOf(both, "train")).toEqual([...expectedIds("train"), ...expectedIds("dev")].sort());
  });

  test("that are no splits are refused", async () => {
    const root = speechCorpus();
    renameSync(join(root, "test"), join(root, "other"));
    await expect(pr.load(options(root))).rejects.toThrow(
      `${root}: no split to take as test; name it with --test <folder> (there: dev, other, train)`,
    );
    const twice = pr.load(options(root, { splits: { dev: ["dev"], test: ["dev"] } }));
    await expect(twice).rejects.toThrow('split "dev" is to be both dev and test; a score on it means nothing');
    await expect(twice).rejects.toThrow(UsageError);
    await expect(pr.load(options(root, { splits: { train: ["train", "train"], test: ["other"] } }))).rejects.toThrow('split "train"'); // biome-ignore format: one line
    await expect(pr.load(options(root, { splits: { test: ["missing"] } }))).rejects.toThrow('no split "missing"; present: dev, other, train'); // biome-ignore format: one line
    await expect(pr.load(options(root, { splits: { test: [] } }))).rejects.toThrow("no split to take as test");
    await expect(pr.load(options(join(root, "nowhere")))).rejects.toThrow(`${join(root, "nowhere")}: no such folder or manifest`); // biome-ignore format: one line
    await expect(pr.load(options(dirname(examples)))).rejects.toThrow("no split to take as train");
  });

  test("without a dev split hold a tenth of train out, the same whatever else is there", async () => {
    const root = speechCorpus();
    const whole = await pr.load(options(root));
    const held = await pr.load(options(root, { splits: { test: ["dev"] } }));
    const [train, dev] = [idsOf(held, "train"), idsOf(held, "dev")];
    expect([...train, ...dev].sort()).toEqual(idsOf(whole, "train"));
    expect(dev.length).toBeGreaterThan(0);
    expect(dev.length).toBeLessThan(train.length / 3);
    expect(idsOf(held, "test")).toEqual(idsOf(whole, "dev"));
    expect(held.facts.dev.source).toMatch(/^held out of train/);
    expect(held.notes).toHaveLength(1);
    renameSync(join(root, "test"), join(root, "train", "more"));
    const again = await pr.load(options(root, { splits: { test: ["dev"] } }));
    expect(idsOf(again, "dev")).toEqual(dev);
  });

  test("of a manifest go by the same names, and dev is held out there too", async () => {
    const root = speechCorpus();
    const write = (names: Readonly<Record<Split, string>>, splits: readonly Split[]) => {
      const lines = splits.flatMap((split) =>
        transcriptsOf(SPEAKERS[split]).map(([id]) => {
          const [speaker, chapter] = id.split("-");
          return JSON.stringify({ path: `${split}/${speaker}/${chapter}/${id}.flac`, id, split: names[split] });
        }),
      );
      const file = join(root, "list.jsonl");
      writeFileSync(file, lines.join("\n"));
      return file;
    };
    const usual = { train: "train", dev: "valid", test: "test" };
    const whole = await pr.load(options(write(usual, SPLITS)));
    expect(whole.facts.dev).toMatchObject({ source: "valid", utterances: 12 });
    const held = await pr.load(options(write(usual, ["train", "test"])));
    expect(held.facts.dev.source).toMatch(/^held out of train/);
    expect(held.utterances.train.length + held.utterances.dev.length).toBe(15);
    expect(held.utterances.dev.length).toBeGreaterThan(0);
    await expect(pr.load(options(write(usual, ["train", "dev"])))).rejects.toThrow(
      "no split to take as test; name it with --test <folder> (there: train, valid)",
    );
  });

  test("too small to hold one out, or to leave one in, are refused", async () => {
    const first = (id: string) => createHash("sha256").update(id).digest().readUInt32BE(0) % 10;
    const ids = Array.from({ length: 100 }, (_, i) => `1-2-${String(i).padStart(4, "0")}`);
    const held = ids.filter((id) => first(id) === 0).slice(0, 2);
    const kept = ids.filter((id) => first(id) !== 0).slice(0, 2);
    for (const train of [held, kept]) {
      const files = [...train.map((id) => `train/1/2/${id}.wav`), "test/5/6/5-6-0000.wav"];
      const root = corpusOf({
        ...Object.fromEntries(files.map((file) => [file, 16_000])),
        "phones.txt": [...train, "5-6-0000"].map((id) => `${id} AH`).join("\n"),
      });
      await expect(pr.load(options(root))).rejects.toThrow(
        `${root}: no dev split, and train is too small to hold one out; name one with --dev <folder>`,
      );
    }
  });

  test("with the same recordings are refused", async () => {
    // somebody copied a speaker of train into test: ids are the same
    const root = speechCorpus();
    const more = speechCorpus();
    renameSync(join(more, "train", "1995"), join(root, "test", "1995"));
    await expect(pr.load(options(root))).rejects.toThrow(
      /: 5 utterances are in both train and test \(1995-1826-0004, .*\); a score on them means nothing/,
    );
  });

  test("that share speech under other ids are refused, parts of one recording that do not are taken", async () => {
    const list = (starts: readonly number[]) =>
      ["train", "dev", "test"].map((split, i) =>
        JSON.stringify({ id: split, path: "a.wav", split, start: starts[i], duration: 1, text: "A" }),
      );
    const files = { "a.wav": 48_000, "phones.txt": "train AH\ndev AH\ntest AH\n" };
    const root = corpusOf({
      ...files,
      "apart.jsonl": list([0, 1, 2]).join("\n"),
      "shared.jsonl": list([0, 1, 1.5]).join("\n"),
    });
    const data = await pr.load(options(join(root, "apart.jsonl")));
    expect(data.utterances.dev).toMatchObject([{ segment: { start: 16_000, samples: 16_000 }, samples: 16_000 }]);
    await expect(pr.load(options(join(root, "shared.jsonl")))).rejects.toThrow(
      /1 utterances are in both dev and test \(test\); a score on them means nothing/,
    );
  });
});

test("bad files stop it, or are left out and listed", async () => {
  const root = speechCorpus();
  mkdirSync(join(root, "train/7/8"), { recursive: true });
  writeFileSync(join(root, "train/7/8/7-8-0000.flac"), "no audio");
  await expect(pr.load(options(root))).rejects.toThrow(/1 of \d+ audio files cannot be used.*\n.*7-8-0000\.flac/);
  const data = await pr.load(options(root, { onBadFile: "skip" }));
  expect(data.badFiles).toMatchObject([{ path: join(root, "train/7/8/7-8-0000.flac") }]);
  expect(idsOf(data, "train")).toEqual(expectedIds("train"));
});

describe.skipIf(!isShared)("real corpora", () => {
  test("libri-small: phones and characters of the same utterances; some have no stress marks", async () => {
    const root = join(shared, "libri-small");
    const plain = await pr.load(options(root));
    const stressed = join(root, "phones-stress.txt");
    const idsIn = (file: string) => readFileSync(file, "utf8").trim().split("\n").map((line) => line.split(" ")[0]); // biome-ignore format: one line
    const marked = new Set(idsIn(stressed));
    const unmarked = idsIn(join(root, "phones.txt")).filter((id) => !marked.has(id));
    expect(unmarked.length).toBeGreaterThan(0);
    await expect(pr.load(options(root, { phones: stressed }))).rejects.toThrow(`${stressed}: no phones of ${unmarked.length} utterances`); // biome-ignore format: one line
    const letters = await asr.load(options(root));
    for (const split of SPLITS) expect(idsOf(letters, split)).toEqual(idsOf(plain, split));
    expect(plain.utterances.train.length + plain.utterances.dev.length + plain.utterances.test.length).toBe(183);
  });
});

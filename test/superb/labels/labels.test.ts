// Vocabularies, lexicons and corpus layouts: the benchmark's orders, real corpora where they lie beside, refusals.
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { inverseClassFrequency } from "../../../src/superb/labels/classes.ts";
import { readFluentCommands } from "../../../src/superb/labels/fluent.ts";
import { pronounce, readLexicon, readPhones } from "../../../src/superb/labels/lexicon.ts";
import { KEYWORDS, readSpeechCommands, splitByHash } from "../../../src/superb/labels/speech-commands.ts";
import { readLabelsTsv } from "../../../src/superb/labels/table.ts";
import {
  ARPABET,
  characterLabels,
  characterText,
  characterVocabulary,
  phoneLabels,
  phoneVocabulary,
  phoneVocabularyOf,
  Vocabulary,
} from "../../../src/superb/labels/vocabulary.ts";
import { readVoxceleb1 } from "../../../src/superb/labels/voxceleb.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "labels-"));
});
afterAll(() => rm(folder, { recursive: true }));

async function write(name: string, content = ""): Promise<string> {
  const file = join(folder, name);
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, content);
  return file;
}

const shared = fileURLToPath(new URL("../../../../shared/speech/", import.meta.url));
const hasShared = existsSync(shared);
if (!hasShared) console.warn(`skipped: no corpora at ${shared}`);

describe("vocabularies", () => {
  test("of phones are the benchmark's", () => {
    const phones = phoneVocabulary();
    expect(phones.size).toBe(74);
    expect(phones.symbols.slice(0, 9)).toEqual(["<pad>", "<eos>", "<unk>", "SIL", "SPN", "AA0", "AA1", "AA2", "AE0"]);
    expect(["B", "CH", "EH0", "ER2", "ZH"].map((phone) => phones.ids.get(phone))).toEqual([23, 24, 27, 32, 73]);
    expect(ARPABET.length).toBe(39);
    expect(phoneVocabulary("folded").size).toBe(44);
    expect(phoneLabels(["B", "AA1"], phones)).toEqual([23, 6, 1]);
    expect(phones.decode([0, 23, 0, 6, 1])).toEqual(["B", "AA1"]);
    expect(() => phoneLabels(["B", "QQ", "AA", "QQ"], phones)).toThrow("QQ, AA");
    expect(phoneVocabularyOf([["B", "A"], ["C"]]).symbols).toEqual(["<pad>", "<eos>", "<unk>", "A", "B", "C"]);
  });

  test("of characters are the benchmark's", () => {
    const characters = characterVocabulary();
    expect(characters.size).toBe(32);
    expect(["<s>", "|", "E", "'", "Z"].map((symbol) => characters.ids.get(symbol))).toEqual([0, 4, 5, 27, 31]);
    const labels = characterLabels("it's  A", characters);
    expect(labels.map((id) => characters.symbols[id]).join("")).toBe("IT'S|A|</s>");
    expect(characterText(labels, characters)).toBe("IT'S A");
    expect(characterText([4, 4, 5, 4, 4, 3, 0], characters)).toBe("E <unk>");
    expect(() => characterLabels("Zürich 3", characters)).toThrow("Ü, 3");
    expect(() => new Vocabulary(["a", "a"], [])).toThrow("twice");
  });
});

describe("lexicon", () => {
  test("lexicon gives first pronunciations, and lists every missing word", async () => {
    const first = await write("a.lex", ";;; comment\nREAD\tR EH1 D\nread(2)  R IY1 D\nTHE DH AH0\n");
    const second = await write("b.lex", "READ X\nbook B UH1 K\n");
    const lexicon = await readLexicon([first, second]);
    const spoken = pronounce([{ id: "1", transcript: "read the BOOK" }], lexicon, phoneVocabulary());
    expect(spoken.get("1")).toEqual("R EH1 D DH AH0 B UH1 K".split(" "));
    const folded = pronounce([{ id: "1", transcript: "the" }], lexicon, phoneVocabulary("folded"), "folded");
    expect(folded.get("1")).toEqual(["DH", "AH"]);
    const words = Array.from({ length: 300 }, (_, i) => `W${i}`);
    const transcripts = [{ id: "1", transcript: `READ ${words.join(" ")} W7` }];
    try {
      pronounce(transcripts, lexicon, phoneVocabulary());
      expect.unreachable();
    } catch (error) {
      const { message } = error as Error;
      expect(message).toContain("lacks 300 words");
      for (const word of words) expect(message).toContain(`${word} (${word === "W7" ? 2 : 1})`);
    }
    await expect(readLexicon([await write("c.lex", "A AH0\nB\n")])).rejects.toThrow(
      'c.lex:2: "B" has no pronunciation',
    );
  });

  test("a lexicon's comments are dropped, from # on as in cmudict.dict and lines of ;;;", async () => {
    const text = "# comment\n  ;;; another\nGOOD G UH1 D # note\nC# S IY1 # a key\nDAY D EY1#x\nday(2) D IY1\n";
    const lexicon = await readLexicon([await write("cmu.txt", text)]);
    expect(Object.fromEntries([...lexicon].map(([word, { phones }]) => [word, phones.join(" ")]))).toEqual({
      GOOD: "G UH1 D",
      "C#": "S IY1",
      DAY: "D EY1",
    });
    await expect(readLexicon([await write("bare.txt", "GOOD # note\n")])).rejects.toThrow(
      'bare.txt:1: "GOOD" has no pronunciation',
    );
  });

  test.each(["0.9 G UH1 D", "1.0 G UH1 D", "1 G UH1 D", ".5\tG UH1 D", "0.99 0.2 1.1 1.0 G UH1 D", "1e-3 G UH1 D"])(
    "a lexicon with the probability columns %j is refused with file and line",
    async (columns) => {
      const file = await write("lexiconp.txt", `BYE B AY1\nGOOD ${columns}\n`);
      await expect(readLexicon([file])).rejects.toThrow(/lexiconp\.txt:2: "[^"]+" behind "GOOD" is a probability/);
    },
  );

  test("phones that the vocabulary lacks are named with file and line, where the corpus uses them", async () => {
    const file = await write("pos.txt", "HELLO HH_B AH0_I L_I OW1_E\nBYE B AY1\nNOISE NSN\n");
    const lexicon = await readLexicon([file]);
    expect(pronounce([{ id: "1", transcript: "bye" }], lexicon, phoneVocabulary()).get("1")).toEqual(["B", "AY1"]);
    expect(() => pronounce([{ id: "1", transcript: "hello" }], lexicon, phoneVocabulary())).toThrow(
      `${file}:1: "HELLO" has HH_B, AH0_I, L_I, OW1_E; take the positions in the word (_B, _I, _E, _S) off`,
    );
    expect(() => pronounce([{ id: "1", transcript: "noise" }], lexicon, phoneVocabulary())).toThrow(
      `phones that are not in the vocabulary of 74 symbols: ${file}:3: "NOISE" has NSN; it takes ARPAbet`,
    );
  });

  test("phones by utterance", async () => {
    const phones = await readPhones(await write("phones.txt", "a-1 B AH0\na-2 K\n"), "folded");
    expect([...phones]).toEqual([
      ["a-1", ["B", "AH"]],
      ["a-2", ["K"]],
    ]);
    await expect(readPhones(await write("p.txt", "a\n"))).rejects.toThrow('p.txt:1: "a" has no phones');
    await expect(readPhones(await write("q.txt", "a B\na C\n"))).rejects.toThrow('q.txt:2: "a" was on line 1');
    await expect(readPhones(await write("r.txt", ""))).rejects.toThrow("is empty");
  });

  test.skipIf(!hasShared)("real phones.txt files fit the vocabularies", async () => {
    const plain = await readPhones(join(shared, "libri-small/phones.txt"));
    const stressed = await readPhones(join(shared, "libri-small/phones-stress.txt"));
    expect(plain.size).toBeGreaterThan(150);
    for (const phones of plain.values()) phoneLabels(phones, phoneVocabulary("folded"));
    for (const [id, phones] of stressed) {
      phoneLabels(phones, phoneVocabulary());
      expect(phones.map((phone) => phone.replace(/\d/, ""))).toEqual(plain.get(id));
    }
    expect(phoneVocabularyOf(plain.values()).size).toBeLessThanOrEqual(42);
  });
});

describe("labels.tsv", () => {
  test.skipIf(!hasShared)("of real corpora, by word and by speaker", async () => {
    const digits = await readLabelsTsv(join(shared, "digits/labels.tsv"));
    expect(digits.slots[0].values).toEqual("eight five four nine one seven six three two zero".split(" "));
    expect(digits.files.every(({ path }) => existsSync(path))).toBe(true);
    const speakers = await readLabelsTsv(join(shared, "digits/labels.tsv"), "speaker");
    expect(speakers.slots).toEqual([{ name: "speaker", values: expect.arrayContaining(["george", "jackson"]) }]);
    expect((await readLabelsTsv(join(shared, "keywords/labels.tsv"))).slots[0].values.length).toBe(6);
  });

  test.each([
    ["file\tlabel\n", "no column split"],
    ["file\tlabel\tsplit\na.wav\tx\ttrain\na.wav\tx\ttest\n", ":3: a.wav was on line 2"],
    ["file\tlabel\tsplit\na.wav\t\ttrain\n", ":2: the label is empty"],
    ["file\tlabel\tsplit\na.wav\tx\tsomewhere\n", 'split "somewhere"'],
    ["file\tlabel\tsplit\na.wav\tx\ttest\n", "no file of the split train"],
    ["file\tlabel\tsplit\na.wav\tx\ttrain\nb.wav\ty\tvalid\n", "occur in dev or test only: y"],
    ["file\tclass\tsplit\n", 'no column "label"'],
  ])("labels.tsv refuses %j", async (content, message) => {
    await expect(readLabelsTsv(await write("labels.tsv", content))).rejects.toThrow(message);
  });
});

test("labels.tsv has the columns of manifests: any name of the path, parts, ids", async () => {
  const table = "PATH\tsplit\tlabel\tstart\tend\nr.flac\ttrain\ta\t0\t1\nr.flac\tdev\ta\t1\t2\nr.flac\ttest\ta\t2\t3\n";
  const { files } = await readLabelsTsv(await write("labels.tsv", table));
  expect(files.map(({ id, span }) => [id, span?.start, span?.end])).toEqual([
    ["r_000000-001000", 0, 1],
    ["r_001000-002000", 1, 2],
    ["r_002000-003000", 2, 3],
  ]);
  const json = '{"file":"a.wav","split":"train","label":"x","id":"one"}\n';
  expect((await readLabelsTsv(await write("labels.jsonl", json))).files[0]).toMatchObject({ id: "one", labels: ["x"] });
  await expect(readLabelsTsv(await write("labels.tsv", table.replace("start", "onset")))).rejects.toThrow(
    /labels\.tsv:2: the column "onset" .* looks like a time/,
  );
  await expect(readLabelsTsv(await write("labels.tsv", table.replace("\t1\t2", "\t0\t1")))).rejects.toThrow(
    /labels\.tsv:3: r\.flac was on line 2 already/,
  );
});

/** sha1(name) mod 2^27, in percent of 2^27 - 1: below 10 dev, below 20 test. */
const EXPECTED: Record<string, string> = {
  "0a7c2a8d": "train",
  "00176480": "train",
  "004ae714": "train",
  "012c8314": "train",
  "0132a06d": "train",
  c50f55b8: "train",
  f19c1390: "train",
  a69b9b3e: "dev",
  bb05582b: "test",
  "0c40e715": "test",
  e7ea8b76: "train",
  "3b852f6f": "train",
};

describe("Speech Commands", () => {
  test("split by sha1 of the speaker", () => {
    // hashes computed with Python's hashlib by the published formula
    expect(splitByHash("any/0a7c2a8d_nohash_0.wav")).toBe(EXPECTED["0a7c2a8d"]);
    for (const [speaker, split] of Object.entries(EXPECTED)) {
      expect([speaker, splitByHash(`${speaker}_nohash_3.wav`)]).toEqual([speaker, split]);
    }
  });

  test("both archives of Speech Commands are read", async () => {
    const speakers = Object.keys(EXPECTED);
    for (const word of [...KEYWORDS, "bed"]) {
      for (const speaker of speakers) await write(`sc/train/${word}/${speaker}_nohash_0.wav`);
      await write(`sc/test/${word === "bed" ? "_unknown_" : word}/x_nohash_0.wav`);
    }
    await write("sc/test/_silence_/a.wav");
    await write("sc/train/_background_noise_/pink.wav");
    const { files, slots } = await readSpeechCommands(join(folder, "sc/train"), join(folder, "sc/test"));
    expect(slots[0].values.slice(-2)).toEqual(["_unknown_", "_silence_"]);
    const dev = speakers.filter((speaker) => EXPECTED[speaker] === "dev").length;
    const train = speakers.filter((speaker) => EXPECTED[speaker] === "train").length;
    const count = (split: string) => files.filter((file) => file.split === split).length;
    expect([count("train"), count("dev"), count("test")]).toEqual([11 * train + 1, 11 * dev + 1, 12]);
    expect(files.find(({ path }) => path.includes("/bed/"))?.labels).toEqual(["_unknown_"]);
    expect(files.find(({ path }) => path.endsWith("pink.wav"))?.randomCropSeconds).toBe(1);
    expect(new Set(files.map(({ id }) => id)).size).toBe(files.length);
    const training = files.filter(({ split }) => split === "train");
    const weights = inverseClassFrequency(training.map(({ labels }) => labels[0]));
    expect(weights.reduce((a, b) => a + b, 0)).toBeCloseTo(12, 9);
    await expect(readSpeechCommands(join(folder, "sc"), join(folder, "sc/test"))).rejects.toThrow(
      "no recordings of yes",
    );
  });
});

describe("Fluent Speech Commands", () => {
  const head = ",path,speakerId,transcription,action,object,location\n";
  const row = (name: string, action: string) =>
    `0,wavs/speakers/s1/${name}.wav,s1,"Turn, it ""on""",${action},lights,none\n`;

  test("numbers slots in the order of the training file", async () => {
    await write("fsc/data/train_data.csv", head + row("a", "increase") + row("b", "activate"));
    await write("fsc/data/valid_data.csv", head + row("c", "activate"));
    await write("fsc/data/test_data.csv", head + row("d", "increase"));
    const { slots, files } = await readFluentCommands(join(folder, "fsc"));
    expect(slots).toEqual([
      { name: "action", values: ["increase", "activate"] },
      { name: "object", values: ["lights"] },
      { name: "location", values: ["none"] },
    ]);
    expect(files[2]).toEqual({
      id: "c",
      path: join(folder, "fsc/wavs/speakers/s1/c.wav"),
      split: "dev",
      labels: ["activate", "lights", "none"],
    });
    await write("fsc/data/test_data.csv", head + row("d", "explode"));
    await expect(readFluentCommands(join(folder, "fsc"))).rejects.toThrow("explode");
    await write("fsc/data/test_data.csv", head + row("a", "increase"));
    await expect(readFluentCommands(join(folder, "fsc"))).rejects.toThrow("a is listed twice");
  });
});

describe("VoxCeleb1", () => {
  test("VoxCeleb1 reads the official split file", async () => {
    await write("vox/dev/wav/id10001/v/00001.wav");
    await write("vox/test/wav/id10270/v/00002.wav");
    const list = await write("split.txt", "1 id10001/v/00001.wav\n3 id10001/v/00002.wav\n1 id10270/v/00002.wav\n");
    const { slots, files } = await readVoxceleb1(join(folder, "vox"), list);
    expect(slots).toEqual([{ name: "speaker", values: ["id10001", "id10270"] }]);
    expect(files.map(({ split }) => split)).toEqual(["train", "test", "train"]);
    expect(files[2].path).toBe(join(folder, "vox/test/wav/id10270/v/00002.wav"));
    const other = await write("split2.txt", "1 id9/v/1.wav\n");
    await expect(readVoxceleb1(join(folder, "vox"), other)).rejects.toThrow("no folders of 1 speakers");
    const bad = await write("split3.txt", "1 id10001/v/00001.wav\n4 x\n");
    await expect(readVoxceleb1(join(folder, "vox"), bad)).rejects.toThrow("split3.txt:2: expected");
  });
});

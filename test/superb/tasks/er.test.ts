// ER: IEMOCAP's layout with official split files and without, tables with folds, sessions or speakers; submission files.
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { StillwaveError } from "../../../src/errors.ts";
import { torchPermutation } from "../../../src/superb/labels/emotion/torch-permutation.ts";
import type { DataSettings } from "../../../src/superb/recipe/schema.ts";
import { er } from "../../../src/superb/tasks/er.ts";
import type { TaskData } from "../../../src/superb/tasks/task.types.ts";
import { corpusOf, temporaryFolder } from "../../data/corpora.ts";
import { hasShared, shared } from "../speech.ts";

const options = (root: string, rest: Partial<DataSettings> = {}): DataSettings => ({ root, onBadFile: "stop", ...rest }); // biome-ignore format: one line
const foldsOf = (root: string, rest: Partial<DataSettings> = {}) => er.folds!(options(root, rest));
const idsOf = ({ utterances }: TaskData, split: "train" | "dev" | "test") => utterances[split].map(({ id }) => id);

const LABELS = ["neu", "hap", "ang", "sad"];
const turnOf = (session: number, i: number) => `Ses0${session}F_impro0${1 + (i % 2)}_F${String(i).padStart(3, "0")}`;

/** Two sessions of ten turns each, five emotions round and round, with what the corpus has beside them. */
function iemocap(): string {
  const files: Record<string, number | string> = {};
  for (const session of [1, 2]) {
    const at = `Session${session}`;
    const lines: Record<string, string[]> = {};
    for (let i = 0; i < 12; i++) {
      const turn = turnOf(session, i);
      const dialog = turn.slice(0, turn.lastIndexOf("_"));
      const label = ["neu", "exc", "ang", "sad", "hap", "fru"][i % 6];
      files[`${at}/sentences/wav/${dialog}/${turn}.wav`] = 4000 + 100 * i + 50 * session;
      lines[dialog] ??= ["% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]", ""];
      lines[dialog].push(`[6.2901 - 8.2357]\t${turn}\t${label}\t[2.5000, 2.5000, 2.5000]`, "C-E2:\tNeutral;\t()", "");
    }
    for (const [dialog, text] of Object.entries(lines))
      files[`${at}/dialog/EmoEvaluation/${dialog}.txt`] = text.join("\n");
    files[`${at}/dialog/EmoEvaluation/._${Object.keys(lines)[0]}.txt`] = "left by macOS";
    files[`${at}/dialog/EmoEvaluation/Categorical/one.txt`] = "of one annotator";
  }
  return corpusOf(files);
}

describe("IEMOCAP", () => {
  test("sessions are folds; excited counts as happy, other emotions are left out, the rest is drawn", async () => {
    const root = iemocap();
    const folds = await foldsOf(root);
    expect(folds.map(({ fold }) => fold)).toEqual(["1", "2"]);
    const [first] = folds;
    expect(first.objective).toEqual({ kind: "classes", slots: [{ name: "emotion", values: LABELS }] });
    const kept = (session: number) => Array.from({ length: 12 }, (_, i) => i).filter((i) => i % 6 !== 5).map((i) => turnOf(session, i)); // biome-ignore format: one line
    expect(idsOf(first, "test").sort()).toEqual(kept(1).sort());
    expect(idsOf(first, "train").length).toBe(8);
    expect([...idsOf(first, "train"), ...idsOf(first, "dev")].sort()).toEqual(kept(2).sort());
    const happy = first.utterances.test.find(({ id }) => id === turnOf(1, 1));
    expect(happy).toMatchObject({ reference: "hap", label: [1], samples: 4150 });
    expect(first.facts.dev.source).toMatch("drawn as dev by a hash of their ids");
    expect(first.notes.join()).toMatch(/not as the benchmark draws them/);
    expect(first.notes.join()).toMatch(/Session1: 10 turns, 2 of other emotions left out/);
    expect((await er.load(options(root))).fold).toBe("1");
  });

  test("official split files give the lists, and PyTorch's draw of dev", async () => {
    const root = iemocap();
    const meta = temporaryFolder();
    const pathOf = (session: number, i: number) => {
      const turn = turnOf(session, i);
      return `Session${session}/sentences/wav/${turn.slice(0, turn.lastIndexOf("_"))}/${turn}.wav`;
    };
    const order = [4, 0, 9, 3, 1, 10, 2, 6, 7, 8];
    const rows = (session: number) => order.map((i) => ({ path: pathOf(session, i), label: ["neu", "hap", "ang", "sad", "hap"][i % 6], speaker: `Ses0${session}F` })); // biome-ignore format: one line
    const write = (name: string, value: unknown) => {
      mkdirSync(dirname(join(meta, name)), { recursive: true });
      writeFileSync(join(meta, name), JSON.stringify(value));
    };
    const labels = { neu: 0, hap: 1, ang: 2, sad: 3 };
    for (const session of [1, 2]) {
      write(`meta_data/Session${session}/train_meta_data.json`, { labels, meta_data: rows(3 - session) });
      write(`meta_data/Session${session}/test_meta_data.json`, { labels, meta_data: rows(session) });
    }
    // [4, 1, 7, 5, 3, 9, 0, 8 | 6, 2]
    const drawn = torchPermutation(10, 0).map((place) => turnOf(2, order[place]));
    for (const splitFile of [meta, join(meta, "meta_data"), join(meta, "meta_data/Session2/train_meta_data.json")]) {
      const [first, second] = await foldsOf(root, { splitFile });
      expect(idsOf(first, "train")).toEqual(drawn.slice(0, 8));
      expect(idsOf(first, "dev")).toEqual(drawn.slice(8));
      expect(idsOf(first, "test")).toEqual(order.map((i) => turnOf(1, i)));
      expect(second.facts.dev.source).toMatch("randperm with seed 0, as the benchmark");
      expect(first.notes).toEqual([]);
    }
    await expect(foldsOf(root, { splitFile: root })).rejects.toThrow(`${root}: no split files there`);
    write("meta_data/Session1/test_meta_data.json", { labels: { hap: 0, neu: 1 }, meta_data: rows(1) });
    await expect(foldsOf(root, { splitFile: meta })).rejects.toThrow(
      "labels are hap, neu; expected neu, hap, ang, sad",
    );
    write("meta_data/Session1/test_meta_data.json", {
      labels,
      meta_data: [{ path: "Session1/none.wav", label: "neu" }],
    });
    await expect(foldsOf(root, { splitFile: meta })).rejects.toThrow("1 recordings of the split files in");
    write("meta_data/Session1/test_meta_data.json", { labels, meta_data: [{ path: pathOf(1, 0), label: "fru" }] });
    await expect(foldsOf(root, { splitFile: meta })).rejects.toThrow('the label "fru", which is not among');
    writeFileSync(join(meta, "meta_data/Session1/test_meta_data.json"), "{");
    await expect(foldsOf(root, { splitFile: meta })).rejects.toThrow("test_meta_data.json: not valid JSON");
  });

  test("what is malformed is refused with file and line, whatever it is", async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: "binary" }), async (text) => {
        const root = corpusOf({ "Session1/dialog/EmoEvaluation/a.txt": `% head\n[${text}` });
        const error = await foldsOf(root).catch((e: Error) => e);
        expect(error).toBeInstanceOf(StillwaveError);
      }),
      { numRuns: 40 },
    );
    const root = corpusOf({ "Session1/dialog/EmoEvaluation/a.txt": "% head\n[1 - 2] turn neu" });
    await expect(foldsOf(root)).rejects.toThrow(/a\.txt:2: expected \[start - end\], turn, emotion/);
  });
});

const rows = (columns: string, lines: readonly string[]) => [columns, ...lines].join("\n");

describe("tables", () => {
  const table = (columns: string, line: (i: number) => string, count = 24) => {
    const files: Record<string, number | string> = {};
    for (let i = 0; i < count; i++) files[`${i}.wav`] = 4000 + 10 * i;
    files["labels.tsv"] = rows(
      columns,
      Array.from({ length: count }, (_, i) => line(i)),
    );
    return corpusOf(files);
  };
  const emotion = (i: number) => ["calm", "cross"][i % 2];

  test("fold, session or speaker tell the folds; file and path, emotion and label are read alike", async () => {
    const byFold = await foldsOf(table("file\temotion\tfold", (i) => `${i}.wav\t${emotion(i)}\t${1 + (i % 3)}`));
    expect(byFold.map(({ fold }) => fold)).toEqual(["1", "2", "3"]);
    expect(byFold[2].facts.test).toMatchObject({ utterances: 8, source: "fold 3" });
    const bySession = await foldsOf(table("path\tlabel\tsession", (i) => `${i}.wav\t${emotion(i)}\tS${i % 4}`));
    expect(bySession.map(({ fold }) => fold)).toEqual(["S0", "S1", "S2", "S3"]);
    expect(bySession[0].objective).toMatchObject({ slots: [{ name: "label", values: ["calm", "cross"] }] });
    // five speakers: folds of two, the last of one
    const bySpeaker = await foldsOf(table("path\tspeaker\temotion", (i) => `${i}.wav\t${9 + (i % 5)}\t${emotion(i)}`));
    expect(bySpeaker.map(({ facts }) => facts.test.source)).toEqual(["speakers 9 and 10", "speakers 11 and 12", "speakers 13"]); // biome-ignore format: one line
    for (const fold of bySpeaker) {
      const all = [...idsOf(fold, "train"), ...idsOf(fold, "dev"), ...idsOf(fold, "test")];
      expect(all.sort()).toEqual(Array.from({ length: 24 }, (_, i) => String(i)).sort());
      const rest = all.length - idsOf(fold, "test").length;
      expect(idsOf(fold, "train").length).toBe(Math.floor(0.8 * rest));
    }
    // a draw that other files do not change, and one object for each utterance, however many folds it is in
    const everywhere = new Set(bySpeaker.flatMap(({ utterances }) => Object.values(utterances).flat()));
    expect(everywhere.size).toBe(24);
  });

  test("one fold alone is asked for by name; a split makes no folds", async () => {
    const root = table("file\temotion\tfold", (i) => `${i}.wav\t${emotion(i)}\t${1 + (i % 3)}`);
    expect((await foldsOf(root, { fold: "2" })).map(({ fold }) => fold)).toEqual(["2"]);
    await expect(foldsOf(root, { fold: "9" })).rejects.toThrow('no fold "9"; there are 1, 2, 3');
    const split = table("file\temotion\tspeaker\tsplit", (i) => `${i}.wav\t${emotion(i)}\ts\t${i < 16 ? "train" : "test"}`); // biome-ignore format: one line
    const [whole, ...others] = await foldsOf(split);
    expect(others).toEqual([]);
    expect(whole.fold).toBeUndefined();
    expect(whole.facts.dev.source).toMatch(/^held out of train/);
    await expect(foldsOf(split, { fold: "1" })).rejects.toThrow("no folds to choose from");
    await expect(foldsOf(split, { splitFile: "x" })).rejects.toThrow("split files are IEMOCAP's");
  });

  test("what cannot be folded is refused", async () => {
    await expect(foldsOf(table("file\temotion\tfold", (i) => `${i}.wav\t${emotion(i)}\t1`))).rejects.toThrow("all files are in one fold (fold 1)"); // biome-ignore format: one line
    await expect(foldsOf(table("file\temotion\tfold", (i) => `${i}.wav\t${emotion(i)}\t${i === 3 ? " " : i % 2}`))).rejects.toThrow(/labels\.tsv:5: the fold is empty/); // biome-ignore format: one line
    await expect(foldsOf(table("file\temotion\tfold", (i) => `${i}.wav\t${emotion(i)}\t../${i % 2}`))).rejects.toThrow("folds are named by letters"); // biome-ignore format: one line
    await expect(foldsOf(table("file\tmood\tfold", (i) => `${i}.wav\t${emotion(i)}\t${i % 2}`))).rejects.toThrow('no column "emotion"'); // biome-ignore format: one line
    const rare = table("file\temotion\tfold", (i) => `${i}.wav\t${i % 2 === 0 ? "calm" : "cross"}\t${i % 2}`);
    await expect(foldsOf(rare)).rejects.toThrow(/fold 0: emotion is never calm in what is trained on/);
  });

  test.skipIf(!hasShared())("EmoDB: ten speakers make five folds of two", async () => {
    const folds = await foldsOf(join(shared, "emodb"));
    expect(folds.map(({ facts }) => facts.test.source)).toEqual(["speakers 03 and 08", "speakers 09 and 10", "speakers 11 and 12", "speakers 13 and 14", "speakers 15 and 16"]); // biome-ignore format: one line
    const tests = folds.flatMap((fold) => idsOf(fold, "test"));
    expect([tests.length, new Set(tests).size]).toEqual([339, 339]);
    expect(folds[0].objective).toMatchObject({ slots: [{ values: ["anger", "happiness", "neutral", "sadness"] }] });
  });
});

test("submission files name every turn's emotion, a file a fold", async () => {
  const answer = (id: string, hypothesis: string, fold?: string) => ({ id, reference: "neu", hypothesis, fold });
  const test = [answer("Ses01F_impro01_F000", "neu", "1"), answer("Ses02M_script01_1_M003", "ang", "2"), answer("Ses01F_impro01_F001", "sad", "1")]; // biome-ignore format: one line
  expect(await er.submission!({ folder: "/", test })).toEqual([
    { name: "test_fold1_predict.txt", content: "Ses01F_impro01_F000 neu\nSes01F_impro01_F001 sad\n" },
    { name: "test_fold2_predict.txt", content: "Ses02M_script01_1_M003 ang\n" },
  ]);
});

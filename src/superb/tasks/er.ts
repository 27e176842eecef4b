// ER, emotion recognition: which emotion a turn has, scored by accuracy, the mean over folds.
import { existsSync } from "node:fs";
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { StillwaveError } from "../../errors.ts";
import type { FoldedCorpus } from "../labels/classes.ts";
import { foldColumn, foldsOfTable } from "../labels/emotion/folds.ts";
import { isIemocap, readIemocap } from "../labels/emotion/iemocap.ts";
import { readLabels } from "../labels/folders.ts";
import { type LabelTable, openLabelTable } from "../labels/table.ts";
import type { DataSettings } from "../recipe/schema.ts";
import { classification, foldedClassData } from "./classes.ts";
import type { Task, TaskData, TestedRun } from "./task.types.ts";

/** Columns of labels.tsv that may hold the emotion, the first that is there. */
const COLUMNS = ["emotion", "label"];

const oneSplit = classification({
  title: "emotion recognition",
  example: "--upstream runs/quickstart/best --data IEMOCAP --split-file meta_data",
  score: "er",
  settings: ["data.labelColumns", "data.splitFile", "data.fold"],
  labelColumns: COLUMNS.slice(0, 1),
  recipe: {
    learningRates: [1e-4],
    updates: 30_000,
    batchSize: 4,
    accumulate: 8,
    clip: 1,
    evaluateEvery: 1000,
    warmup: 1400,
    batching: "shuffled",
    specAugment: false,
  },
  corpus: ({ root }, columns) => readLabels(root, columns, "emotion"),
});

async function tableOf(root: string): Promise<LabelTable | undefined> {
  const isFile = (await stat(root).catch(() => undefined))?.isFile() === true;
  const file = isFile ? root : join(root, "labels.tsv");
  return existsSync(file) ? openLabelTable(file) : undefined;
}

/** The official split files lie beside the corpus as `meta_data`, or are named. */
function officialFiles({ root, splitFile }: DataSettings): string | undefined {
  const beside = join(root, "meta_data");
  return splitFile ?? (existsSync(beside) ? beside : undefined);
}

async function folds(data: DataSettings): Promise<TaskData[]> {
  const { root, labelColumns, splitFile, fold } = data;
  const folded = async (corpus: FoldedCorpus) => foldedClassData(root, corpus, data);
  if (await isIemocap(root)) return folded(await readIemocap(root, officialFiles(data)));
  if (splitFile !== undefined)
    throw new StillwaveError(
      `${splitFile}: split files are IEMOCAP's, and ${root} has no folders Session1, Session2, ...`,
    );
  const table = await tableOf(root);
  const found = COLUMNS.find((name) => table?.columns.includes(name));
  const columns = labelColumns ?? (found === undefined ? COLUMNS.slice(0, 1) : [found]);
  const column = table && foldColumn(table);
  if (table && column !== undefined) return folded(foldsOfTable(table, column, columns));
  if (fold !== undefined)
    throw new StillwaveError(
      `${root}: there are no folds to choose from; a table tells them by a column fold, session or speaker, and has no split`,
    );
  return [await oneSplit.load({ ...data, labelColumns: columns })];
}

/** `test_fold1_predict.txt` and the others: a turn and its emotion a line. */
async function submission({ test }: TestedRun) {
  const names = [...new Set(test.map(({ fold = "1" }) => fold))];
  return names.map((name) => ({
    name: `test_fold${name}_predict.txt`,
    content: test
      .filter(({ fold = "1" }) => fold === name)
      .map(({ id, hypothesis }) => `${id} ${hypothesis}\n`)
      .join(""),
  }));
}

export const er: Task = {
  ...oneSplit,
  load: async (data) => (await folds(data))[0],
  folds,
  submission,
};

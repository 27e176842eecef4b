// Reads one line of metrics.jsonl, every field checked.
import type { MetricsRow, ObjectiveTerms, TrainRow, ValidationRow } from "./metrics.types.ts";

const TRAIN_FIELDS: readonly (keyof TrainRow)[] = [
  "step",
  "epoch",
  "seconds",
  "loss",
  "hintMasked",
  "hintUnmasked",
  "lastMasked",
  "lastUnmasked",
  "learningRate",
  "gradientNorm",
  "stepSeconds",
  "audioSecondsPerSecond",
  "maskedFraction",
  "rssBytes",
];
/** What rows of earlier versions lack. */
const LATER_FIELDS: readonly (keyof TrainRow)[] = ["paddedFraction", "waitShare"];
/** What rows may lack. */
const OPTIONAL_FIELDS: readonly (keyof TrainRow)[] = ["lossScale", "skippedUpdates"];
const TRAIN_LISTS: readonly (keyof TrainRow)[] = ["perLayerMasked", "perLayerUnmasked"];
const VALIDATION_FIELDS: readonly (keyof ValidationRow)[] = ["step", "epoch", "seconds", "loss", "utterances"];
const VALIDATION_LISTS: readonly (keyof ValidationRow)[] = ["perLayer"];

/** A number as it stands in a row; undefined: it is none. */
export function parseNumber(value: unknown): number | undefined {
  if (typeof value === "number") return value;
  return value === "NaN" || value === "Infinity" || value === "-Infinity" ? Number(value) : undefined;
}

function parseTerms(value: unknown): ObjectiveTerms {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw new Error("terms is not an object");
  const lists = Object.entries(value).map(([name, list]): [string, number[]] => {
    const numbers: (number | undefined)[] = Array.isArray(list) ? list.map(parseNumber) : [undefined];
    if (numbers.includes(undefined)) throw new Error(`terms.${name} is not a list of numbers`);
    return [name, numbers as number[]];
  });
  return Object.fromEntries(lists);
}

/** Reads one line. Fields that are not known are left out of the row. @throws Error saying what is wrong with it */
export function parseMetricsRow(line: string): MetricsRow {
  const value: unknown = JSON.parse(line);
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw new Error("not an object");
  const source = value as Record<string, unknown>;
  const { kind } = source;
  if (kind !== "train" && kind !== "validation") throw new Error(`kind must be "train" or "validation"`);
  const row: Record<string, unknown> = { kind };
  for (const field of kind === "train" ? TRAIN_FIELDS : VALIDATION_FIELDS) {
    row[field] = parseNumber(source[field]);
    if (row[field] === undefined) throw new Error(`${field} is not a number`);
  }
  for (const field of kind === "train" ? LATER_FIELDS : []) {
    row[field] = source[field] === undefined ? Number.NaN : parseNumber(source[field]);
    if (row[field] === undefined) throw new Error(`${field} is not a number`);
  }
  for (const field of kind === "train" ? OPTIONAL_FIELDS : []) {
    if (source[field] === undefined) continue;
    row[field] = parseNumber(source[field]);
    if (row[field] === undefined) throw new Error(`${field} is not a number`);
  }
  for (const field of kind === "train" ? TRAIN_LISTS : VALIDATION_LISTS) {
    const list = source[field];
    const numbers = Array.isArray(list) ? list.map(parseNumber) : [undefined];
    if (numbers.includes(undefined)) throw new Error(`${field} is not a list of numbers`);
    row[field] = numbers;
  }
  if (source.terms !== undefined) row.terms = parseTerms(source.terms);
  if (!Number.isSafeInteger(row.step) || (row.step as number) < 0) throw new Error("step is not a whole number");
  return row as unknown as MetricsRow;
}

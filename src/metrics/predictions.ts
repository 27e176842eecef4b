// Prediction files: one utterance a line with reference and hypothesis, from which every metric can be computed again.
import { extname } from "node:path";
import { parseTable, readLines, splitTabs } from "../data/lines.ts";
import { StillwaveError, UsageError } from "../errors.ts";
import { writeFileAtomic } from "../files.ts";

export interface Prediction {
  readonly id: string;
  readonly reference: string;
  readonly hypothesis: string;
  /** The recording, for reports that play it; kept in JSONL only. */
  readonly audio?: string;
  /** The part of it that was said, in samples at its own rate; kept in JSONL only. */
  readonly segment?: { readonly start: number; readonly samples: number; readonly sampleRateHz: number };
  /** What an answer was read from, where that is more than a text, as probabilities; kept in JSONL only. */
  readonly detail?: string;
  /** Of which fold it is, where a corpus is tested in several; kept in JSONL only. */
  readonly fold?: string;
}

const COLUMNS = ["id", "reference", "hypothesis"] as const;

/**
 * Reads predictions from TSV (a header line with the columns id, reference, hypothesis; others are ignored) or JSONL.
 * @throws StillwaveError with file and line for anything malformed, an id that occurs twice, or no predictions.
 */
export async function readPredictions(file: string): Promise<Prediction[]> {
  const lines = await readLines(file, "prediction");
  const isJson = lines[0].text.trimStart().startsWith("{");
  const numbered: { number: number; prediction: Prediction }[] = isJson
    ? lines.map(({ number, text }) => ({ number, prediction: parseJson(text, `${file}:${number}`) }))
    : parseTable(lines, file, splitTabs, COLUMNS).rows.map((row) => ({
        number: row.number,
        prediction: { id: row.get("id")!, reference: row.get("reference")!, hypothesis: row.get("hypothesis")! },
      }));
  const seen = new Map<string, number>();
  for (const { number, prediction } of numbered) {
    if (prediction.id === "") throw new StillwaveError(`${file}:${number}: the id is empty`);
    const key = JSON.stringify([prediction.id, prediction.fold]);
    const earlier = seen.get(key);
    if (earlier !== undefined) {
      throw new StillwaveError(`${file}:${number}: id "${prediction.id}" was on line ${earlier} already`);
    }
    seen.set(key, number);
  }
  if (numbered.length === 0) throw new StillwaveError(`${file}: no predictions after the header line`);
  return numbered.map(({ prediction }) => prediction);
}

function parseJson(text: string, place: string): Prediction {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new StillwaveError(`${place}: not valid JSON (${(error as Error).message}); one object a line`);
  }
  const fields = (value ?? {}) as Record<string, unknown>;
  for (const name of COLUMNS) {
    if (typeof fields[name] !== "string") throw new StillwaveError(`${place}: "${name}" must be text`);
  }
  const { id, reference, hypothesis } = fields as unknown as Prediction;
  const audio = typeof fields.audio === "string" ? fields.audio : undefined;
  const detail = typeof fields.detail === "string" ? fields.detail : undefined;
  const fold = typeof fields.fold === "string" ? fields.fold : undefined;
  return { id, reference, hypothesis, audio, segment: segmentIn(fields.segment), detail, fold };
}

function segmentIn(value: unknown): Prediction["segment"] {
  const { start, samples, sampleRateHz } = (value ?? {}) as Record<string, unknown>;
  if (typeof start !== "number" || typeof samples !== "number" || typeof sampleRateHz !== "number") return undefined;
  return { start, samples, sampleRateHz };
}

/**
 * Writes predictions, as TSV or JSONL by the file's extension.
 * @throws UsageError for another extension, or a tab or line break in a TSV cell.
 */
export async function writePredictions(file: string, predictions: readonly Prediction[]): Promise<void> {
  const kind = extname(file).toLowerCase();
  if (kind === ".jsonl") {
    const lines = predictions.map(({ id, reference, hypothesis, audio, segment, detail, fold }) =>
      JSON.stringify({ id, reference, hypothesis, audio, segment, detail, fold }),
    );
    return writeFileAtomic(file, lines.map((line) => `${line}\n`).join(""));
  }
  if (kind !== ".tsv") throw new UsageError(`${file}: predictions are written as .tsv or .jsonl`);
  const rows = predictions.map((prediction) => COLUMNS.map((name) => prediction[name]));
  for (const row of rows) {
    if (row.some((cell) => /[\t\r\n]/.test(cell))) {
      throw new UsageError(`${file}: "${row[0]}" has a tab or a line break, which TSV cannot hold; write .jsonl`);
    }
  }
  await writeFileAtomic(file, [COLUMNS, ...rows].map((row) => `${row.join("\t")}\n`).join(""));
}

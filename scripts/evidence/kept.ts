// What is kept of the rows: row.json of each, checked when it is read, changed one part at a time.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { StillwaveError } from "../../src/errors.ts";
import { writeFileAtomic } from "../../src/files.ts";
import { nameOf } from "./rows.ts";

/** One number with its interval, and the command whose predictions it was computed of. */
const measured = z.strictObject({
  value: z.number(),
  low: z.number(),
  high: z.number(),
  metric: z.string(),
  states: z.string(),
  /** Shares of the states that the head reads, lowest first; the probes of a row are of the same states. */
  layerWeights: z.array(z.number()).readonly().optional(),
  seconds: z.number(),
  command: z.string(),
});

const training = z.strictObject({
  updates: z.number(),
  /** Of speech that was learned from, padding not counted. */
  hours: z.number(),
  validation: z.number().nullable(),
  best: z.strictObject({ step: z.number(), loss: z.number() }).nullable(),
  seconds: z.number(),
  /** What computed it, and in which precision. */
  computing: z.string().optional(),
  command: z.string(),
});

const speed = z.strictObject({
  /** Seconds of computing for a second of speech. */
  realTimeFactor: z.number(),
  processor: z.string(),
  /** When its run began, ISO 8601: factors of one run compare, others less well. */
  at: z.string().optional(),
});

const rowResult = z.strictObject({
  id: z.string(),
  seed: z.number(),
  title: z.string(),
  /** What was set in the recipe when it was made. */
  set: z.array(z.string()),
  parameters: z.number().optional(),
  macs: z.number().optional(),
  speed: speed.optional(),
  training: training.optional(),
  probes: z.record(z.string(), measured),
});

export type Measured = z.infer<typeof measured>;
export type Training = z.infer<typeof training>;
export type Speed = z.infer<typeof speed>;
export type RowResult = z.infer<typeof rowResult>;

const fileOf = (kept: string, name: string) => join(kept, name, "row.json");

/**
 * What is kept of a row; undefined where nothing is.
 * @throws StillwaveError that names the file where it is damaged
 */
export async function readRow(kept: string, name: string): Promise<RowResult | undefined> {
  const file = fileOf(kept, name);
  const text = await readFile(file, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw error;
  });
  if (text === undefined) return undefined;
  const damaged = (why: string) =>
    new StillwaveError(`${file}: damaged (${why}); take it from version control again, or remove the folder`);
  let found: unknown;
  try {
    found = JSON.parse(text);
  } catch (error) {
    throw damaged(error instanceof Error ? error.message : String(error));
  }
  const { data, error } = rowResult.safeParse(found);
  if (!data) throw damaged(`${error.issues[0].path.join(".")}: ${error.issues[0].message}`);
  if (nameOf(data.id, data.seed) !== name) throw damaged(`it is of ${nameOf(data.id, data.seed)}`);
  return data;
}

/** Writes parts of a row beside those that are there now, which another process may have written since they were read. */
export async function changeRow(
  kept: string,
  begun: Pick<RowResult, "id" | "seed" | "title" | "set">,
  more: Partial<RowResult>,
): Promise<RowResult> {
  const name = nameOf(begun.id, begun.seed);
  const there = (await readRow(kept, name)) ?? { ...begun, probes: {} };
  const row = { ...there, ...more, probes: { ...there.probes, ...more.probes } };
  await writeFileAtomic(fileOf(kept, name), `${JSON.stringify(row, null, 2)}\n`);
  return row;
}

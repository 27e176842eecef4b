// Results that somebody published, read from a JSON file.
import { readFile, stat } from "node:fs/promises";
import { basename, extname } from "node:path";
import { z } from "zod";
import { StillwaveError } from "../../errors.ts";
import { METRICS, scoreTasks, type TaskResults } from "../../superb/scores.ts";

/** A model's results as somebody published them. */
export interface PublishedResults {
  readonly name: string;
  readonly file: string;
  readonly parameters: number | null;
  readonly results: TaskResults;
}

const MAX_BYTES = 1_000_000;

const publishedSchema = z.strictObject({
  name: z.string().min(1).max(1000).optional(),
  parameters: z.number().int().min(0).optional(),
  ...Object.fromEntries(Object.keys(METRICS).map((metric) => [metric, z.number().optional()])),
});

/**
 * Reads `{"name": "HuBERT Base", "per": 5.41, "wer": 6.42, ...}`; percent, but for `mtwv`, which is a fraction.
 * @throws StillwaveError naming the file, and the metrics there are where one is unknown or no possible result.
 */
export async function readPublished(file: string): Promise<PublishedResults> {
  const valid = `expected an object with "name" and any of ${Object.keys(METRICS).join(", ")} as numbers`;
  const info = await stat(file).catch(() => undefined);
  if (!info?.isFile() || info.size > MAX_BYTES) throw new StillwaveError(`${file}: no file of results; ${valid}`);
  let value: unknown;
  try {
    value = JSON.parse(await readFile(file, "utf8"));
  } catch (error) {
    throw new StillwaveError(`${file}: not valid JSON (${(error as Error).message.slice(0, 200)}); ${valid}`);
  }
  const parsed = publishedSchema.safeParse(value);
  if (!parsed.success) {
    const [{ path, message }] = parsed.error.issues;
    throw new StillwaveError(`${file}: ${path.length > 0 ? `${path.join(".")}: ` : ""}${message}; ${valid}`);
  }
  const { name = basename(file, extname(file)), parameters = null, ...results } = parsed.data;
  if (Object.keys(results).length === 0) throw new StillwaveError(`${file}: holds no result; ${valid}`);
  try {
    scoreTasks(results);
  } catch (error) {
    throw new StillwaveError(`${file}: ${(error as Error).message}; ${valid}`);
  }
  return { name, file, parameters, results };
}

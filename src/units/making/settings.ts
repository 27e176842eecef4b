// What the units of an iteration are made of and where, the files that they are, and what is known of them.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import type { Corpus } from "../../data/index.ts";
import { StillwaveError } from "../../errors.ts";
import { writeFileAtomic } from "../../files.ts";
import { keyOf } from "../json.ts";
import type { KMeansOptions } from "../kmeans.ts";
import type { Nearest } from "../nearest.ts";
import type { PhoneSource } from "../phones.ts";
import type { Features, Reading } from "./features.ts";

const FILES = {
  /** Features that k-means is fitted to, and where its seeding and it stand; all go when the units are there. */
  frames: "frames.bin",
  seeds: "seeds.safetensors",
  state: "k-means.safetensors",
  centroids: "centroids.safetensors",
  train: "train.units",
  validation: "validation.units",
  summary: "units.json",
} as const;

export interface UnitSettings {
  readonly folder: string;
  readonly train: Corpus;
  readonly validation: Corpus | null;
  readonly features: Features;
  readonly nearest: Nearest;
  readonly samplesPerFrame: number;
  readonly kMeans: KMeansOptions;
  /** Of the training utterances, to which k-means is fitted. */
  readonly share: number;
  readonly phones: PhoneSource | null;
  readonly reading: Reading;
}

/** How far one of the stages is. `inertia`: mean squared distance to the nearest centroid. */
export interface UnitProgress {
  readonly stage: "features" | "seeding" | "k-means" | "labels";
  readonly done: number;
  readonly total: number;
  readonly inertia?: number;
}

/** Who is told, and who may stop it: `signal` ends it with the signal's reason. */
export interface UnitWork {
  readonly tell: (progress: UnitProgress) => void;
  readonly signal: AbortSignal;
}

const count = z.int().min(0);
const share = z.number().min(0).max(1);

const summarySchema = z.object({
  key: z.string(),
  features: z.string(),
  clusters: z.int().min(1),
  /** Frames that k-means was fitted to, its iterations, and clusters that it seeded anew because they were empty. */
  fitted: z.object({ frames: count, iterations: count, reseeded: count }).readonly(),
  /** Mean squared distance over all training frames. */
  inertia: z.number(),
  /** Training frames of each unit. */
  usage: z.array(count).readonly(),
  /** How many units it would be, were all used equally: exp of the entropy. */
  perplexity: z.number(),
  /** Agreement with phones, where there are any. */
  phones: z
    .object({
      path: z.string(),
      kind: z.enum(["frames", "sequence"]),
      phonePurity: share,
      clusterPurity: share,
      pnmi: z.number(),
      frames: count,
      utterances: count,
      without: count,
    })
    .readonly()
    .nullable(),
});

/** What units.json says. */
export type UnitSummary = Readonly<z.infer<typeof summarySchema>>;

export const unitPath = ({ folder }: Pick<UnitSettings, "folder">, file: keyof typeof FILES): string =>
  join(folder, FILES[file]);

/** Of everything that the units of a corpus depend on. */
export function unitsKey({ features, kMeans, share, train, reading, samplesPerFrame }: UnitSettings): string {
  return keyOf([features.key, kMeans, share, train.fingerprint, reading.seed, samplesPerFrame]);
}

export async function writeSummary(path: string, summary: UnitSummary): Promise<void> {
  await writeFileAtomic(path, `${JSON.stringify(summary, null, 2)}\n`);
}

/** undefined where there is none. @throws StillwaveError where it is damaged */
export async function readSummary(path: string): Promise<UnitSummary | undefined> {
  const text = await readFile(path, "utf8").catch(({ code }: NodeJS.ErrnoException) => {
    if (code === "ENOENT") return undefined;
    throw new StillwaveError(`${path}: cannot be read (${code})`);
  });
  if (text === undefined) return undefined;
  try {
    return summarySchema.parse(JSON.parse(text));
  } catch {
    throw new StillwaveError(`${path}: damaged; delete it and resume the run, which makes it again`);
  }
}

// The units of an iteration: centroids, a unit for every frame of all utterances, and what they are worth.
import { existsSync } from "node:fs";
import { rm } from "node:fs/promises";
import type { Corpus } from "../../data/index.ts";
import { InternalError } from "../../errors.ts";
import { removeFrames } from "../frames-writer.ts";
import { judgeUnits } from "../phones.ts";
import { readUnits, type UnitFile } from "../unit-file.ts";
import { type Fit, fitCentroids } from "./fit.ts";
import { labelCorpus, removeLabels } from "./labels.ts";
import {
  readSummary,
  type UnitSettings,
  type UnitSummary,
  type UnitWork,
  unitPath,
  unitsKey,
  writeSummary,
} from "./settings.ts";

export interface MadeUnits {
  readonly train: UnitFile;
  readonly validation: UnitFile | null;
  readonly summary: UnitSummary;
}

/**
 * Makes the units of a folder, or reads those that are there. Every stage goes on from where it was saved:
 * a kill changes nothing of what comes out.
 * @throws StillwaveError where a file is damaged, or there is too little speech
 */
export async function makeUnits(settings: UnitSettings, work: UnitWork): Promise<MadeUnits> {
  const key = unitsKey(settings);
  const there = await readMade(settings, key);
  if (there) return finished(settings, there);
  const fit = await fitCentroids(settings, key, work);
  const { train, validation } = settings;
  const [first, second] = [train, validation].map((corpus) => corpus?.utterances.length ?? 0);
  const tellingAll = (before: number): UnitWork => ({
    ...work,
    tell: (progress) => work.tell({ ...progress, done: before + progress.done, total: first + second }),
  });
  const labelling = { settings, key, centroids: fit.state.centroids };
  const inertia = await labelCorpus(train, { name: "train", ...labelling, work: tellingAll(0) });
  if (validation) await labelCorpus(validation, { name: "validation", ...labelling, work: tellingAll(first) });
  await summarise(settings, key, fit, inertia);
  const made = await readMade(settings, key);
  if (!made) throw new InternalError(`${settings.folder}: units were made and are not there`);
  return finished(settings, made);
}

/** Removes what was written on the way; judges by phones that were not there before. */
async function finished(settings: UnitSettings, made: MadeUnits): Promise<MadeUnits> {
  await removeFrames(unitPath(settings, "frames"));
  await removeLabels(settings);
  for (const file of ["seeds", "state"] as const) await rm(unitPath(settings, file), { force: true });
  const { phones } = settings;
  const before = made.summary.phones;
  if (phones === null || (before?.path === phones.path && before.kind === phones.kind)) return made;
  const summary = { ...made.summary, phones: await judged(made.train, phones) };
  await writeSummary(unitPath(settings, "summary"), summary);
  return { ...made, summary };
}

/** How well units agree with phones, where there are any. */
const judged = async (units: UnitFile, phones: UnitSettings["phones"]): Promise<UnitSummary["phones"]> =>
  phones && { path: phones.path, kind: phones.kind, ...(await judgeUnits(units, phones)) };

async function readMade(settings: UnitSettings, key: string): Promise<MadeUnits | undefined> {
  const summary = await readSummary(unitPath(settings, "summary"));
  if (summary?.key !== key) return undefined;
  const read = async (name: "train" | "validation", corpus: Corpus): Promise<UnitFile | undefined> => {
    const path = unitPath(settings, name);
    const units = existsSync(path) ? await readUnits(path) : undefined;
    return units?.key === key && units.data === corpus.fingerprint ? units : undefined;
  };
  const train = await read("train", settings.train);
  const validation = settings.validation && (await read("validation", settings.validation));
  return train && validation !== undefined ? { train, validation, summary } : undefined;
}

async function summarise(settings: UnitSettings, key: string, { state, frames }: Fit, inertia: number): Promise<void> {
  const { kMeans, features, phones } = settings;
  const units = await readUnits(unitPath(settings, "train"));
  const usage = new Array<number>(kMeans.clusters).fill(0);
  for (const id of units.ids) for (const unit of units.of(id)) usage[unit]++;
  const total = usage.reduce((sum, own) => sum + own, 0);
  const entropy = usage.reduce((sum, own) => sum - (own > 0 ? (own / total) * Math.log(own / total) : 0), 0);
  await writeSummary(unitPath(settings, "summary"), {
    key,
    features: features.name,
    clusters: kMeans.clusters,
    fitted: { frames, iterations: state.iteration, reseeded: state.reseeded },
    inertia,
    usage,
    perplexity: Math.exp(entropy),
    phones: await judged(units, phones),
  });
}

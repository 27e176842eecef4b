// The units of an iteration: centroids, a unit for every frame of all utterances, and what they are worth.
import { existsSync } from "node:fs";
import { rm } from "node:fs/promises";
import type { Corpus } from "../../data/index.ts";
import { InternalError, StillwaveError } from "../../errors.ts";
import type { Centroids } from "../nearest.ts";
import { judgeUnits } from "../phones.ts";
import { type LabelledUtterance, readUnits, type UnitFile, writeUnits } from "../unit-file.ts";
import { wholeUtterances } from "./features.ts";
import { type Fit, fitCentroids } from "./fit.ts";
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
 * Makes the units of a folder, or reads those that are there. Every stage leaves a file that is whole or not there, and k-means
 * goes on from where it was saved: a kill changes nothing of what comes out.
 * @throws StillwaveError where a file is damaged, or there is too little speech
 */
export async function makeUnits(settings: UnitSettings, work: UnitWork): Promise<MadeUnits> {
  const key = unitsKey(settings);
  const there = await readMade(settings, key);
  if (there) return there;
  const fit = await fitCentroids(settings, key, work);
  const { centroids } = fit.state;
  const inertia = await label("train", settings.train, { settings, key, centroids, work });
  if (settings.validation) await label("validation", settings.validation, { settings, key, centroids, work });
  await summarise(settings, key, fit, inertia);
  for (const file of ["frames", "state"] as const) await rm(unitPath(settings, file), { force: true });
  const made = await readMade(settings, key);
  if (!made) throw new InternalError(`${settings.folder}: units were made and are not there`);
  return made;
}

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

interface Labelling {
  readonly settings: UnitSettings;
  readonly key: string;
  readonly centroids: Centroids;
  readonly work: UnitWork;
}

/** Writes the units of a corpus. Resolves to the mean squared distance of its frames to their centroids. */
async function label(
  name: "train" | "validation",
  corpus: Corpus,
  { settings, key, centroids, work }: Labelling,
): Promise<number> {
  const { features, nearest, reading, kMeans, samplesPerFrame } = settings;
  const all: LabelledUtterance[] = [];
  let [sum, frames] = [0, 0];
  for await (const batch of wholeUtterances(corpus, reading, work.signal)) {
    for (const { id, data } of await features.of(batch)) {
      const { units, squares } = await nearest.assign(data, centroids);
      all.push({ id, units });
      frames += units.length;
      for (const square of squares) sum += square;
    }
    work.tell({ stage: "labels", done: all.length, total: corpus.utterances.length });
  }
  if (frames === 0) throw new StillwaveError(`data.${name}: none of its files can be used; repair or drop it`);
  all.sort((a, b) => (a.id < b.id ? -1 : 1));
  const facts = { clusters: kMeans.clusters, samplesPerFrame, key, data: corpus.fingerprint };
  await writeUnits(unitPath(settings, name), facts, all);
  return sum / frames;
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
    phones: phones && { path: phones.path, kind: phones.kind, ...(await judgeUnits(units, phones)) },
  });
}

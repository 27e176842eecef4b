// The units of an iteration: centroids, a unit for every frame of all utterances, and what they are worth.
import { existsSync } from "node:fs";
import { rm } from "node:fs/promises";
import type { Corpus } from "../../data/index.ts";
import { InternalError, StillwaveError } from "../../errors.ts";
import { joined } from "../../graph/array.ts";
import { type OpenFrames, openFrames, type UtteranceFrames } from "../frames-file.ts";
import { BLOCK_ROWS, type Centroids } from "../nearest.ts";
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

/** Features of utterances, some at a time: those that k-means was fitted to from the disk, the others computed. */
async function* framesOf(
  { utterances }: Corpus,
  { features, reading }: UnitSettings,
  kept: OpenFrames | undefined,
  signal: AbortSignal,
): AsyncGenerator<UtteranceFrames[], void, undefined> {
  let together: UtteranceFrames[] = [];
  let rows = 0;
  for (const [id, { first, count }] of kept?.utterances ?? []) {
    signal.throwIfAborted();
    const data = new Float32Array(count * features.dim);
    kept?.readRange(first, count, data);
    together.push({ id, data });
    rows += count;
    if (rows < BLOCK_ROWS) continue;
    yield together;
    [together, rows] = [[], 0];
  }
  if (rows > 0) yield together;
  const others = utterances.filter(({ id }) => !kept?.utterances.has(id));
  if (others.length === 0) return;
  for await (const batch of wholeUtterances({ utterances: others }, reading, signal)) yield await features.of(batch);
}

/** Writes the units of a corpus. Resolves to the mean squared distance of its frames to their centroids. */
async function label(
  name: "train" | "validation",
  corpus: Corpus,
  { settings, key, centroids, work }: Labelling,
): Promise<number> {
  const { nearest, kMeans, samplesPerFrame } = settings;
  const { dim } = centroids;
  const all: (LabelledUtterance & { readonly square: number })[] = [];
  const kept = name === "train" ? openFrames(unitPath(settings, "frames"), key) : undefined;
  try {
    for await (const utterances of framesOf(corpus, settings, kept, work.signal)) {
      const { units, squares } = await nearest.assign(joined(utterances.map(({ data }) => data)), centroids);
      let at = 0;
      for (const { id, data } of utterances) {
        const end = at + data.length / dim;
        const square = squares.subarray(at, end).reduce((sum, own) => sum + own, 0);
        all.push({ id, units: units.slice(at, end), square });
        at = end;
      }
      work.tell({ stage: "labels", done: all.length, total: corpus.utterances.length });
    }
  } finally {
    kept?.close();
  }
  const frames = all.reduce((sum, { units }) => sum + units.length, 0);
  if (frames === 0) throw new StillwaveError(`data.${name}: none of its files can be used; repair or drop it`);
  all.sort((a, b) => (a.id < b.id ? -1 : 1));
  const facts = { clusters: kMeans.clusters, samplesPerFrame, key, data: corpus.fingerprint };
  await writeUnits(unitPath(settings, name), facts, all);
  return all.reduce((sum, { square }) => sum + square, 0) / frames;
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

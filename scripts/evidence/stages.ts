// What is done for one row: the student is distilled, kept in float16, and probed; each part once, its numbers in row.json.
import { existsSync } from "node:fs";
import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { loadRecipe } from "../../src/distill/recipe/read.ts";
import { StillwaveError } from "../../src/errors.ts";
import { loadUpstream } from "../../src/index.ts";
import { writePredictions } from "../../src/metrics/predictions.ts";
import { profile } from "../../src/models/profile.ts";
import { readEvaluation } from "../../src/report/results/read.ts";
import { convertTo16, stillwave } from "./command.ts";
import { changeRow, type Measured, type RowResult, readRow, type Training } from "./kept.ts";
import { probesOf } from "./probes.ts";
import { nameOf, RECIPES, type Row } from "./rows.ts";
import type { Speech } from "./speech.ts";
import { measureSpeeds } from "./speed.ts";

export interface Settings {
  /** Folder of the teachers. */
  readonly models: string;
  readonly speech: Speech;
  /** Folder of runs and caches, not committed. */
  readonly work: string;
  /** Folder of finished rows, committed. */
  readonly kept: string;
  readonly device: string;
  readonly precision?: string;
  readonly threads?: number;
}

export type Stage = "train" | "probe" | "words" | "speed";

/** What a finished run says of itself. Hours are those of the logged updates, for all of them. */
async function trainingOf(folder: string, command: string, seconds: number): Promise<Training> {
  const summary = JSON.parse(await readFile(join(folder, "summary.json"), "utf8"));
  const lines = (await readFile(join(folder, "metrics.jsonl"), "utf8")).trim().split("\n");
  const rows = lines.map((line) => JSON.parse(line)).filter(({ kind }) => kind === "train");
  const { environment, precision } = JSON.parse(await readFile(join(folder, "run.json"), "utf8"));
  const logged = rows.reduce((sum, row) => sum + row.audioSecondsPerSecond * row.stepSeconds, 0);
  return {
    updates: summary.step,
    hours: (logged / rows.length) * (summary.step / 3600),
    validation: summary.finalValidation,
    best: summary.best,
    seconds,
    computing: `${environment.computing} on ${environment.cpu}, ${precision}`,
    command,
  };
}

const teacherOf = ({ teacher }: Row, { models }: Settings): string => join(models, teacher);

/**
 * The folder of what a row probes, or `fbank`. Students of first seeds are kept beside their numbers; others, and those that are
 * made again, are in the working folder.
 */
function upstreamOf(row: Row, seed: number, settings: Settings): string {
  const { id, isRemade, model } = row;
  const { kept, work } = settings;
  if (model === "fbank") return model;
  if (model === "teacher") return teacherOf(row, settings);
  if (model) return model.folder;
  const name = nameOf(id, seed);
  return isRemade || seed > 0 ? join(work, "models", name) : join(kept, name, "model");
}

/** How a student that is not there comes there. */
function remedyOf({ model }: Row, row: string, result: RowResult | undefined): string {
  if (model === "teacher") return "--models names the folder of the teachers";
  if (typeof model === "object") return `${model.command} makes it`;
  return result?.training
    ? `the row's numbers are of one that is not kept, so remove ${row} to make the row again`
    : "--stages train makes it";
}

/** Measures the first students of all rows in one run where one of them has not been measured yet; other seeds are as fast. */
export async function measureRows(rows: readonly Row[], settings: Settings): Promise<void> {
  const there: { readonly row: RowResult; readonly model: string }[] = [];
  for (const asked of rows) {
    const model = upstreamOf(asked, asked.seeds[0], settings);
    if (!existsSync(model)) continue;
    for (const seed of asked.seeds) {
      const row = await readRow(settings.kept, nameOf(asked.id, seed));
      if (row) there.push({ row, model });
    }
  }
  if (there.every(({ row: { speed } }) => speed)) return;
  const models = [...new Set(there.map(({ model }) => model))];
  const speeds = await measureSpeeds(models);
  for (const { row, model } of there) await changeRow(settings.kept, row, { speed: speeds[models.indexOf(model)] });
}

/**
 * Whether two lists of settings make the same student by a recipe, however they are written: a recipe's own values can be
 * said again.
 */
export async function makeTheSame(recipe: string, a: readonly string[], b: readonly string[]): Promise<boolean> {
  const [one, other] = await Promise.all([a, b].map((set) => loadRecipe(recipe, set)));
  return isDeepStrictEqual(one, other);
}

/** @throws StillwaveError where what is kept was made by other settings than those that are asked for now */
async function checkSettings({ teacher, set }: Row, { kept }: Settings, name: string): Promise<void> {
  const there = await readRow(kept, name);
  if (!there?.training || (await makeTheSame(RECIPES[teacher], there.set, set))) return;
  throw new StillwaveError(
    `${join(kept, name)}: made with other settings (${there.set.join(" ")}) than scripts/evidence/rows.ts says; remove the folder to make the row again`,
  );
}

const shown = (args: readonly string[]) =>
  `stillwave ${args.map((arg) => (/[\s[{]/.test(arg) ? `'${arg}'` : arg)).join(" ")}`;

/**
 * Does what a row lacks of the stages, and keeps its numbers. A student that is not kept is not made again for a probe that
 * is lacking: numbers of two students would stand in one row.
 * @throws StillwaveError where what is kept is damaged, or was made by other settings, or a command fails
 */
export async function doRow(
  row: Row,
  seed: number,
  stages: ReadonlySet<Stage>,
  settings: Settings,
): Promise<RowResult | undefined> {
  const name = nameOf(row.id, seed);
  await checkSettings(row, settings, name);
  let result = await readRow(settings.kept, name);
  const begun = { id: row.id, seed, title: row.title, set: [...row.set] };
  const save = async (more: Partial<RowResult>) => {
    result = await changeRow(settings.kept, begun, more);
  };
  const upstream = upstreamOf(row, seed, settings);
  const isThere = () => upstream === "fbank" || existsSync(upstream);
  if (!row.model && !isThere() && stages.has("train") && Object.keys(result?.probes ?? {}).length === 0) {
    const { training, best } = await distil(row, seed, settings);
    await save({ training });
    await convertTo16(best, upstream);
  }
  if (upstream !== "fbank" && result?.parameters === undefined && isThere()) {
    const { parameters, macs } = profile(await loadUpstream(upstream), { seconds: 10 });
    await save({ parameters: parameters.withoutHeads, macs: macs.withoutHeads });
  }
  for (const [probe, given] of Object.entries(probesOf(settings.speech))) {
    if (result?.probes[probe] || !stages.has(given.stage)) continue;
    if (!isThere()) {
      const remedy = remedyOf(row, join(settings.kept, name), result);
      console.log(`${name}: nothing in ${upstream}, so nothing is measured; ${remedy}`);
      break;
    }
    const states = row.model === "teacher" || row.model === "fbank" ? undefined : "layers";
    await save({ probes: { [probe]: await measure(probe, { ...given, upstream, name, states }, settings) } });
  }
  return result;
}

async function distil(row: Row, seed: number, settings: Settings) {
  const { speech, work, device, precision, threads } = settings;
  const folder = join(work, "distill", nameOf(row.id, seed));
  const sets = [
    `teacher=${teacherOf(row, settings)}`,
    `data.train.path=${speech.train}`,
    `data.validation.path=${speech.libri}`,
    `run.seed=${seed}`,
    `data.seed=${seed}`,
    `student.initialise.seed=${seed}`,
    ...row.set,
  ];
  const args = ["distill", RECIPES[row.teacher], ...sets.flatMap((set) => ["--set", set]), "--device", device];
  if (precision !== undefined) args.push("--precision", precision);
  if (threads !== undefined) args.push("--threads", String(threads));
  const seconds = await stillwave(args, folder);
  return { training: await trainingOf(folder, shown(args), seconds), best: join(folder, "best") };
}

interface Probe {
  readonly task: string;
  readonly data: string;
  readonly more: readonly string[];
  readonly upstream: string;
  readonly name: string;
  readonly states?: string;
}

async function measure(
  probe: string,
  { task, data, more, upstream, name, states }: Probe,
  { work, kept, threads }: Settings,
): Promise<Measured> {
  const folder = join(work, "superb", `${name}-${probe}`);
  const args = ["superb", task, "--upstream", upstream, "--data", data, ...more];
  if (states) args.push("--states", states);
  if (threads !== undefined) args.push("--threads", String(threads));
  const seconds = await stillwave(args, folder);
  const { result, test } = await readEvaluation(folder);
  // without the paths of this machine
  const said = test.map(({ id, reference, hypothesis }) => ({ id, reference, hypothesis }));
  await mkdir(join(kept, name), { recursive: true });
  await writePredictions(join(kept, name, `${probe}.tsv`), said);
  const { value, low, high, name: metric } = result.metric;
  const { layerWeights } = result;
  return { value, low, high, metric, states: states ?? "all", layerWeights, seconds, command: shown(args) };
}

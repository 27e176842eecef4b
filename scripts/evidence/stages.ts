// What is done for one row: the student is distilled, kept in float16, and probed; each part once, its numbers in row.json.
import { existsSync } from "node:fs";
import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { writeFileAtomic } from "../../src/files.ts";
import { loadUpstream } from "../../src/index.ts";
import { writePredictions } from "../../src/metrics/predictions.ts";
import { profile } from "../../src/models/profile.ts";
import { readEvaluation } from "../../src/report/results/read.ts";
import { convertTo16, stillwave } from "./command.ts";
import { type Measured, probesOf } from "./probes.ts";
import { nameOf, RECIPES, type Row } from "./rows.ts";
import type { Speech } from "./speech.ts";
import { measureSpeeds, type Speed } from "./speed.ts";

export interface Training {
  readonly updates: number;
  /** Of speech that was learned from, padding not counted. */
  readonly hours: number;
  readonly validation: number | null;
  readonly best: { readonly step: number; readonly loss: number } | null;
  readonly seconds: number;
  /** What computed it, and in which precision. */
  readonly computing?: string;
  readonly command: string;
}

/** What is kept of a row in evidence/rows/<id>-<seed>/row.json. */
export interface RowResult {
  readonly id: string;
  readonly seed: number;
  readonly title: string;
  readonly set: readonly string[];
  readonly parameters?: number;
  readonly macs?: number;
  readonly speed?: Speed;
  readonly training?: Training;
  readonly probes: Readonly<Record<string, Measured>>;
}

export interface Settings {
  /** Folder of the teachers. */
  readonly models: string;
  readonly speech: Speech;
  /** Folder of runs and caches, not committed. */
  readonly work: string;
  /** Folder of finished rows, committed. */
  readonly kept: string;
  readonly updates: number;
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

/** Students of first seeds are kept beside their numbers; others, and those that are made again, are in the working folder. */
function studentOf({ id, isRemade }: Row, seed: number, { kept, work }: Settings): string {
  const name = nameOf(id, seed);
  return isRemade || seed > 0 ? join(work, "models", name) : join(kept, name, "model");
}

/** Measures the first students of all rows in one run where one of them has not been measured yet; other seeds are as fast. */
export async function measureRows(rows: readonly Row[], settings: Settings): Promise<void> {
  const there = rows
    .flatMap((row) => {
      const model = row.model === "teacher" ? teacherOf(row, settings) : studentOf(row, row.seeds[0], settings);
      return row.seeds.map((seed) => ({ file: join(settings.kept, nameOf(row.id, seed), "row.json"), model }));
    })
    .filter(({ file, model }) => existsSync(file) && existsSync(model));
  const results = await Promise.all(
    there.map(async ({ file }): Promise<RowResult> => JSON.parse(await readFile(file, "utf8"))),
  );
  if (results.every(({ speed }) => speed)) return;
  const models = [...new Set(there.map(({ model }) => model))];
  const speeds = await measureSpeeds(models);
  for (const [i, { file, model }] of there.entries())
    await writeFileAtomic(
      file,
      `${JSON.stringify({ ...results[i], speed: speeds[models.indexOf(model)] }, null, 2)}\n`,
    );
}

const shown = (args: readonly string[]) =>
  `stillwave ${args.map((arg) => (/[\s[{]/.test(arg) ? `'${arg}'` : arg)).join(" ")}`;

/** Does what a row lacks of a stage, and keeps its numbers. */
export async function doRow(
  row: Row,
  seed: number,
  stages: ReadonlySet<Stage>,
  settings: Settings,
): Promise<RowResult> {
  const name = nameOf(row.id, seed);
  const kept = join(settings.kept, name);
  const file = join(kept, "row.json");
  let result: RowResult = existsSync(file)
    ? JSON.parse(await readFile(file, "utf8"))
    : { id: row.id, seed, title: row.title, set: row.set, probes: {} };
  const save = async (more: Partial<RowResult>) => {
    result = { ...result, ...more };
    await mkdir(kept, { recursive: true });
    await writeFileAtomic(file, `${JSON.stringify(result, null, 2)}\n`);
  };
  const model = studentOf(row, seed, settings);
  const upstream = row.model === "teacher" ? teacherOf(row, settings) : (row.model ?? model);
  const isThere = () => row.model !== undefined || existsSync(model);
  const lacking = Object.entries(probesOf(settings.speech)).filter(
    ([probe, { stage }]) => !result.probes[probe] && stages.has(stage),
  );
  const isWanted = !result.training || (lacking.length > 0 && !isThere());
  if (!row.model && isWanted && stages.has("train")) {
    const { training, best } = await distil(row, seed, settings);
    await convertTo16(best, model);
    await save({ training });
  }
  if (upstream !== "fbank" && result.parameters === undefined && isThere()) {
    const { parameters, macs } = profile(await loadUpstream(upstream), { seconds: 10 });
    await save({ parameters: parameters.withoutHeads, macs: macs.withoutHeads });
  }
  if (lacking.length > 0 && !isThere()) {
    console.log(`${name}: no student in ${model}, so nothing is measured; --stages train makes it`);
    return result;
  }
  for (const [probe, given] of lacking) {
    const measured = await measure(
      probe,
      { ...given, upstream, name, states: row.model ? undefined : "layers" },
      settings,
    );
    await save({ probes: { ...result.probes, [probe]: measured } });
  }
  return result;
}

async function distil(row: Row, seed: number, settings: Settings) {
  const { speech, work, updates, device, precision, threads } = settings;
  const folder = join(work, "distill", nameOf(row.id, seed));
  const sets = [
    `teacher=${teacherOf(row, settings)}`,
    `data.train.path=${speech.train}`,
    `data.validation.path=${speech.libri}`,
    `run.steps=${updates}`,
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

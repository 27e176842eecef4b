// From speech, teacher and time to a plan: student, batches, updates, and what they will take.
import { join } from "node:path";
import { StillwaveError, UsageError } from "../../errors.ts";
import { describeLimit, gib, memoryLimit } from "../../memory.ts";
import type { ModelConfig } from "../../models/config.ts";
import { profile } from "../../models/profile.ts";
import type { DeviceChoice } from "../../runtime/device.ts";
import { matrixRate } from "../../runtime/matrix-rate.ts";
import { createRuntime } from "../../runtime/node/index.ts";
import { audioRate, type Cost, costOf } from "./estimate.ts";
import { type ChosenSpeech, chooseSplits, type FoundSpeech, findSpeech, holdOut } from "./speech.ts";
import { type ChosenStudent, chooseStudent } from "./student.ts";

/** What a user says, by flags or asked. */
export interface Wishes {
  readonly recipe: string;
  readonly data: string;
  readonly teacher: string;
  /** Of the teacher's parameters. */
  readonly share: number;
  /** How long to train. */
  readonly budgetSeconds: number;
  readonly train?: readonly string[];
  readonly dev?: readonly string[];
  readonly device?: DeviceChoice;
  readonly threads?: number;
  readonly out?: string;
}

export interface Plan extends Wishes {
  readonly found: FoundSpeech;
  readonly speech: { readonly train: ChosenSpeech; readonly validation: ChosenSpeech | undefined };
  readonly teacherConfig: ModelConfig;
  readonly student: ChosenStudent;
  readonly parameters: { readonly student: number; readonly teacher: number };
  readonly macs: { readonly student: number; readonly teacher: number };
  readonly batchSeconds: number;
  readonly maxSeconds: number;
  readonly cost: Cost;
  /** Of large products on the device, measured. */
  readonly gflops: number;
  readonly audioSecondsPerSecond: number;
  readonly steps: number;
  readonly epochs: number;
  readonly outDir: string;
}

/** Seconds of audio in an update, and longer utterances are cropped to so many, in the order in which they are tried. */
const BATCHES = [
  { batchSeconds: 60, maxSeconds: 15 },
  { batchSeconds: 30, maxSeconds: 10 },
  { batchSeconds: 16, maxSeconds: 8 },
  { batchSeconds: 8, maxSeconds: 4 },
] as const;
/** Of the memory that there is. */
const MOST_MEMORY = 0.6;
const MOST_STEPS = 200_000;
/** Batches are made smaller until there are so many updates. */
const ENOUGH_STEPS = 1000;

/** @throws StillwaveError where speech or teacher are not to be had, or nothing fits into memory */
export async function planRun(wishes: Wishes): Promise<Plan> {
  const { data, teacher, share, budgetSeconds, device, threads } = wishes;
  const { inspectSubject } = await import("../inspect/subject.ts");
  const found = await findSpeech(data);
  const { architecture: teacherConfig } = await inspectSubject(teacher);
  const student = chooseStudent(teacherConfig, share);
  const choice = chooseSplits(data, found, wishes);
  const speech = choice.validation ? choice : await holdOut(choice.train, wishes.recipe);
  const runtime = await createRuntime({ device, threads });
  const gflops = await matrixRate(runtime);
  const batches = batchesFor({ student: student.config, teacher: teacherConfig }, found).map((batch) => {
    const rate = audioRate(batch.cost, gflops);
    return { ...batch, audioSecondsPerSecond: rate, steps: roundedDown((budgetSeconds * rate) / batch.batchSeconds) };
  });
  const chosen = batches.find(({ steps }) => steps >= ENOUGH_STEPS) ?? batches[batches.length - 1];
  if (chosen.steps < 1) throw new UsageError("--time: too short for one update; give more, e.g. 1h");
  const [own, its] = [profile(student.config), profile(teacherConfig)];
  return {
    ...wishes,
    ...chosen,
    found,
    speech,
    teacherConfig,
    student,
    parameters: { student: own.parameters.withoutHeads, teacher: its.parameters.withoutHeads },
    macs: { student: own.macs.withoutHeads, teacher: its.macs.withoutHeads },
    gflops,
    epochs: (chosen.steps * chosen.batchSeconds) / speech.train.seconds,
    outDir: wishes.out ?? join("runs", stemOf(wishes.recipe)),
  };
}

/** Batches that fit into memory, the largest first. @throws StillwaveError where none does */
function batchesFor(models: { readonly student: ModelConfig; readonly teacher: ModelConfig }, { splits }: FoundSpeech) {
  const longest = Math.max(...splits.map(({ longestSeconds }) => longestSeconds));
  const limit = memoryLimit();
  const sized = BATCHES.map(({ batchSeconds, maxSeconds }) => {
    const utteranceSeconds = Math.max(1, Math.min(maxSeconds, longest));
    return { batchSeconds, maxSeconds, cost: costOf(models, { batchSeconds, utteranceSeconds }) };
  });
  const fitting = sized.filter(({ cost }) => cost.memory <= MOST_MEMORY * limit.bytes);
  if (fitting.length > 0) return fitting;
  const least = gib(sized[sized.length - 1].cost.memory);
  throw new StillwaveError(
    `--teacher: even small batches take about ${least}, and ${describeLimit(limit)}; take a smaller teacher`,
  );
}

/** `recipes/mine.yaml` -> `mine`. */
const stemOf = (recipe: string): string => recipe.replace(/^.*[\\/]/, "").replace(/\.ya?ml$/i, "");

/** To two digits: estimates are no better. */
function roundedDown(value: number): number {
  const step = 10 ** Math.max(0, Math.floor(Math.log10(Math.max(1, value))) - 1);
  return Math.min(MOST_STEPS, Math.floor(value / step) * step);
}

// What is logged of the training of a head: its loss every ten updates, and every evaluation on dev.
import { existsSync } from "node:fs";
import { type LoggedRow, type LoggerChoice, parseLoggedRow } from "../../log/index.ts";
import type { RunRecord } from "../../training/run-folder.ts";
import { metricsPath, openRunLog, type RunLog } from "../../training/run-log.ts";
import type { CheckedSettings } from "../recipe/read.ts";
import type { TrainEvent } from "./train.ts";

/** Who hears of the trainings of an evaluation, and what of the whole. */
export interface TrainingsLog {
  readonly loggers: readonly LoggerChoice[];
  readonly record: Pick<RunRecord, "id" | "created">;
  readonly asked: CheckedSettings;
  /** Run folder of the evaluation. */
  readonly whole: string;
  readonly note: (text: string) => void;
}

/** What loggers call an evaluation. */
export const VERB = "superb";

/** Updates between two points of a training curve. */
const LOG_EVERY = 10;

/** `step`: where the training goes on, 0: it begins. `folder`: of the evaluation, or its fold. */
export function openTrainingLog(
  { loggers, record, asked, whole, note }: TrainingsLog,
  { folder, learningRate, step }: { readonly folder: string; readonly learningRate: number; readonly step: number },
): Promise<RunLog<LoggedRow>> {
  const facts = {
    kind: VERB,
    folder,
    whole: folder === whole ? undefined : whole,
    part: `lr-${learningRate.toExponential()}`,
    record,
    settings: { ...asked, learningRate },
    tags: asked.run.tags,
  };
  // one that was cut off before its first checkpoint begins again
  const lastStep = step > 0 ? step : existsSync(metricsPath(facts)) ? -1 : undefined;
  return openRunLog(facts, { loggers, lastStep, note, rows: { parse: parseLoggedRow, logged: (row) => row } });
}

/** undefined: not every event is a row. */
export function rowOf(event: TrainEvent, seconds: number): LoggedRow | undefined {
  const { step } = event;
  if (event.kind === "step") {
    if (step % LOG_EVERY !== 0) return undefined;
    const { loss, gradientNorm, learningRate } = event;
    return {
      step,
      seconds,
      values: { "train/loss": loss, "train/gradient_norm": gradientNorm, "train/learning_rate": learningRate },
    };
  }
  const { dev, devLoss, trainLoss } = event;
  const scores = { "dev/score": dev, "dev/loss": devLoss, "train/mean_loss": trainLoss };
  const known = Object.entries(scores).flatMap(([name, value]) => (value === null ? [] : [[name, value] as const]));
  return { step, seconds, values: Object.fromEntries(known) };
}

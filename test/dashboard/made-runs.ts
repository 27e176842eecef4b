// Run folders as trainings leave them, made without training.
import { appendFileSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { strictJson } from "../../src/log/format.ts";
import { thisHolder } from "../../src/training/holder.ts";
import { trainRow, validationRow } from "../log/rows.ts";

export interface MadeRun {
  readonly steps?: number;
  readonly total?: number;
  /** Of the losses between validations. */
  readonly factor?: number;
  readonly record?: object;
  readonly files?: Readonly<Record<string, string>>;
  /** Held by this process. */
  readonly isRunning?: boolean;
}

export async function makeRun(
  folder: string,
  { steps = 0, total = 100, factor, record, files = {}, isRunning }: MadeRun = {},
) {
  mkdirSync(folder, { recursive: true });
  const created = "2026-11-27T02:00:00.000Z";
  writeFileSync(
    join(folder, "run.json"),
    JSON.stringify({ format: 1, created, recipe: {}, totalSteps: total, ...record }),
  );
  if (steps > 0) addRows(folder, 1, steps, factor);
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(join(folder, name, ".."), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
  if (isRunning) writeFileSync(join(folder, "run.lock"), await thisHolder());
}

/** Adds rows of steps `from` to `to`, a validation every tenth. */
export function addRows(folder: string, from: number, to: number, factor = 1): void {
  const rows = Array.from({ length: to - from + 1 }, (_, i) => from + i).flatMap((step) =>
    step % 10 === 0 ? [lossRow(step, factor), validationRow(step)] : [lossRow(step, factor)],
  );
  appendFileSync(join(folder, "metrics.jsonl"), rows.map((row) => `${strictJson(row)}\n`).join(""));
}

const lossRow = (step: number, factor: number) =>
  factor === 1
    ? trainRow(step)
    : trainRow(step, { loss: factor * trainRow(step).loss * (1 + 0.04 * Math.sin(7 * step * factor)) });

export const scalarRow = (step: number, values: object) => `${JSON.stringify({ step, seconds: step / 10, values })}\n`;

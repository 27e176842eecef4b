// A run that is logged without being run: rows, a kill, a resume.
import { type LoggerChoice, loggedRow, type MetricsRow, parseMetricsRow } from "../../src/log/index.ts";
import { openRunLog, type RunLogOptions } from "../../src/training/run-log.ts";

export const RECORD = { id: "0b8f1f0e-5f3c-4f59-9a35-2d8f1a1f2c3d", created: "2026-11-27T02:00:00.250Z" };

export const SETTINGS = {
  teacher: "package:hubert",
  student: { conv: [[128, 10, 5], [256, 1, 1]], attentionFrom: [0, 0, 2] }, // biome-ignore format: one line
  optimizer: { peakLr: 5e-3, clipNorm: null },
  run: { steps: 40, stopOnDivergence: false },
};

/** Opens the log of the made-up run in `folder`. */
export const openMade = (
  folder: string,
  loggers: readonly LoggerChoice[],
  {
    lastStep,
    notes = [],
    part,
  }: { readonly lastStep?: number; readonly notes?: string[]; readonly part?: string } = {},
) =>
  openRunLog<MetricsRow>(
    { kind: "distill", folder, part, record: RECORD, settings: SETTINGS, tags: ["night", "team=speech"] },
    { loggers, lastStep, note: (text) => notes.push(text), rows: MADE_ROWS },
  );

const MADE_ROWS: RunLogOptions<MetricsRow>["rows"] = { parse: parseMetricsRow, logged: loggedRow };

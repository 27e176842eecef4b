// How reports of evaluations name tasks and write metrics, intervals and sizes.
import { formatCount, formatMillions } from "../../log/format.ts";
import type { MetricValue } from "../../superb/measures/measure.types.ts";
import { TASKS, type TaskName } from "../../superb/tasks/index.ts";

/** `PER`, or `Accuracy` at the beginning of a sentence. */
export const capital = (text: string): string => text.slice(0, 1).toUpperCase() + text.slice(1);

/** `Phoneme recognition`. */
export const titleOf = (task: TaskName): string => capital(TASKS[task].title);

/** What a model is called in titles: an identifier as it stands, of a path its end (`student/best` of `/data/runs/student/best`). */
export function nameOfModel(model: string): string {
  const parts = model.split(/[\\/]/).filter((part) => part !== "");
  if (parts.length === 0 || (parts.length <= 2 && !/^[.\\/]/.test(model))) return model;
  const named = parts.findLastIndex((part) => !/^(best|last|upstream|\.\.?)$/.test(part));
  return parts.slice(Math.max(0, named)).join("/");
}

/** `7.72`, without its unit; a dash for what is not finite. */
export const formatFigure = (value: number): string => (Number.isFinite(value) ? value.toFixed(2) : "—");

/** `7.72 %`. */
export const formatPercent = (value: number): string =>
  Number.isFinite(value) ? `${value.toFixed(2)} %` : "not a number";

/** `7.51 to 7.94`. */
export const formatInterval = ({ low, high }: Pick<MetricValue, "low" | "high">): string =>
  `${formatFigure(low)} to ${formatFigure(high)}`;

/** `95 %`. */
export const formatConfidence = (confidence: number): string => `${+(100 * confidence).toFixed(1)} %`;

/** `94.4 M`; in full below 10,000; a dash where there is no number. */
export function formatParameters(count: number | null): string {
  if (count === null) return "—";
  return count < 10_000 ? formatCount(count) : `${formatMillions(count)} M`;
}

/** Text from outside, cut where it would fill the page. */
export const cut = (text: string, limit = 200): string => (text.length > limit ? `${text.slice(0, limit)}…` : text);

// Rows of a training as scalars with names, which is what loggers get.
import type { LoggedRow } from "./logger.ts";
import type { MetricsRow } from "./metrics.types.ts";
import { parseNumber } from "./metrics-row.ts";

/** A row of metrics.jsonl, its scalars grouped by prefix. Layers count from 0. */
export function loggedRow(row: MetricsRow): LoggedRow {
  const { step, seconds, epoch } = row;
  return { step, seconds, epoch, values: Object.fromEntries(scalarsOf(row)) };
}

type Scalar = [name: string, value: number];

function scalarsOf(row: MetricsRow): Scalar[] {
  const layers = (prefix: string, values: readonly number[]) =>
    values.map((value, layer): Scalar => [`${prefix}${layer}`, value]);
  const terms = (prefix: string) =>
    Object.entries(row.terms ?? {}).flatMap(([name, values]): Scalar[] =>
      values.map((value, i) => [`${prefix}${name}${values.length > 1 ? `_${i}` : ""}`, value]),
    );
  if (row.kind === "validation")
    return [["validation/loss", row.loss], ...layers("validation/layer_", row.perLayer), ...terms("validation/")];
  return [
    ["loss/total", row.loss],
    ["loss/hint_masked", row.hintMasked],
    ["loss/hint_unmasked", row.hintUnmasked],
    ["loss/last_masked", row.lastMasked],
    ["loss/last_unmasked", row.lastUnmasked],
    ...layers("layer_masked/", row.perLayerMasked),
    ...layers("layer_unmasked/", row.perLayerUnmasked),
    ...terms("objectives/"),
    ["optim/learning_rate", row.learningRate],
    ["optim/gradient_norm", row.gradientNorm],
    ...(row.lossScale === undefined ? [] : [["optim/loss_scale", row.lossScale] satisfies Scalar]),
    ["speed/step_seconds", row.stepSeconds],
    ["speed/audio_seconds_per_second", row.audioSecondsPerSecond],
    ["speed/wait_share", row.waitShare],
    ["speed/padded_fraction", row.paddedFraction],
    ["memory/rss_bytes", row.rssBytes],
  ];
}

/** Reads a line that holds a LoggedRow itself. @throws Error saying what is wrong with it */
export function parseLoggedRow(line: string): LoggedRow {
  const source = JSON.parse(line) as Partial<Record<keyof LoggedRow, unknown>> | null;
  const { step, seconds, epoch, values } = source ?? {};
  if (!Number.isSafeInteger(step) || (step as number) < 0) throw new Error("step is not a whole number");
  const [work, epochs] = [parseNumber(seconds), epoch === undefined ? undefined : parseNumber(epoch)];
  if (work === undefined) throw new Error("seconds is not a number");
  if (epoch !== undefined && epochs === undefined) throw new Error("epoch is not a number");
  if (typeof values !== "object" || values === null || Array.isArray(values))
    throw new Error("values is not an object");
  const numbers = Object.entries(values).map(([name, value]): Scalar => {
    const number = parseNumber(value);
    if (number === undefined) throw new Error(`values.${name} is not a number`);
    return [name, number];
  });
  const row = { step: step as number, seconds: work, values: Object.fromEntries(numbers) };
  return epochs === undefined ? row : { ...row, epoch: epochs };
}

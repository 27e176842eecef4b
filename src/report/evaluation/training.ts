// How the heads trained: the sweep over learning rates, and curves of each of them.
import { formatCount, formatLearningRate } from "../../log/format.ts";
import type { EvaluationResult, LearningRateResult } from "../../superb/run/result.ts";
import { TASKS } from "../../superb/tasks/index.ts";
import type { EvaluationPoint } from "../../superb/training/state.ts";
import { chart, lineKey, smallChart } from "../kit/chart.ts";
import { scaleOf } from "../kit/draw.ts";
import { type ChartLine, prepareLine, type Tone } from "../kit/line.ts";
import { type Content, html, type Markup } from "../kit/markup.ts";
import { fold, miniature, notShown } from "../kit/pieces.ts";
import { table } from "../kit/table.ts";
import { ascending, chosenOn, chosenRate, inFold } from "../results/sweep.ts";
import { capital, cut, formatFigure, formatPercent } from "../results/words.ts";

const MAX_RATES = 30;
const MAX_FOLDS = 20;

const series = (curve: readonly EvaluationPoint[], field: "trainLoss" | "devLoss" | "dev") =>
  curve.map((point) => ({ step: point.step, value: point[field] ?? Number.NaN }));

/** Best metric on the split that chooses, at every learning rate that was tried, the chosen one ringed. */
export const sweepLine = (result: EvaluationResult, label: string, tone: Tone): ChartLine => ({
  label,
  tone,
  marked: chosenRate(result)?.learningRate,
  points: ascending(result.learningRates).map(({ learningRate, best }) => ({
    step: learningRate,
    value: best?.dev ?? Number.NaN,
  })),
});

/** The training of the heads; of every fold by itself. */
export function trainingSection({ metric, ...rest }: EvaluationResult): Content {
  // curves are of what chooses
  const result = { ...rest, metric: { ...metric, ...TASKS[rest.task].chooser } };
  if (result.folds.length === 0) return trainingOf(result, "");
  return result.folds
    .slice(0, MAX_FOLDS)
    .map(({ name }) => fold(`Fold ${cut(name, 60)}`, trainingOf(inFold(result, name), ` in fold ${cut(name, 60)}`)));
}

/** `where` ends the titles. */
function trainingOf(result: EvaluationResult, where: string): Content {
  const { metric, learningRates } = result;
  const on = chosenOn(result);
  const chosen = chosenRate(result);
  const shown = ascending(learningRates).slice(0, MAX_RATES);
  const isSweep = learningRates.length > 1;
  return [
    isSweep &&
      chart({
        title: `Best ${metric.name} on ${on}${where}`,
        value: `${metric.name} on ${on} (%)`,
        across: "learning rate",
        size: "full",
        dots: true,
        lines: [sweepLine(result, `best ${metric.name} on ${on}`, "accent")],
      }),
    rateTable(shown, metric.name, on),
    chosen && chosenCharts(chosen, result, where),
    isSweep && multiples(shown, result, where),
    notShown(learningRates.length - shown.length, "learning rates"),
  ];
}

function rateTable(rates: readonly LearningRateResult[], name: string, on: string): Markup {
  return table({
    caption: "Skipped: updates left out because their gradient was not finite",
    className: "rates",
    columns: ["learning rate", `best ${name} on ${on}`, "at step", "steps", "skipped"],
    rows: rates.map(({ learningRate, steps, best, skippedSteps, chosen }) => ({
      className: chosen && "chosen",
      cells: [
        [formatLearningRate(learningRate), chosen && " (chosen)"],
        best ? formatPercent(best.dev) : "diverged",
        best ? formatCount(best.step) : "—",
        formatCount(steps),
        formatCount(skippedSteps),
      ],
    })),
  });
}

function chosenCharts(
  { learningRate, curve, best }: LearningRateResult,
  result: EvaluationResult,
  where: string,
): Markup {
  const { metric } = result;
  const on = chosenOn(result);
  const at = `${formatLearningRate(learningRate)}${where}`;
  return html`<div class="grid">
    ${chart({
      title: `${capital(metric.name)} on ${on} at ${at}`,
      value: `${metric.name} on ${on} (%)`,
      lines: [{ label: `${metric.name} on ${on}`, points: series(curve, "dev"), tone: "accent", marked: best?.step }],
    })}
    ${chart({
      title: `Loss at ${at}`,
      value: "loss",
      lines: [
        { label: on, points: series(curve, "devLoss"), tone: "accent" },
        { label: "train", points: series(curve, "trainLoss"), tone: "soft" },
      ],
    })}</div>`;
}

/** Small curves of every learning rate, all with the same axes, so that heights compare. */
function multiples(rates: readonly LearningRateResult[], result: EvaluationResult, where: string): Markup {
  const { metric } = result;
  const on = chosenOn(result);
  const drawn = rates.map(({ learningRate, curve, best, chosen }) => ({
    at: formatLearningRate(learningRate),
    best: best ? formatFigure(best.dev) : "diverged",
    chosen,
    dev: [prepareLine({ label: `${metric.name} on ${on}`, points: series(curve, "dev"), tone: "accent" })],
    loss: [
      prepareLine({ label: `${on} loss`, points: series(curve, "devLoss"), tone: "accent" }),
      prepareLine({ label: "train loss", points: series(curve, "trainLoss"), tone: "soft" }),
    ],
  }));
  const [devScale, lossScale] = [drawn.map(({ dev }) => dev), drawn.map(({ loss }) => loss)].map((lines) =>
    scaleOf(lines.flat(), 3),
  );
  const figures = drawn.map(({ at, best, chosen, dev, loss }) => {
    const value = `${metric.name} on ${on} (%)`;
    return miniature([at, chosen && " (chosen)"], best, [
      smallChart({
        title: `${capital(on)} at ${at}${where}`,
        value,
        lines: dev,
        scale: devScale,
        empty: "No finite values.",
      }),
      smallChart({
        title: `Losses at ${at}${where}`,
        value: "loss",
        lines: loss,
        scale: lossScale,
        empty: "No finite losses.",
      }),
    ]);
  });
  return html`<h3 class="sub">Every learning rate</h3>
    <p class="note">Above: ${metric.name} on ${on}. Below: loss on ${on} and in training. All on the same axes.</p>
    ${lineKey(drawn[0].loss)}
    <div class="sparks">${figures}</div>`;
}

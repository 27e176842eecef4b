// How the heads trained: the sweep over learning rates, and curves of each of them.
import { formatCount, formatLearningRate } from "../../log/format.ts";
import type { EvaluationResult, LearningRateResult } from "../../superb/run/result.ts";
import { TASKS } from "../../superb/tasks/index.ts";
import type { EvaluationPoint } from "../../superb/training/state.ts";
import { type ChartOptions, chart, sparkline } from "../kit/chart.ts";
import { prepareLine } from "../kit/line.ts";
import { type Content, html, type Markup } from "../kit/markup.ts";
import { fold, miniature, notShown } from "../kit/pieces.ts";
import { table } from "../kit/table.ts";
import { ascending, chosenRate, inFold } from "../results/sweep.ts";
import { capital, cut, formatFigure, formatPercent } from "../results/words.ts";

const MAX_RATES = 30;
const MAX_FOLDS = 20;

const series = (curve: readonly EvaluationPoint[], field: "trainLoss" | "devLoss" | "dev") =>
  curve.map((point) => ({ step: point.step, value: point[field] ?? Number.NaN }));

/** Dev metric against learning rate, the chosen one ringed. */
export function sweepChart(result: EvaluationResult, options: Pick<ChartOptions, "id" | "title" | "size">): Markup {
  const { learningRates, metric } = result;
  return chart({
    ...options,
    unit: "% by learning rate",
    across: "learning rate",
    dots: true,
    fromZero: !metric.isHigherBetter,
    marked: chosenRate(result)?.learningRate,
    lines: [
      {
        label: `best ${metric.name} on dev`,
        tone: "accent",
        points: ascending(learningRates).map(({ learningRate, best }) => ({
          step: learningRate,
          value: best?.dev ?? Number.NaN,
        })),
      },
    ],
  });
}

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
  const chosen = chosenRate(result);
  const shown = ascending(learningRates).slice(0, MAX_RATES);
  const isSweep = learningRates.length > 1;
  return [
    isSweep && sweepChart(result, { title: `Best ${metric.name} on dev${where}`, size: "full" }),
    rateTable(shown, metric.name),
    chosen && chosenCharts(chosen, result, where),
    isSweep && multiples(shown, result, where),
    notShown(learningRates.length - shown.length, "learning rates"),
  ];
}

function rateTable(rates: readonly LearningRateResult[], name: string): Markup {
  return table({
    caption: "Skipped: updates left out because their gradient was not finite",
    className: "rates",
    columns: ["learning rate", `best ${name} on dev`, "at step", "steps", "skipped"],
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
  { metric }: EvaluationResult,
  where: string,
): Markup {
  const at = `${formatLearningRate(learningRate)}${where}`;
  return html`<div class="grid">
    ${chart({
      title: `${capital(metric.name)} on dev at ${at}`,
      unit: "%",
      marked: best?.step,
      fromZero: !metric.isHigherBetter,
      lines: [{ label: `${metric.name} on dev`, points: series(curve, "dev"), tone: "accent" }],
    })}
    ${chart({
      title: `Loss at ${at}`,
      lines: [
        { label: "dev", points: series(curve, "devLoss"), tone: "accent" },
        { label: "train", points: series(curve, "trainLoss"), tone: "soft" },
      ],
    })}</div>`;
}

/** Small curves of every learning rate, all with the same axes, so that heights compare. */
function multiples(rates: readonly LearningRateResult[], { metric }: EvaluationResult, where: string): Markup {
  const finite = (values: readonly number[]) => values.filter((value) => Math.abs(value) < 1e9);
  const top = Math.max(0, ...finite(rates.flatMap(({ curve }) => curve.map(({ dev }) => dev))));
  const losses = finite(
    rates.flatMap(({ curve }) =>
      curve.flatMap(({ trainLoss, devLoss }) => [trainLoss ?? Number.NaN, devLoss ?? Number.NaN]),
    ),
  );
  const lossTop = losses.sort((a, b) => a - b)[Math.floor(0.98 * (losses.length - 1))] ?? 0;
  const figure = ({ learningRate, curve, best, chosen }: LearningRateResult) => {
    const at = formatLearningRate(learningRate);
    const dev = prepareLine({ label: `${metric.name} on dev`, points: series(curve, "dev"), tone: "accent" });
    const loss = [
      prepareLine({ label: "dev loss", points: series(curve, "devLoss"), tone: "accent" }),
      prepareLine({ label: "train loss", points: series(curve, "trainLoss"), tone: "soft" }),
    ];
    return miniature([at, chosen && " (chosen)"], best ? formatFigure(best.dev) : "diverged", [
      sparkline(`Dev at ${at}${where}`, [dev], top, "No finite values."),
      sparkline(`Losses at ${at}${where}`, loss, lossTop, "No finite losses."),
    ]);
  };
  return html`<h3 class="sub">Every learning rate</h3>
    <p class="note">Above: ${metric.name} on dev, from 0 to ${formatFigure(top)} %. Below: loss on dev (strong) and in training (faint), from 0 to ${formatFigure(lossTop)}.</p>
    <div class="sparks">${rates.map(figure)}</div>`;
}

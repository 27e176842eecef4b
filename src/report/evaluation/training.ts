// How the heads trained: the sweep over learning rates, and curves of each of them.
import { formatCount, formatLearningRate } from "../../log/index.ts";
import type { EvaluationResult, LearningRateResult } from "../../superb/run/result.ts";
import type { EvaluationPoint } from "../../superb/training/state.ts";
import { type ChartOptions, chart, html, type Markup, prepareLine, sparkline } from "../index.ts";
import { ascending, chosenRate } from "./sweep.ts";
import { capital, formatFigure, formatPercent } from "./words.ts";

const MAX_RATES = 30;

const series = (curve: readonly EvaluationPoint[], field: "trainLoss" | "devLoss" | "dev") =>
  curve.map((point) => ({ step: point.step, value: point[field] ?? Number.NaN }));

/** Dev metric against learning rate, the chosen one ringed. */
export function sweepChart(
  { learningRates, metric }: EvaluationResult,
  options: Pick<ChartOptions, "id" | "title" | "size">,
): Markup {
  return chart({
    ...options,
    unit: "% by learning rate",
    across: "learning rate",
    dots: true,
    fromZero: !metric.isHigherBetter,
    marked: learningRates.find(({ chosen }) => chosen)?.learningRate,
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

export function trainingSection(result: EvaluationResult): Markup {
  const { metric, learningRates } = result;
  const chosen = chosenRate(result);
  const shown = ascending(learningRates).slice(0, MAX_RATES);
  return html`${learningRates.length > 1 && sweepChart(result, { title: `Best ${metric.name} on dev`, size: "full" })}
    ${rateTable(shown, metric.name)}
    ${chosen && chosenCharts(chosen, result)}
    ${learningRates.length > 1 && multiples(shown, result)}
    ${learningRates.length > shown.length && html`<p class="note">${learningRates.length - shown.length} more learning rates are not shown.</p>`}`;
}

function rateTable(rates: readonly LearningRateResult[], name: string): Markup {
  const row = ({ learningRate, steps, best, skippedSteps, chosen }: LearningRateResult) =>
    html`<tr class="${chosen ? "chosen" : ""}"><th scope="row">${formatLearningRate(learningRate)}${chosen && " (chosen)"}</th>
      <td>${best ? formatPercent(best.dev) : "diverged"}</td><td>${best ? formatCount(best.step) : "—"}</td><td>${formatCount(steps)}</td><td>${formatCount(skippedSteps)}</td></tr>`;
  return html`<div class="scroll"><table class="rates"><caption>Skipped: updates left out because their gradient was not finite</caption>
    <thead><tr><th scope="col">learning rate</th><th scope="col">best ${name} on dev</th><th scope="col">at step</th><th scope="col">steps</th><th scope="col">skipped</th></tr></thead>
    <tbody>${rates.map(row)}</tbody></table></div>`;
}

function chosenCharts({ learningRate, curve, best }: LearningRateResult, { metric }: EvaluationResult): Markup {
  const at = formatLearningRate(learningRate);
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
function multiples(rates: readonly LearningRateResult[], { metric }: EvaluationResult): Markup {
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
    return html`<figure><figcaption><span>${at}${chosen && " (chosen)"}</span><b>${best ? formatFigure(best.dev) : "diverged"}</b></figcaption>
      ${sparkline(`Dev at ${at}`, [dev], top) ?? html`<p class="empty">No finite values.</p>`}
      ${sparkline(`Losses at ${at}`, loss, lossTop) ?? html`<p class="empty">No finite losses.</p>`}</figure>`;
  };
  return html`<h3 class="sub">Every learning rate</h3>
    <p class="note">Above: ${metric.name} on dev, from 0 to ${formatFigure(top)} %. Below: loss on dev (strong) and in training (faint), from 0 to ${formatFigure(lossTop)}.</p>
    <div class="sparks">${rates.map(figure)}</div>`;
}

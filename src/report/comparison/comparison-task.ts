// The part of a comparison about one task: figures, verdicts, sweeps, layer weights, and where the runs differ.
import { formatCount, formatDuration, formatLearningRate } from "../../log/index.ts";
import { heaviest } from "../evaluation/layers.ts";
import { sweepChart } from "../evaluation/training.ts";
import { legend } from "../evaluation/utterances.ts";
import {
  capital,
  cut,
  formatConfidence,
  formatFigure,
  formatInterval,
  formatParameters,
  noParameters,
} from "../evaluation/words.ts";
import { type Content, html, type Markup } from "../index.ts";
import { type ComparedRun, ranked, type TaskComparison, type TestSetComparison } from "./compare.ts";
import { disagreementList } from "./disagreements.ts";
import { formatP, type LabelledRun, type PairComparison } from "./pairs.ts";

const MAX_PAIRS = 500;
const MAX_PICTURES = 24;
const MAX_SETTINGS = 100;
const MAX_NAME = 80;

/** `runs`: of this task, labelled as in the comparison. `budget`: characters of recordings that the part may hold. */
export function taskSection(
  task: TaskComparison,
  runs: readonly LabelledRun[],
  budget: number,
): { readonly content: Markup; readonly plays: boolean } {
  const parts = task.testSets.map((set, i) =>
    testSetPart(task, set, runs, `${task.task}-${i + 1}`, budget / task.testSets.length),
  );
  return {
    content: html`<section aria-labelledby="${task.task}"><h2 id="${task.task}">${task.title}</h2>
      <p class="lead">${capital(task.metric)} in percent; ${task.isHigherBetter ? "higher" : "lower"} is better.</p>
      ${parts.map(({ content }) => content)}${notComparable(task)}</section>`,
    plays: parts.some(({ plays }) => plays),
  };
}

function testSetPart(
  task: TaskComparison,
  set: TestSetComparison,
  all: readonly LabelledRun[],
  id: string,
  budget: number,
) {
  const labels = new Set(set.runs.map(({ label }) => label));
  const runs = ranked(all.filter(({ label }) => labels.has(label)));
  const differing = runs.length > 1 ? disagreementList(runs, budget) : undefined;
  const content = html`<h3 class="sub">${cut(set.source)} <small>${formatCount(set.utterances)} utterances</small></h3>
    ${runTable(set, task.metric)}${verdicts(set)}${pairTable(set.pairs)}${settings(set)}
    ${sweeps(runs, id)}${weights(runs, id)}
    ${
      differing &&
      html`<h3 class="sub">Utterances on which they differ most</h3>${runs[0].scoring.kind === "errors" && legend()}${differing.content}`
    }`;
  return { content, plays: differing?.plays ?? false };
}

function runTable({ runs }: TestSetComparison, metric: string): Markup {
  const [low, high] = [Math.min(...runs.map((run) => run.metric.low)), Math.max(...runs.map((run) => run.metric.high))];
  const place = (value: number) => Math.max(0, Math.min(100, (100 * (value - low)) / (high - low || 1))).toFixed(1);
  const row = (run: ComparedRun, i: number) => {
    const { metric: figure } = run;
    const [from, to] = [place(figure.low), place(figure.high)];
    return html`<tr class="${i === 0 && runs.length > 1 ? "chosen" : ""}"><th scope="row">${cut(run.label, MAX_NAME)}${i === 0 && runs.length > 1 && " (best)"}</th>
      <td>${formatFigure(figure.value)}</td><td>${formatInterval(figure)}</td>
      <td class="strip" aria-hidden="true"><span><i style="left:${from}%;width:${(+to - +from).toFixed(1)}%"></i><b style="left:${place(figure.value)}%"></b></span></td>
      <td>${formatFigure(run.dev)}</td><td>${run.parameters === null ? "—" : formatParameters(run.parameters)}</td>
      <td>${formatLearningRate(run.learningRate)}</td><td>${formatCount(run.steps)}</td><td>${formatDuration(run.trainingSeconds)}</td></tr>`;
  };
  return html`<div class="scroll"><table class="named"><caption>Best first; steps and learning rate of the chosen head; training time of all heads</caption>
    <thead><tr><th scope="col">run</th><th scope="col">${metric}</th><th scope="col">${formatConfidence(runs[0].metric.confidence)} interval</th><td></td><th scope="col">dev</th><th scope="col">parameters</th><th scope="col">learning rate</th><th scope="col">steps</th><th scope="col">training</th></tr></thead>
    <tbody>${runs.map(row)}</tbody></table></div>`;
}

/** Each run against the best, in words. */
function verdicts({ runs, pairs }: TestSetComparison): Content {
  const sentences = pairs.filter(({ a }) => a === runs[0].label).slice(0, MAX_PAIRS);
  return (
    sentences.length > 0 &&
    html`<ul class="verdicts">${sentences.map(({ sentence }) => html`<li>${cut(sentence, 1000)}</li>`)}</ul>`
  );
}

function pairTable(pairs: readonly PairComparison[]): Content {
  if (pairs.length === 0) return undefined;
  const tests = pairs[0].tests.map(({ name }) => name);
  const row = (
    pair: PairComparison,
  ) => html`<tr><th scope="row">${cut(pair.a, MAX_NAME)} and ${cut(pair.b, MAX_NAME)}</th>
    <td>${formatFigure(pair.difference.estimate)}</td><td>${formatInterval(pair.difference)}</td>
    ${pair.tests.map(({ p }) => html`<td>${formatP(p).replace("= ", "")}</td>`)}<td>${formatP(pair.correctedP).replace("= ", "")}</td>
    <td>${formatCount(pair.utterances.aBetter)} : ${formatCount(pair.utterances.bBetter)}</td><td>${pair.differs ? "yes" : "no"}</td></tr>`;
  const { confidence } = pairs[0].difference;
  return html`<details><summary>Every pair, with its tests</summary><div class="scroll"><table class="named">
    <caption>Difference: first minus second. Corrected: p of ${pairs[0].decidedBy}, after Holm for ${pairs.length} pairs; below 0.05 they differ. Utterances: on how many the first is better, and the second.</caption>
    <thead><tr><th scope="col">runs</th><th scope="col">difference</th><th scope="col">${formatConfidence(confidence)} interval</th>${tests.map((name) => html`<th scope="col">p, ${name}</th>`)}<th scope="col">corrected</th><th scope="col">utterances</th><th scope="col">differ</th></tr></thead>
    <tbody>${pairs.slice(0, MAX_PAIRS).map(row)}</tbody></table></div>
    ${pairs.length > MAX_PAIRS && html`<p class="note">${formatCount(pairs.length - MAX_PAIRS)} more pairs are not shown.</p>`}</details>`;
}

function settings({ runs, differences }: TestSetComparison): Content {
  if (differences.length === 0) return undefined;
  const rows = differences
    .slice(0, MAX_SETTINGS)
    .map(
      ({ name, values }) =>
        html`<tr><th scope="row">${cut(name)}</th>${values.map((value) => html`<td class="wrap">${value === null ? "—" : cut(String(value))}</td>`)}</tr>`,
    );
  return html`<details><summary>Settings in which the runs differ</summary><div class="scroll"><table class="named">
    <thead><tr><th scope="col">setting</th>${runs.map(({ label }) => html`<th scope="col" class="wrap">${cut(label, MAX_NAME)}</th>`)}</tr></thead>
    <tbody>${rows}</tbody></table></div></details>`;
}

function sweeps(runs: readonly LabelledRun[], id: string): Content {
  const swept = runs.filter(({ evaluation }) => evaluation.result.learningRates.length > 1).slice(0, MAX_PICTURES);
  if (swept.length === 0) return undefined;
  return html`<h3 class="sub">Sweeps <small>best ${swept[0].evaluation.result.metric.name} on dev, the chosen learning rate ringed</small></h3>
    <div class="grid fill">${swept.map(({ label, evaluation }, i) => sweepChart(evaluation.result, { id: `${id} sweep ${i + 1}`, title: cut(label, MAX_NAME), size: "half" }))}</div>`;
}

/** Small bars of every run, all from 0 to the same height. */
function weights(runs: readonly LabelledRun[], id: string): Markup {
  const shown = runs.slice(0, MAX_PICTURES);
  const top = Math.max(
    1e-9,
    ...shown.flatMap(({ evaluation }) => evaluation.result.layerWeights.filter(Number.isFinite)),
  );
  const figure = ({ label, evaluation: { result } }: LabelledRun, i: number) => {
    const most = heaviest(result.layerWeights);
    const { layers, parameters, kind } = result.upstream;
    const peak =
      most < 0 ? "no finite weight" : `${cut(layers[most] ?? "", 40)} ${result.layerWeights[most].toFixed(3)}`;
    const size = parameters === null ? noParameters(kind) : formatParameters(parameters);
    return html`<figure><figcaption><span>${cut(label, MAX_NAME)}</span><b>${size}</b></figcaption>
      ${bars(result.layerWeights, top, `${id}-weights-${i + 1}`, `Layer weights of ${cut(label, MAX_NAME)}`)}
      <p class="note ends"><span>${cut(layers[0], 40)}</span><span>most: ${peak}</span><span>${layers.length > 1 && cut(layers.at(-1)!, 40)}</span></p></figure>`;
  };
  return html`<h3 class="sub">Layer weights <small>bars from 0 to ${top.toFixed(3)}</small></h3><div class="minis">${shown.map(figure)}</div>
    ${runs.length > shown.length && html`<p class="note">${runs.length - shown.length} more are not shown.</p>`}`;
}

function bars(values: readonly number[], top: number, id: string, title: string): Markup {
  const [width, height] = [240, 70];
  const step = width / values.length;
  const wide = Math.min(0.84 * step, 34);
  const drawn = values.map((value, i) => {
    const tall = Number.isFinite(value) ? (height * Math.max(0, value)) / top : 0;
    return html`<rect x="${((i + 0.5) * step - wide / 2).toFixed(2)}" y="${(height - tall).toFixed(2)}" width="${wide.toFixed(2)}" height="${tall.toFixed(2)}"/>`;
  });
  const text = values.map((value) => (Number.isFinite(value) ? value.toFixed(3) : "not finite")).join(", ");
  return html`<svg class="mini" role="img" aria-labelledby="${id}-title ${id}-text" viewBox="0 0 ${width} ${height + 1}">
    <title id="${id}-title">${title}</title><desc id="${id}-text">${text}</desc>${drawn}<line x1="0" x2="${width}" y1="${height + 0.5}" y2="${height + 0.5}"/></svg>`;
}

function notComparable({ notComparable: pairs }: TaskComparison): Content {
  if (pairs.length === 0) return undefined;
  const items = pairs
    .slice(0, 50)
    .map(({ a, b, reason }) => html`<li>${cut(a, MAX_NAME)} and ${cut(b, MAX_NAME)}: ${cut(reason, 500)}.</li>`);
  return html`<div class="notice"><strong>Not comparable</strong><ul class="verdicts">${items}</ul>${
    pairs.length > items.length &&
    html`<p class="note">${formatCount(pairs.length - items.length)} more pairs are not shown.</p>`
  }</div>`;
}

// The part of a comparison about one task: figures, verdicts, sweeps, layer weights, and where the runs differ.
import { formatCount } from "../../log/format.ts";
import type { Playing } from "../evaluation/cards.ts";
import { heaviest } from "../evaluation/layers.ts";
import { sweepLine } from "../evaluation/training.ts";
import { chart } from "../kit/chart.ts";
import { marks } from "../kit/hover.ts";
import { TONES } from "../kit/line.ts";
import { type Content, html, type Markup, svgText } from "../kit/markup.ts";
import { fold, miniature, notices, notShown, type Section, section } from "../kit/pieces.ts";
import { table } from "../kit/table.ts";
import { ranked } from "../results/compare.ts";
import type { ComparedRun, PairComparison, TaskComparison, TestSetComparison } from "../results/comparison.types.ts";
import { formatP, type LabelledRun } from "../results/pairs.ts";
import { capital, cut, formatConfidence, formatFigure, formatInterval, formatParameters } from "../results/words.ts";
import { disagreementList } from "./disagreements.ts";
import { runFigures } from "./tables.ts";

const MAX_PAIRS = 500;
const MAX_PICTURES = 24;
const MAX_SETTINGS = 100;
const MAX_NAME = 80;

/** `runs`: of this task, labelled as in the comparison. `budget`: characters of recordings that the part may hold. */
export function taskSection(
  task: TaskComparison,
  runs: readonly LabelledRun[],
  budget: number,
): { readonly section: Section; readonly plays: boolean } {
  const parts = task.testSets.map((set, i) =>
    testSetPart(task, set, runs, `${task.task}-${i + 1}`, budget / task.testSets.length),
  );
  const direction = task.isHigherBetter ? "higher" : "lower";
  const lead = html`<p class="lead">${capital(task.metric)} in percent; ${direction} is better.</p>`;
  const content = [lead, parts.map((part) => part.content), notComparable(task)];
  return { section: section(task.task, task.title, content), plays: parts.some(({ plays }) => plays) };
}

function testSetPart(
  task: TaskComparison,
  set: TestSetComparison,
  all: readonly LabelledRun[],
  id: string,
  budget: number,
): Playing {
  const labels = new Set(set.runs.map(({ label }) => label));
  const runs = ranked(all.filter(({ label }) => labels.has(label)));
  const differing = runs.length > 1 ? disagreementList(runs, budget) : undefined;
  const content = [
    html`<h3 class="sub">${cut(set.source)} <small>${formatCount(set.utterances)} utterances</small></h3>`,
    runTable(set, task.metric),
    verdicts(set),
    pairTable(set.pairs),
    settings(set),
    sweeps(runs, id),
    weights(runs, id),
    differing?.content,
  ];
  return { content, plays: differing?.plays ?? false };
}

function runTable({ runs }: TestSetComparison, metric: string): Markup {
  const [low, high] = [Math.min(...runs.map((run) => run.metric.low)), Math.max(...runs.map((run) => run.metric.high))];
  const place = (value: number) => Math.max(0, Math.min(100, (100 * (value - low)) / (high - low || 1))).toFixed(1);
  const strip = (figure: ComparedRun["metric"]) => {
    const [from, to] = [place(figure.low), place(figure.high)];
    return html`<span><i style="left:${from}%;width:${(+to - +from).toFixed(1)}%"></i><b style="left:${place(figure.value)}%"></b></span>`;
  };
  const interval = `${formatConfidence(runs[0].metric.confidence)} interval`;
  const others = ["dev", "parameters", "learning rate", "steps", "training"];
  return table({
    caption: "Best first; steps and learning rate of the chosen head; training time of all heads",
    className: "named",
    columns: ["run", metric, interval, { className: "strip" }, ...others],
    rows: runs.map((run, i) => {
      const isBest = i === 0 && runs.length > 1;
      const [value, range, ...figures] = runFigures(run);
      const name = [cut(run.label, MAX_NAME), isBest && " (best)"];
      return { className: isBest && "chosen", cells: [name, value, range, strip(run.metric), ...figures] };
    }),
  });
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
  const [{ tests, difference, decidedBy }] = pairs;
  const interval = `${formatConfidence(difference.confidence)} interval`;
  const names = tests.map(({ name }) => `p, ${name}`);
  return fold("Every pair, with its tests", [
    table({
      caption: `Difference: first minus second. Corrected: p of ${decidedBy}, after Holm for ${pairs.length} pairs; below 0.05 they differ. Utterances: on how many the first is better, and the second.`,
      className: "named",
      columns: ["runs", "difference", interval, ...names, "corrected", "utterances", "differ"],
      rows: pairs
        .slice(0, MAX_PAIRS)
        .map(({ a, b, utterances, ...pair }) => [
          `${cut(a, MAX_NAME)} and ${cut(b, MAX_NAME)}`,
          formatFigure(pair.difference.estimate),
          formatInterval(pair.difference),
          ...pair.tests.map(({ p }) => formatP(p)),
          formatP(pair.correctedP),
          `${formatCount(utterances.aBetter)} : ${formatCount(utterances.bBetter)}`,
          pair.differs ? "yes" : "no",
        ]),
    }),
    notShown(pairs.length - MAX_PAIRS, "pairs"),
  ]);
}

function settings({ runs, differences }: TestSetComparison): Content {
  if (differences.length === 0) return undefined;
  const columns = runs.map(({ label }) => ({ title: cut(label, MAX_NAME), className: "wrap" }));
  const text = (value: unknown) => (value === null ? "—" : cut(String(value)));
  const rows = differences.slice(0, MAX_SETTINGS).map(({ name, values }) => [cut(name), ...values.map(text)]);
  return fold(
    "Settings in which the runs differ",
    table({ className: "named", columns: ["setting", ...columns], rows }),
  );
}

/** All in one picture, as many as can be told apart; the best runs come first. */
function sweeps(runs: readonly LabelledRun[], id: string): Content {
  const swept = runs.filter(({ evaluation }) => evaluation.result.learningRates.length > 1);
  if (swept.length === 0) return undefined;
  const { name } = swept[0].evaluation.result.metric;
  const shown = TONES.slice(0, swept.length);
  return [
    html`<h3 class="sub">Sweeps <small>best ${name} on dev, the chosen learning rates ringed</small></h3>`,
    chart({
      title: `Best ${name} on dev`,
      id: `${id} sweeps`,
      value: `${name} on dev (%)`,
      across: "learning rate",
      size: "full",
      dots: true,
      letters: shown.length > 1,
      lines: shown.map((tone, i) => sweepLine(swept[i].evaluation.result, cut(swept[i].label, MAX_NAME), tone)),
    }),
    notShown(swept.length - shown.length, "sweeps"),
  ];
}

/** Small bars of every run, all from 0 to the same height. */
function weights(runs: readonly LabelledRun[], id: string): Markup {
  const shown = runs.slice(0, MAX_PICTURES);
  const top = Math.max(
    1e-9,
    ...shown.flatMap(({ evaluation: { result } }) =>
      // the weight of a single state says nothing, and would make all others small
      result.layerWeights.length > 1 ? result.layerWeights.filter(Number.isFinite) : [],
    ),
  );
  const figure = ({ label, evaluation: { result } }: LabelledRun, i: number) => {
    const most = heaviest(result.layerWeights);
    const { layers, parameters, kind } = result.upstream;
    const name = cut(label, MAX_NAME);
    const peak =
      most < 0 ? "no finite weight" : `${cut(layers[most] ?? "", 40)} ${result.layerWeights[most].toFixed(3)}`;
    const size = parameters === null ? (kind === "onnx" ? "not known" : "none") : formatParameters(parameters);
    return miniature(name, size, [
      result.layerWeights.length > 1
        ? bars(result.layerWeights, {
            top,
            names: layers,
            id: `${id}-weights-${i + 1}`,
            title: `Layer weights of ${name}`,
          })
        : html`<p class="empty">There is one hidden state, so there is nothing to weigh.</p>`,
      html`<p class="note ends"><span>${cut(layers[0], 40)}</span><span>most: ${peak}</span><span>${layers.length > 1 && cut(layers.at(-1)!, 40)}</span></p>`,
    ]);
  };
  return html`<h3 class="sub">Layer weights <small>bars from 0 to ${top.toFixed(3)}</small></h3><div class="minis">${shown.map(figure)}</div>
    ${notShown(runs.length - shown.length)}`;
}

interface Bars {
  readonly top: number;
  readonly names: readonly string[];
  readonly id: string;
  readonly title: string;
}

function bars(values: readonly number[], { top, names, id, title }: Bars): Markup {
  const [width, height] = [240, 70];
  const step = width / values.length;
  const wide = Math.min(0.84 * step, 34);
  const drawn = values.map((value, i) => {
    const tall = Number.isFinite(value) ? (height * Math.max(0, value)) / top : 0;
    return html`<rect x="${((i + 0.5) * step - wide / 2).toFixed(2)}" y="${(height - tall).toFixed(2)}" width="${wide.toFixed(2)}" height="${tall.toFixed(2)}" data-tip="${cut(names[i] ?? `state ${i}`, 60)}: ${Number.isFinite(value) ? value.toFixed(3) : "not finite"}"/>`;
  });
  const text = values.map((value) => (Number.isFinite(value) ? value.toFixed(3) : "not finite")).join(", ");
  const { attributes, head } = svgText(id, title, text);
  const svg = html`<svg class="mini" ${attributes} viewBox="0 0 ${width} ${height + 1}">${head}${drawn}<line x1="0" x2="${width}" y1="${height + 0.5}" y2="${height + 0.5}"/></svg>`;
  return marks(svg, title);
}

function notComparable({ notComparable: pairs }: TaskComparison): Content {
  if (pairs.length === 0) return undefined;
  const items = pairs
    .slice(0, 50)
    .map(({ a, b, reason }) => html`<li>${cut(a, MAX_NAME)} and ${cut(b, MAX_NAME)}: ${cut(reason, 500)}.</li>`);
  return notices([
    [
      html`<strong>Not comparable</strong><ul class="verdicts">${items}</ul>`,
      notShown(pairs.length - items.length, "pairs"),
    ],
  ]);
}

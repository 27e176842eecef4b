// The report of one evaluation: one self-contained HTML page that says how well an upstream did, on what, and where it fails.
import { formatCount, formatDuration, formatHours, formatLearningRate, plural } from "../../log/index.ts";
import type { EvaluationResult } from "../../superb/run/result.ts";
import type { SplitFacts } from "../../superb/tasks/task.types.ts";
import { type Content, fact, html, keyNumber, type Markup, writePage } from "../index.ts";
import { confusionSection } from "./confusion.ts";
import { errorsSection } from "./errors.ts";
import { layerWeights } from "./layers.ts";
import type { Evaluation } from "./read.ts";
import { embedRecordings, type Recording } from "./recordings.ts";
import { type Scoring, scorePredictions } from "./rescore.ts";
import { EVALUATION_STYLE } from "./style.ts";
import { chosenRate, edgeOfSweep } from "./sweep.ts";
import { trainingSection } from "./training.ts";
import { worstSection, worstUtterances, wrongAnswers, wrongSection } from "./utterances.ts";
import {
  capital,
  cut,
  formatConfidence,
  formatFigure,
  formatInterval,
  formatParameters,
  formatPercent,
  taskTitle,
} from "./words.ts";

const MAX_OPTIONS = 300;

const figure = (value: number): Content => html`${formatFigure(value)}<span class="unit"> %</span>`;

function keyNumbers(result: EvaluationResult): Markup {
  const { metric, upstream, learningRates, data } = result;
  const chosen = chosenRate(result);
  return html`<dl class="keys">
    ${keyNumber(`${capital(metric.name)} on test`, figure(metric.value), `${formatConfidence(metric.confidence)} interval ${formatInterval(metric)}`)}
    ${keyNumber(`${capital(metric.name)} on dev`, figure(result.dev), `of the same head, ${plural(data.dev.utterances, "utterance")}`)}
    ${keyNumber("Upstream", upstream.parameters === null ? upstream.kind : formatParameters(upstream.parameters), `${upstream.parameters === null ? "without parameters to count" : "parameters, frozen"}; the head trains ${formatParameters(result.headParameters)}`)}
    ${keyNumber(
      "Learning rate",
      chosen ? formatLearningRate(chosen.learningRate) : "—",
      learningRates.length > 1 ? `best on dev of ${learningRates.length}` : "the only one tried",
    )}
  </dl>`;
}

function notices(evaluation: Evaluation): Content {
  const { result, dev } = evaluation;
  const edge = edgeOfSweep(result);
  const skipped = chosenRate(result)?.skippedSteps ?? 0;
  return [
    edge &&
      html`<p class="notice">The chosen learning rate is the ${edge} that was tried; a ${edge === "smallest" ? "smaller" : "larger"} one may be better still.</p>`,
    skipped > 0 &&
      html`<p class="notice">${plural(skipped, "update")} of the chosen head ${skipped === 1 ? "was" : "were"} left out because the gradient was not finite.</p>`,
    !dev &&
      html`<p class="notice">The run folder no longer holds the predictions of dev, so that its value cannot be computed again.</p>`,
  ];
}

function dataTable({ data }: EvaluationResult): Markup {
  const row = (name: string, { utterances, seconds, source }: SplitFacts) =>
    html`<tr><th scope="row">${name}</th><td>${formatCount(utterances)}</td><td>${formatHours(seconds)}</td><td class="wrap">${cut(source, 500)}</td></tr>`;
  return html`<div class="scroll"><table><caption>${cut(data.root, 500)}</caption>
    <thead><tr><th scope="col">split</th><th scope="col">utterances</th><th scope="col">audio</th><th scope="col" class="wrap">source</th></tr></thead>
    <tbody>${row("train", data.train)}${row("dev", data.dev)}${row("test", data.test)}</tbody></table></div>`;
}

const PROTOCOLS: Readonly<Record<EvaluationResult["protocol"], string>> = {
  superb: "superb: the benchmark's own lengths of training",
  fixed: "fixed: training ends when dev no longer improves; test is used once, at the end",
};

function evaluatedFacts(result: EvaluationResult): Markup {
  const { upstream, data, seconds } = result;
  const kind = { model: "model", onnx: "ONNX file", fbank: "filterbanks", mfcc: "MFCC" }[upstream.kind];
  return html`<dl class="facts">
      ${fact("Upstream", `${cut(upstream.name)} (${kind})`)}
      ${fact("Hidden states", `${plural(upstream.layers.length, "state")} of ${formatCount(upstream.dim)} values every ${formatCount(upstream.samplesPerFrame)} samples`)}
      ${fact("Fingerprint", html`<code>${cut(upstream.fingerprint)}</code>`)}
      ${fact("Protocol", PROTOCOLS[result.protocol])}
      ${fact("Data fingerprint", html`<code>${cut(data.fingerprint)}</code>`)}
      ${fact("Time", `hidden states ${formatDuration(seconds.features)}, training ${formatDuration(seconds.training)}, testing ${formatDuration(seconds.testing)}`)}
      ${fact("Evaluated", cut(result.created))}
    </dl>`;
}

const settings = (entries: Readonly<Record<string, unknown>>) =>
  Object.entries(entries)
    .slice(0, MAX_OPTIONS)
    .map(([name, value]) => fact(cut(name), value === null ? "none" : cut(String(value), 500)));

/** Which utterances are shown, and the page's part about them. */
function listened(
  scoring: Scoring,
  { test, result }: Evaluation,
): { readonly content: Markup; readonly plays: boolean } {
  const byId = new Map(test.map((row) => [row.id, row]));
  const playable = (rows: readonly { readonly id: string }[]) =>
    embedRecordings(
      rows.map(({ id }) => byId.get(id)!),
      result.data.root,
    );
  const plays = (recordings: ReadonlyMap<string, Recording>) =>
    [...recordings.values()].some((recording) => "uri" in recording);
  if (scoring.kind === "errors") {
    const worst = worstUtterances(scoring.report);
    const recordings = playable(worst);
    return { content: worstSection(worst, scoring.report, recordings), plays: plays(recordings) };
  }
  const wrong = wrongAnswers(test);
  const recordings = playable(wrong);
  return { content: wrongSection(wrong, test, recordings), plays: plays(recordings) };
}

const section = (id: string, title: string, content: Content): Markup =>
  html`<section aria-labelledby="${id}"><h2 id="${id}">${title}</h2>${content}</section>`;

/**
 * The page as one string, below 4 MB: needs no network and no script, follows the reader's light or dark preference. All text
 * is escaped. Recordings of the utterances that went worst are read from the paths in the predictions; one that cannot be
 * embedded is named with the reason.
 * @throws StillwaveError without predictions to score.
 */
export function writeEvaluationReport(evaluation: Evaluation): string {
  const { result, test } = evaluation;
  const { metric, data, upstream, task } = result;
  const scoring = scorePredictions(test, result.unit);
  const { content, plays } = listened(scoring, evaluation);
  return writePage({
    title: `${taskTitle(task)}: ${cut(upstream.name)}`,
    style: EVALUATION_STYLE,
    plays,
    body: html`<header><p class="eyebrow">Stillwave evaluation</p><h1>${taskTitle(task)}: ${cut(upstream.name)}</h1>
<p class="lead">${capital(metric.name)} of ${formatPercent(metric.value)} on ${plural(data.test.utterances, "utterance")} (${formatHours(data.test.seconds)}) of ${cut(data.test.source)}, by a head trained on ${formatHours(data.train.seconds)} of ${cut(data.train.source)}. ${metric.isHigherBetter ? "Higher is better." : "Lower is better."}</p>
${keyNumbers(result)}
${notices(evaluation)}</header>
${section("errors", scoring.kind === "errors" ? "Errors" : "Answers", errorsSection(scoring, result))}
${section("layers", "Layers", layerWeights(result))}
${section("training", "Training", trainingSection(result))}
${section("worst", scoring.kind === "errors" ? "Worst utterances" : "Wrong answers", content)}
${section("confusion", "Confusion", confusionSection(scoring))}
${section("evaluated", "What was evaluated", [evaluatedFacts(result), dataTable(result)])}
${section("options", "Options", html`<dl class="facts">${settings(result.options)}</dl>`)}
${section("environment", "Environment", html`<dl class="facts">${settings(result.environment)}</dl>`)}`,
  });
}

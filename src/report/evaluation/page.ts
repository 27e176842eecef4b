// The report of one evaluation: one self-contained HTML page that says how well an upstream did, on what, and where it fails.
import { formatCount, formatDuration, formatHours, formatLearningRate, plural } from "../../log/format.ts";
import type { EvaluationResult, SplitFacts } from "../../superb/run/result.types.ts";
import { type Content, html, type Markup } from "../kit/markup.ts";
import { writePage } from "../kit/page.ts";
import { facts, keyNumbers, notice, section } from "../kit/pieces.ts";
import { table } from "../kit/table.ts";
import type { Evaluation } from "../results/read.ts";
import { type Scoring, scorePredictions } from "../results/rescore.ts";
import { chosenRate, edgeOfSweep } from "../results/sweep.ts";
import {
  capital,
  cut,
  formatConfidence,
  formatFigure,
  formatInterval,
  formatParameters,
  formatPercent,
  titleOf,
} from "../results/words.ts";
import { confusionSection } from "./confusion.ts";
import { errorsSection } from "./errors.ts";
import { layerWeights } from "./layers.ts";
import { embedRecordings, isPlayed } from "./recordings.ts";
import { trainingSection } from "./training.ts";
import { worstSection, worstUtterances, wrongAnswers, wrongSection } from "./utterances.ts";

const MAX_OPTIONS = 300;

function figures(result: EvaluationResult): Markup {
  const { metric, upstream, learningRates, data, headParameters } = result;
  const chosen = chosenRate(result);
  const figure = (value: number) => html`${formatFigure(value)}<small> %</small>`;
  const name = capital(metric.name);
  const isCounted = upstream.parameters !== null;
  return keyNumbers([
    [
      `${name} on test`,
      figure(metric.value),
      `${formatConfidence(metric.confidence)} interval ${formatInterval(metric)}`,
    ],
    [`${name} on dev`, figure(result.dev), `of the same head, ${plural(data.dev.utterances, "utterance")}`],
    [
      "Upstream",
      isCounted ? formatParameters(upstream.parameters) : upstream.kind,
      `${isCounted ? "parameters, frozen" : "without parameters to count"}; the head trains ${formatParameters(headParameters)}`,
    ],
    [
      "Learning rate",
      chosen ? formatLearningRate(chosen.learningRate) : "—",
      learningRates.length > 1 ? `best on dev of ${learningRates.length}` : "the only one tried",
    ],
  ]);
}

function notices({ result, dev }: Evaluation): Content {
  const edge = edgeOfSweep(result);
  const skipped = chosenRate(result)?.skippedSteps ?? 0;
  return [
    edge &&
      notice(
        `The chosen learning rate is the ${edge} that was tried; a ${edge === "smallest" ? "smaller" : "larger"} one may be better still.`,
      ),
    skipped > 0 &&
      notice(
        `${plural(skipped, "update")} of the chosen head ${skipped === 1 ? "was" : "were"} left out because the gradient was not finite.`,
      ),
    !dev &&
      notice("The run folder no longer holds the predictions of dev, so that its value cannot be computed again."),
  ];
}

const PROTOCOLS: Readonly<Record<EvaluationResult["protocol"], string>> = {
  superb: "superb: the benchmark's own lengths of training",
  fixed: "fixed: training ends when dev no longer improves; test is used once, at the end",
};

function evaluated({ upstream, data, seconds, protocol, created }: EvaluationResult): Content {
  const kind = { model: "model", onnx: "ONNX file", fbank: "filterbanks", mfcc: "MFCC" }[upstream.kind];
  const row = (name: string, { utterances, seconds: length, source }: SplitFacts) => [
    name,
    formatCount(utterances),
    formatHours(length),
    cut(source, 500),
  ];
  return [
    facts([
      ["Upstream", `${cut(upstream.name)} (${kind})`],
      [
        "Hidden states",
        `${plural(upstream.layers.length, "state")} of ${formatCount(upstream.dim)} values every ${formatCount(upstream.samplesPerFrame)} samples`,
      ],
      ["Fingerprint", html`<code>${cut(upstream.fingerprint)}</code>`],
      ["Protocol", PROTOCOLS[protocol]],
      ["Data fingerprint", html`<code>${cut(data.fingerprint)}</code>`],
      [
        "Time",
        `hidden states ${formatDuration(seconds.features)}, training ${formatDuration(seconds.training)}, testing ${formatDuration(seconds.testing)}`,
      ],
      ["Evaluated", cut(created)],
    ]),
    table({
      caption: cut(data.root, 500),
      columns: ["split", "utterances", "audio", { title: "source", className: "wrap" }],
      rows: [row("train", data.train), row("dev", data.dev), row("test", data.test)],
    }),
  ];
}

const settings = (entries: Readonly<Record<string, unknown>>): Markup =>
  facts(
    Object.entries(entries)
      .slice(0, MAX_OPTIONS)
      .map(([name, value]) => [cut(name), value === null ? "none" : cut(String(value), 500)]),
  );

/** What went wrong, with its recordings. */
function listened(scoring: Scoring, { test, result }: Evaluation) {
  const byId = new Map(test.map((row) => [row.id, row]));
  const recordingsOf = (rows: readonly { readonly id: string }[]) =>
    embedRecordings(
      rows.map(({ id }) => byId.get(id)!),
      result.data.root,
    );
  if (scoring.kind === "errors") {
    const worst = worstUtterances(scoring.report);
    const recordings = recordingsOf(worst);
    return { content: worstSection(worst, scoring.report, recordings), plays: isPlayed(recordings) };
  }
  const wrong = wrongAnswers(test);
  const recordings = recordingsOf(wrong);
  return { content: wrongSection(wrong, test, recordings), plays: isPlayed(recordings) };
}

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
  const isErrors = scoring.kind === "errors";
  const { content, plays } = listened(scoring, evaluation);
  return writePage({
    title: `${titleOf(task)}: ${cut(upstream.name)}`,
    kind: "Stillwave evaluation",
    lead: `${capital(metric.name)} of ${formatPercent(metric.value)} on ${plural(data.test.utterances, "utterance")} (${formatHours(data.test.seconds)}) of ${cut(data.test.source)}, by a head trained on ${formatHours(data.train.seconds)} of ${cut(data.train.source)}. ${metric.isHigherBetter ? "Higher is better." : "Lower is better."}`,
    summary: [figures(result), notices(evaluation)],
    plays,
    sections: [
      section("errors", isErrors ? "Errors" : "Answers", errorsSection(scoring, result)),
      section("layers", "Layers", layerWeights(result)),
      section("training", "Training", trainingSection(result)),
      section("worst", isErrors ? "Worst utterances" : "Wrong answers", content),
      section("confusion", "Confusion", confusionSection(scoring)),
      section("evaluated", "What was evaluated", evaluated(result)),
      section("options", "Options", settings(result.options)),
      section("environment", "Environment", settings(result.environment)),
    ],
  });
}

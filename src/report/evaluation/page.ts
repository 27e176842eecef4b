// The report of one evaluation: one self-contained HTML page that says how well an upstream did, on what, and where it fails.
import { join } from "node:path";
import { writeFileAtomic } from "../../files.ts";
import { formatCount, formatDuration, formatHours, formatLearningRate, plural } from "../../log/format.ts";
import { scorePredictions } from "../../superb/measures/index.ts";
import type { MetricValue } from "../../superb/measures/measure.types.ts";
import type { EvaluationResult } from "../../superb/run/result.ts";
import type { SplitFacts } from "../../superb/tasks/task.types.ts";
import { type Content, html, type Markup } from "../kit/markup.ts";
import { writePage } from "../kit/page.ts";
import { facts, keyNumbers, notices, section } from "../kit/pieces.ts";
import { table } from "../kit/table.ts";
import { type Evaluation, readEvaluation } from "../results/read.ts";
import { rescore } from "../results/rescore.ts";
import { chosenOn, chosenRate, edgeOfSweep } from "../results/sweep.ts";
import {
  capital,
  cut,
  formatConfidence,
  formatFigure,
  formatInterval,
  formatParameters,
  formatPercent,
  nameOfModel,
  titleOf,
} from "../results/words.ts";
import { choicesPart, foldsPart } from "./choices.ts";
import { layerWeights } from "./layers.ts";
import { layerValues } from "./search.ts";
import { trainingSection } from "./training.ts";
import { viewOf } from "./views.ts";

const MAX_OPTIONS = 300;

function figures(result: EvaluationResult): Markup {
  const { metric, upstream, learningRates, data, folds, options } = result;
  const figure = (value: number) => html`${formatFigure(value)}<small> %</small>`;
  const name = capital(metric.name);
  const { search } = result;
  const trained = search ? "nothing is trained" : `the head trains ${formatParameters(result.headParameters)}`;
  const chosen = chosenRate(result);
  const foldValues = folds.map(({ value }) => value);
  return keyNumbers([
    [`${name} on test`, figure(metric.value), intervalOf(metric)],
    result.dev !== null && [
      `${name} on dev`,
      figure(result.dev),
      search
        ? `of the same layer, ${formatCount(search.queries.dev)} queries`
        : `of the same head, ${plural(data.dev.utterances, "utterance")}`,
    ],
    ...result.otherMetrics.map(
      (other) => [`${capital(other.name)} on test`, figure(other.value), intervalOf(other)] as const,
    ),
    upstream.parameters === null
      ? ["Upstream", upstream.kind, `without parameters to count; ${trained}`]
      : [
          "Upstream",
          formatParameters(upstream.parameters),
          `parameters, ${options.fineTuned === true ? "trained with it" : "frozen"}; ${trained}`,
        ],
    search !== undefined
      ? ["Documents", formatCount(search.documents), `searched for ${formatCount(search.queries.test)} queries`]
      : folds.length > 0
        ? [
            "Folds",
            String(folds.length),
            `from ${formatFigure(Math.min(...foldValues))} to ${formatFigure(Math.max(...foldValues))} %`,
          ]
        : [
            "Learning rate",
            chosen ? formatLearningRate(chosen.learningRate) : "—",
            learningRates.length > 1 ? `best on ${chosenOn(result)} of ${learningRates.length}` : "the only one tried",
          ],
  ]);
}

const intervalOf = (metric: MetricValue) => `${formatConfidence(metric.confidence)} interval ${formatInterval(metric)}`;

function remarks({ result, dev }: Evaluation): Content {
  const edge = result.folds.length > 0 ? undefined : edgeOfSweep(result);
  const skipped = chosenRate(result)?.skippedSteps ?? 0;
  const was = skipped === 1 ? "was" : "were";
  return notices([
    edge &&
      `The chosen learning rate is the ${edge} that was tried; a ${edge === "smallest" ? "smaller" : "larger"} one may be better still.`,
    skipped > 0 &&
      `${plural(skipped, "update")} of the chosen head ${was} left out because the gradient was not finite.`,
    !dev &&
      result.dev !== null &&
      "The run folder no longer holds the predictions of dev, so that its value cannot be computed again.",
  ]);
}

const PROTOCOLS: Readonly<Record<EvaluationResult["protocol"], string>> = {
  superb: "superb: the benchmark's own lengths of training",
  fixed: "fixed: training ends when dev no longer improves; test is used once, at the end",
};

function evaluated({ upstream, data, seconds, protocol, created, search }: EvaluationResult): Content {
  const kind = { model: "model", onnx: "ONNX file", fbank: "filterbanks", mfcc: "MFCC" }[upstream.kind];
  const states = `${plural(upstream.layers.length, "state")} of ${formatCount(upstream.dim)} values`;
  const [features, training, testing] = [seconds.features, seconds.training, seconds.testing].map(formatDuration);
  const row = (name: string, split: SplitFacts) =>
    [name, formatCount(split.utterances), formatHours(split.seconds), cut(split.source, 500)] as const;
  return [
    facts([
      ["Upstream", `${cut(upstream.name)} (${kind})`],
      ["Hidden states", `${states} every ${formatCount(upstream.samplesPerFrame)} samples`],
      ["Fingerprint", html`<code>${cut(upstream.fingerprint)}</code>`],
      ["Protocol", PROTOCOLS[protocol]],
      ["Data fingerprint", html`<code>${cut(data.fingerprint)}</code>`],
      ["Time", `hidden states ${features}, training ${training}, testing ${testing}`],
      ["Evaluated", cut(created)],
    ]),
    table({
      caption: cut(data.root, 500),
      columns: ["split", "utterances", "audio", { title: "source", className: "wrap" }],
      rows: [row(search ? "documents" : "train", data.train), row("dev", data.dev), row("test", data.test)],
    }),
  ];
}

function settings(entries: Readonly<Record<string, unknown>>): Markup {
  const shown = Object.entries(entries).slice(0, MAX_OPTIONS);
  return facts(shown.map(([name, value]) => [cut(name), value === null ? "none" : cut(String(value), 500)]));
}

/**
 * The page as one string, below 4 MB: needs no network, follows the reader's light or dark preference. All text
 * is escaped. Recordings of the utterances that went worst are read from the paths in the predictions; one that cannot be
 * embedded is named with the reason.
 * @throws StillwaveError without predictions to score.
 */
export function writeEvaluationReport(evaluation: Evaluation): string {
  const { result, test } = evaluation;
  const { metric, data, upstream } = result;
  const view = viewOf(scorePredictions(test, result.unit), evaluation);
  return writePage({
    title: `${titleOf(result.task)}: ${cut(nameOfModel(upstream.name))}`,
    kind: "Stillwave evaluation",
    lead: `${capital(metric.name)} of ${formatPercent(metric.value)} on ${plural(data.test.utterances, "utterance")} (${formatHours(data.test.seconds)}) of ${cut(data.test.source)}, ${result.search ? `searched for in ${formatHours(data.train.seconds)} of documents` : `by a head trained on ${formatHours(data.train.seconds)} of ${cut(data.train.source)}`}. ${metric.isHigherBetter ? "Higher is better." : "Lower is better."}`,
    summary: [figures(result), remarks(evaluation)],
    plays: view.plays,
    sections: [
      view.answers,
      section("layers", "Layers", result.search ? layerValues(result) : layerWeights(result)),
      result.search
        ? section("choices", "Choices", choicesPart(result))
        : section("training", "Training", [foldsPart(result), trainingSection(result), choicesPart(result)]),
      ...view.details,
      section("evaluated", "What was evaluated", evaluated(result)),
      section("options", "Options", settings(result.options)),
      section("environment", "Environment", settings(result.environment)),
    ],
  });
}

/**
 * Reads a run folder, checks its figures against the predictions, and writes `report.html` into it; returns its path.
 * @throws StillwaveError for a folder that cannot be read, or figures that the predictions do not give.
 */
export async function reportEvaluation(folder: string): Promise<{ readonly path: string }> {
  const evaluation = await readEvaluation(folder);
  await rescore(evaluation);
  const path = join(folder, "report.html");
  await writeFileAtomic(path, writeEvaluationReport(evaluation));
  return { path };
}

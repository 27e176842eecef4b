// The page of a pre-training: for every iteration its units, how they agree with phones, and how well they are guessed.
import type { DistillRecord } from "../../distill/record.ts";
import { formatCount, formatDuration, formatHours, formatMillions, formatNumber, plural } from "../../log/format.ts";
import type { MetricsRow } from "../../log/metrics.types.ts";
import { profile } from "../../models/profile.ts";
import type { IterationRunRecipe } from "../../pretrain/iteration.ts";
import { pretrainedModel } from "../../pretrain/recipe/model.ts";
import type { PretrainRecipe } from "../../pretrain/recipe/schema.ts";
import type { PretrainRecord } from "../../pretrain/record.ts";
import type { UnitSummary } from "../../units/making/settings.ts";
import { chart } from "../kit/chart.ts";
import { type Content, html, type Markup } from "../kit/markup.ts";
import { writePage } from "../kit/page.ts";
import { facts, fold, keyNumbers, notices, recipeSection, type Section, section } from "../kit/pieces.ts";
import { table } from "../kit/table.ts";

export interface IterationReport {
  readonly units: UnitSummary;
  /** Empty before the first update. */
  readonly metrics: readonly MetricsRow[];
  /** undefined: the training has not begun. */
  readonly run: DistillRecord<IterationRunRecipe> | undefined;
}

export interface PretrainReportData {
  readonly title: string;
  readonly recipe: PretrainRecipe;
  /** Of the resolved recipe. */
  readonly text: string;
  readonly record: PretrainRecord;
  /** Those that have begun. */
  readonly iterations: readonly IterationReport[];
}

const UNITS_LISTED = 20;
/** Phone labels without times: what a number means is said wherever it stands. */
const KINDS = {
  frames: "against a phone for every frame",
  sequence:
    "against phone sequences spread evenly over each utterance: no alignment, for comparison among these iterations alone",
} as const;

const percent = (share: number) => `${(100 * share).toFixed(1)} %`;
const rowsOf = <Kind extends MetricsRow["kind"]>(metrics: readonly MetricsRow[], kind: Kind) =>
  metrics.filter((row): row is Extract<MetricsRow, { kind: Kind }> => row.kind === kind);

/** The page as one string. Needs no network. All text is escaped. */
export function writePretrainReport(data: PretrainReportData): string {
  const { title, recipe, text, record, iterations } = data;
  const { parameters } = profile(pretrainedModel(recipe.model), { seconds: 10 });
  const { environment } = record;
  const trained = iterations.at(-1);
  const speech = iterations.find(({ run }) => run)?.run?.data.train;
  const hours = speech ? ` on ${formatHours(speech.seconds)} of ${recipe.data.train.path}` : "";
  return writePage({
    title,
    kind: "Stillwave pre-training run",
    lead: `${plural(recipe.iterations.length, "iteration")} of masked prediction${hours}.`,
    summary: [
      keyNumbers([
        ["Model", `${formatMillions(parameters.total)} M`, `parameters, ${recipe.model.layers} layers`],
        ["Iterations", `${iterations.length}`, `begun, of ${recipe.iterations.length}`],
        ...(trained ? [latest(trained)] : []),
      ]),
      notices([unfinished(data)]),
    ],
    sections: [
      ...iterations.map((iteration, i) => iterationSection(iteration, i + 1)),
      recipeSection(text),
      section(
        "versions",
        "Versions",
        facts([
          ["stillwave", environment.stillwave],
          ["onnxruntime", environment.onnxruntime],
          ["node", environment.node],
          ["machine", `${environment.platform}, ${environment.cores} x ${environment.cpu}`],
          ["begun", record.created],
        ]),
      ),
    ],
  });
}

function latest({ metrics }: IterationReport): [string, Content, string] {
  const row = metrics.findLast(({ terms }) => terms?.["units.maskedAccuracy"]);
  const share = row?.terms?.["units.maskedAccuracy"]?.[0];
  if (!row || share === undefined) return ["Guessed", "—", "no updates yet"];
  return ["Guessed", percent(share), `of masked frames, ${row.kind} of update ${formatCount(row.step)}`];
}

function unfinished({ iterations, recipe }: PretrainReportData): string | false {
  const last = iterations.at(-1);
  const step = last?.metrics.at(-1)?.step ?? 0;
  if (iterations.length === recipe.iterations.length && last?.run && step >= last.run.totalSteps) return false;
  return `This run is not complete: update ${formatCount(step)} of iteration ${Math.max(1, iterations.length)} of ${recipe.iterations.length}.`;
}

function iterationSection({ units, metrics, run }: IterationReport, number: number): Section {
  const { clusters, features, fitted, inertia, perplexity, phones } = units;
  const seconds = metrics.at(-1)?.seconds;
  return section(`iteration-${number}`, `Iteration ${number}: ${clusters} clusters of ${features}`, [
    facts(
      [
        [
          "k-means",
          `${plural(fitted.iterations, "iteration")} over ${plural(fitted.frames, "frame")}, ${plural(fitted.reseeded, "cluster")} seeded anew`,
        ],
        ["Mean squared distance", formatNumber(inertia)],
        ["Units in use", `${perplexity.toFixed(1)} of ${clusters} by perplexity`],
        phones && ["Phone purity", `${phones.phonePurity.toFixed(3)}`],
        phones && ["Cluster purity", `${phones.clusterPurity.toFixed(3)}`],
        phones && ["PNMI", `${phones.pnmi.toFixed(3)}`],
        phones && [
          "Phones",
          `${KINDS[phones.kind]}; ${plural(phones.utterances, "utterance")} of ${phones.path}, ${formatCount(phones.without)} without`,
        ],
        run && [
          "Updates",
          `${formatCount(run.totalSteps)}${seconds === undefined ? "" : `, ${formatDuration(seconds)}`}`,
        ],
      ].filter((entry): entry is [string, string] => Array.isArray(entry)),
    ),
    run ? trainingCharts(metrics, number) : html`<p class="empty">Not trained yet.</p>`,
    usage(units, number),
  ]);
}

function trainingCharts(metrics: readonly MetricsRow[], number: number): Markup {
  const [train, validation] = [rowsOf(metrics, "train"), rowsOf(metrics, "validation")];
  const term = (rows: readonly MetricsRow[], name: string) =>
    rows.map(({ step, terms }) => ({ step, value: terms?.[`units.${name}`]?.[0] ?? Number.NaN }));
  const pair = (title: string, names: readonly [string, string], rows: readonly MetricsRow[]) =>
    chart({
      title,
      value: names[0] === "masked" ? "cross-entropy (nats)" : "share of frames",
      id: `${number} ${title}`,
      dots: rows === validation,
      lines: [
        { label: "masked frames", points: term(rows, names[0]), tone: "accent", smoothed: rows === train },
        { label: "unmasked frames", points: term(rows, names[1]), tone: "soft", smoothed: rows === train },
      ],
    });
  const loss = train.map(({ step, loss }) => ({ step, value: loss }));
  const penalty = term(train, "penalty");
  return html`${chart({ title: "Training loss", id: `${number} loss`, value: "loss", size: "full", lines: [{ label: "loss", points: loss, tone: "accent", smoothed: true }] })}
    <div class="grid">
      ${pair("Cross-entropy", ["masked", "unmasked"], train)}
      ${pair("Share guessed", ["maskedAccuracy", "unmaskedAccuracy"], train)}
      ${pair("Cross-entropy in validation", ["masked", "unmasked"], validation)}
      ${pair("Share guessed in validation", ["maskedAccuracy", "unmaskedAccuracy"], validation)}
      ${chart({ title: "Mean square of features", id: `${number} penalty`, value: "mean square", lines: [{ label: "features", points: penalty, tone: "accent", smoothed: true }] })}
    </div>`;
}

/** How often units are used: all of them, the most frequent first, as a line; the ends as a table. */
function usage({ usage: counts }: UnitSummary, number: number): Markup {
  const total = counts.reduce((sum, count) => sum + count, 0);
  const ranked = counts.map((count, unit) => ({ unit, count })).sort((a, b) => b.count - a.count || a.unit - b.unit);
  const points = ranked.map(({ count }, rank) => ({ step: rank + 1, value: count / total }));
  const listed =
    ranked.length <= 2 * UNITS_LISTED ? ranked : [...ranked.slice(0, UNITS_LISTED), ...ranked.slice(-UNITS_LISTED)];
  return html`${chart({
    title: "Use of units, the most frequent first",
    id: `${number} usage`,
    across: "rank of the unit",
    value: "share of frames",
    size: "full",
    lines: [{ label: "share of the frames", points, tone: "accent" }],
  })}${fold(
    "Units",
    table({
      caption:
        listed.length < ranked.length
          ? `The ${UNITS_LISTED} most and least frequent of ${ranked.length}`
          : "All of them",
      columns: ["unit", "frames", "share"],
      rows: listed.map(({ unit, count }) => [`${unit}`, formatCount(count), percent(count / total)]),
    }),
  )}`;
}

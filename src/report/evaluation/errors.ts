// What a metric is made of: substitutions, deletions and insertions, or right and wrong answers; and all decodings.
import { formatCount, formatShare } from "../../log/format.ts";
import type { AccuracyReport } from "../../metrics/accuracy.ts";
import type { ErrorReport } from "../../metrics/error-rate.ts";
import type { EvaluationResult } from "../../superb/run/result.ts";
import { type Content, html, type Markup } from "../kit/markup.ts";
import { facts, notShown } from "../kit/pieces.ts";
import { table } from "../kit/table.ts";
import { cut, formatConfidence, formatInterval, formatPercent } from "../results/words.ts";

const MAX_DECODINGS = 50;

export function errorTable(report: ErrorReport, name: string): Markup {
  const { total, unit } = report;
  const kinds = ["correct", "substitutions", "deletions", "insertions"] as const;
  return html`<div class="columns">${[
    table({
      caption: `Of ${formatCount(total.reference)} ${unit}s of reference`,
      columns: ["", "count", "share"],
      rows: kinds.map((kind) => [kind, formatCount(total[kind]), formatShare(total[kind], total.reference)]),
    }),
    facts([
      [
        name,
        `${formatPercent(report.rate)}: ${formatCount(total.edits)} edits, the fewest that turn references into hypotheses`,
      ],
      [
        "sclite",
        `${formatPercent(report.scliteRate)}: ${formatCount(total.errors)} errors in the alignments that NIST's tool makes, which the counts and pictures here show`,
      ],
      [
        "Sentence errors",
        `${formatPercent(report.sentenceErrorRate)} of ${formatCount(report.utterances.length)} utterances hold an error`,
      ],
    ]),
  ]}</div>`;
}

export function answerFacts({ correct, total, classes }: AccuracyReport): Markup {
  const share = (count: number) => formatShare(count, total);
  return facts([
    ["Right", `${formatCount(correct)} of ${formatCount(total)} (${share(correct)})`],
    ["Wrong", `${formatCount(total - correct)} (${share(total - correct)})`],
    ["Classes", `${formatCount(classes.length)} occur in the test set or among the answers`],
  ]);
}

export function decodingTable({ decodings }: EvaluationResult): Content {
  const [{ metric }] = decodings;
  const shown = decodings.slice(0, MAX_DECODINGS);
  return [
    html`<h3 class="sub">Decodings</h3>`,
    table({
      caption: `The same head's output, decoded in ${decodings.length} ways`,
      columns: [
        "decoding",
        metric.name,
        `${formatConfidence(metric.confidence)} interval`,
        { title: "predictions", className: "wrap" },
      ],
      rows: shown.map(({ name, metric: value, predictions }, i) => ({
        className: i === 0 && "chosen",
        cells: [
          [cut(name), i === 0 && " (headline)"],
          formatPercent(value.value),
          formatInterval(value),
          html`<code>${cut(predictions)}</code>`,
        ],
      })),
    }),
    notShown(decodings.length - shown.length),
  ];
}

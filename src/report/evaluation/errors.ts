// What a metric is made of: substitutions, deletions and insertions, or right and wrong answers; and all decodings.
import { formatCount, formatShare } from "../../log/index.ts";
import type { ErrorReport } from "../../metrics/error-rate.ts";
import type { EvaluationResult } from "../../superb/run/result.ts";
import { fact, html, type Markup } from "../index.ts";
import type { Scoring } from "./rescore.ts";
import { cut, formatConfidence, formatInterval, formatPercent } from "./words.ts";

const MAX_DECODINGS = 50;

export function errorsSection(scoring: Scoring, result: EvaluationResult): Markup {
  return html`${scoring.kind === "errors" ? errorTable(scoring.report, result.metric.name) : answerFacts(scoring.report)}
    ${result.decodings.length > 1 && decodingTable(result)}`;
}

function errorTable(report: ErrorReport, name: string): Markup {
  const { total, unit } = report;
  const row = (label: string, count: number) =>
    html`<tr><th scope="row">${label}</th><td>${formatCount(count)}</td><td>${formatShare(count, total.reference)}</td></tr>`;
  return html`<div class="columns"><div class="scroll"><table><caption>Of ${formatCount(total.reference)} ${unit}s of reference</caption>
      <thead><tr><th scope="col"></th><th scope="col">count</th><th scope="col">share</th></tr></thead>
      <tbody>${row("correct", total.correct)}${row("substitutions", total.substitutions)}${row("deletions", total.deletions)}${row("insertions", total.insertions)}</tbody></table></div>
    <dl class="facts">
      ${fact(name, `${formatPercent(report.rate)}: ${formatCount(total.edits)} edits, the fewest that turn references into hypotheses`)}
      ${fact("sclite", `${formatPercent(report.scliteRate)}: ${formatCount(total.errors)} errors in the alignments that NIST's tool makes, which the counts and pictures here show`)}
      ${fact("Sentence errors", `${formatPercent(report.sentenceErrorRate)} of ${formatCount(report.utterances.length)} utterances hold an error`)}
    </dl></div>`;
}

function answerFacts({ correct, total, classes }: Extract<Scoring, { kind: "accuracy" }>["report"]): Markup {
  return html`<dl class="facts">
    ${fact("Right", `${formatCount(correct)} of ${formatCount(total)} (${formatShare(correct, total)})`)}
    ${fact("Wrong", `${formatCount(total - correct)} (${formatShare(total - correct, total)})`)}
    ${fact("Classes", `${formatCount(classes.length)} occur in the test set or among the answers`)}</dl>`;
}

function decodingTable({ decodings }: EvaluationResult): Markup {
  const rows = decodings.slice(0, MAX_DECODINGS).map(
    (
      { name, metric, predictions },
      i,
    ) => html`<tr class="${i === 0 ? "chosen" : ""}"><th scope="row">${cut(name)}${i === 0 && " (headline)"}</th>
      <td>${formatPercent(metric.value)}</td><td>${formatInterval(metric)}</td><td class="text"><code>${cut(predictions)}</code></td></tr>`,
  );
  const [{ metric }] = decodings;
  return html`<h3 class="sub">Decodings</h3><div class="scroll"><table><caption>The same head's output, decoded in ${decodings.length} ways</caption>
    <thead><tr><th scope="col">decoding</th><th scope="col">${metric.name}</th><th scope="col">${formatConfidence(metric.confidence)} interval</th><th scope="col" class="wrap">predictions</th></tr></thead>
    <tbody>${rows}</tbody></table></div>
    ${decodings.length > rows.length && html`<p class="note">${decodings.length - rows.length} more are not shown.</p>`}`;
}

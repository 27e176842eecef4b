// What was taken for what: tables of the most frequent errors, and a matrix where there are few enough classes.
import { formatCount, formatShare } from "../../log/index.ts";
import type { AccuracyReport } from "../../metrics/accuracy.ts";
import { type Confusion, confusionsOf, type ErrorReport } from "../../metrics/error-rate.ts";
import { html, type Markup } from "../index.ts";
import { MAX_CLASSES, matrix } from "./matrix.ts";
import type { Scoring } from "./rescore.ts";
import { cut } from "./words.ts";

const TOP = 15;
const MAX_TOKEN = 60;

/** Row and column of tokens that have no partner. */
const NOTHING = "∅";

export function confusionSection(scoring: Scoring): Markup {
  return scoring.kind === "errors" ? tokenConfusions(scoring.report) : classConfusions(scoring.report);
}

function tokenConfusions(report: ErrorReport): Markup {
  const all = confusionsOf(
    report.utterances.map(({ alignment }) => alignment),
    { withCorrect: true },
  );
  const wrong = all.filter(({ reference, hypothesis }) => reference !== hypothesis);
  if (wrong.length === 0) return html`<p class="lead">Nothing was taken for anything else.</p>`;
  const occurrences = new Map<string, number>();
  for (const { reference, count } of all) occurrences.set(reference, (occurrences.get(reference) ?? 0) + count);
  const isPair = ({ reference, hypothesis }: Confusion) => reference !== "" && hypothesis !== "";
  const table = (caption: string, rows: readonly Confusion[], share: boolean) =>
    tokenTable(caption, rows, share ? occurrences : undefined);
  return html`${tokenMatrix(all, report.unit)}<div class="columns">
    ${table("Substitutions", wrong.filter(isPair), true)}
    ${table(
      "Deletions",
      wrong.filter(({ hypothesis }) => hypothesis === ""),
      true,
    )}
    ${table(
      "Insertions",
      wrong.filter(({ reference }) => reference === ""),
      false,
    )}</div>
    <p class="note">Share: of all occurrences of the reference's ${report.unit}.</p>`;
}

function tokenTable(caption: string, rows: readonly Confusion[], occurrences?: ReadonlyMap<string, number>): Markup {
  if (rows.length === 0)
    return html`<div><table><caption>${caption}</caption><tbody><tr><td class="text">none</td></tr></tbody></table></div>`;
  const name = ({ reference, hypothesis }: Confusion) =>
    [reference, hypothesis]
      .filter((token) => token !== "")
      .map((token) => cut(token === " " ? "␣" : token, MAX_TOKEN))
      .join(" → ");
  const body = rows
    .slice(0, TOP)
    .map(
      (entry) =>
        html`<tr><th scope="row">${name(entry)}</th><td>${formatCount(entry.count)}</td>${
          occurrences && html`<td>${formatShare(entry.count, occurrences.get(entry.reference) ?? 0)}</td>`
        }</tr>`,
    );
  return html`<div><table><caption>${caption}</caption>
    <thead><tr><th scope="col">${rows.length > TOP ? `${TOP} of ${formatCount(rows.length)} kinds` : ""}</th><th scope="col">count</th>${occurrences && html`<th scope="col">share</th>`}</tr></thead>
    <tbody>${body}</tbody></table></div>`;
}

/** Only where the tokens are few: phones, characters. */
function tokenMatrix(all: readonly Confusion[], unit: string): Markup | false {
  const tokens = [...new Set(all.flatMap(({ reference, hypothesis }) => [reference, hypothesis]))]
    .filter((token) => token !== "")
    .sort();
  if (unit === "word" || tokens.length > MAX_CLASSES) return false;
  const names = [...tokens, NOTHING];
  const place = new Map(names.map((name, i) => [name, i]));
  const counts = names.map(() => new Array<number>(names.length).fill(0));
  for (const { reference, hypothesis, count } of all)
    counts[place.get(reference || NOTHING)!][place.get(hypothesis || NOTHING)!] += count;
  const last = tokens.length;
  return html`<p class="lead">References down, hypotheses across. Grey: right. The stronger the colour, the larger the share of the row (on a square root scale). The last column holds deletions; the last row insertions, coloured by their share of all insertions.</p>
    ${matrix({ title: `Confusion of ${unit}s`, rows: names, columns: names, counts, isRight: (row, column) => row === column && row !== last, isLastApart: true })}`;
}

function classConfusions(report: AccuracyReport): Markup {
  const { classes, confusion } = report;
  const pairs = classes
    .flatMap((reference, i) =>
      confusion[i].flatMap((count, j) =>
        count > 0 && i !== j ? [{ reference, hypothesis: classes[j], count, row: i }] : [],
      ),
    )
    .sort((a, b) => b.count - a.count);
  const sums = confusion.map((row) => row.reduce((sum, count) => sum + count, 0));
  const isSmall = classes.length <= MAX_CLASSES && classes.length > 1;
  return html`${
    isSmall
      ? html`<p class="lead">References down, answers across. Grey: right. The stronger the colour, the larger the share of the row (on a square root scale).</p>
        ${matrix({ title: "Confusion of classes", rows: classes, columns: classes, counts: confusion, isRight: (row, column) => row === column })}`
      : html`<p class="lead">${classes.length > 1 ? `${formatCount(classes.length)} classes are too many for a matrix.` : "There is only one class."}</p>`
  }
    <div class="columns">${pairTable(pairs, sums)}${recallTable(report, sums)}</div>`;
}

function pairTable(pairs: readonly (Confusion & { readonly row: number })[], sums: readonly number[]): Markup {
  if (pairs.length === 0) return html`<p class="note">Nothing was taken for anything else.</p>`;
  const rows = pairs
    .slice(0, TOP)
    .map(
      ({ reference, hypothesis, count, row }) =>
        html`<tr><th scope="row">${cut(reference, MAX_TOKEN)} → ${cut(hypothesis, MAX_TOKEN) || "nothing"}</th><td>${formatCount(count)}</td><td>${formatShare(count, sums[row])}</td></tr>`,
    );
  return html`<div><table><caption>Most confused</caption>
    <thead><tr><th scope="col">${pairs.length > TOP ? `${TOP} of ${formatCount(pairs.length)} pairs` : ""}</th><th scope="col">count</th><th scope="col">share</th></tr></thead><tbody>${rows}</tbody></table></div>`;
}

/** Classes that were found least often. */
function recallTable({ classes, recall, confusion }: AccuracyReport, sums: readonly number[]): Markup {
  const places = classes.map((_, i) => i).filter((i) => sums[i] > 0);
  const lowest = places.sort((a, b) => recall[a] - recall[b] || sums[b] - sums[a]).slice(0, TOP);
  const rows = lowest.map(
    (i) =>
      html`<tr><th scope="row">${cut(classes[i], MAX_TOKEN)}</th><td>${formatCount(confusion[i][i])} of ${formatCount(sums[i])}</td><td>${formatShare(confusion[i][i], sums[i])}</td></tr>`,
  );
  return html`<div><table><caption>Found least often</caption>
    <thead><tr><th scope="col">${places.length > TOP ? `${TOP} of ${formatCount(places.length)} classes` : "class"}</th><th scope="col">found</th><th scope="col">share</th></tr></thead><tbody>${rows}</tbody></table></div>`;
}

// What was taken for what: tables of the most frequent errors, and a matrix where there are few enough classes.
import { formatCount, formatShare } from "../../log/format.ts";
import type { AccuracyReport } from "../../metrics/accuracy.ts";
import { type Confusion, confusionsOf, type ErrorReport } from "../../metrics/error-rate.ts";
import { type Content, html, type Markup } from "../kit/markup.ts";
import { table } from "../kit/table.ts";
import { cut } from "../results/words.ts";
import { MAX_CLASSES, matrix } from "./matrix.ts";

const TOP = 15;
const MAX_TOKEN = 60;

/** Row and column of tokens that have no partner. */
const NOTHING = "∅";

/** The first of `rows`, and how many there are if not all are shown; `columns` after the name. */
function topTable<T>(
  { caption, columns, kinds, one = "" }: { caption: string; columns: string[]; kinds: string; one?: string },
  rows: readonly T[],
  cells: (row: T) => readonly Content[],
): Markup {
  return table({
    caption,
    columns: [rows.length > TOP ? `${TOP} of ${formatCount(rows.length)} ${kinds}` : one, ...columns],
    rows: rows.slice(0, TOP).map(cells),
  });
}

export function tokenConfusions({ utterances, unit }: ErrorReport): Markup {
  const all = confusionsOf(
    utterances.map(({ alignment }) => alignment),
    { withCorrect: true },
  );
  const wrong = all.filter(({ reference, hypothesis }) => reference !== hypothesis);
  if (wrong.length === 0) return html`<p class="lead">Nothing was taken for anything else.</p>`;
  const occurrences = new Map<string, number>();
  for (const { reference, count } of all) occurrences.set(reference, (occurrences.get(reference) ?? 0) + count);
  const list = (caption: string, rows: readonly Confusion[], hasShare = true) =>
    rows.length === 0
      ? table({ caption, columns: [], rows: [["none"]] })
      : topTable({ caption, columns: hasShare ? ["count", "share"] : ["count"], kinds: "kinds" }, rows, (row) => [
          nameOf(row),
          formatCount(row.count),
          ...(hasShare ? [formatShare(row.count, occurrences.get(row.reference) ?? 0)] : []),
        ]);
  const isDeletion = ({ hypothesis }: Confusion) => hypothesis === "";
  const isInsertion = ({ reference }: Confusion) => reference === "";
  return html`${tokenMatrix(all, unit)}<div class="columns">${[
    list(
      "Substitutions",
      wrong.filter((row) => !isDeletion(row) && !isInsertion(row)),
    ),
    list("Deletions", wrong.filter(isDeletion)),
    list("Insertions", wrong.filter(isInsertion), false),
  ]}</div><p class="note">Share: of all occurrences of the reference's ${unit}.</p>`;
}

const nameOf = ({ reference, hypothesis }: Confusion) =>
  [reference, hypothesis]
    .filter((token) => token !== "")
    .map((token) => cut(token === " " ? "␣" : token, MAX_TOKEN))
    .join(" → ");

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
  return html`<p class="lead">References down, hypotheses across. Grey: right. The stronger the colour, the larger the share of the row (on a square root scale). The last column holds deletions; the last row insertions, coloured by their share of all insertions.</p>
    ${matrix({ title: `Confusion of ${unit}s`, names, counts, isLastApart: true })}`;
}

export function classConfusions({ classes, confusion, recall }: AccuracyReport): Markup {
  const sums = confusion.map((row) => row.reduce((sum, count) => sum + count, 0));
  const pairs = classes
    .flatMap((_, i) => confusion[i].flatMap((count, j) => (count > 0 && i !== j ? [{ i, j, count }] : [])))
    .sort((a, b) => b.count - a.count);
  const found = classes.map((_, i) => i).filter((i) => sums[i] > 0);
  found.sort((a, b) => recall[a] - recall[b] || sums[b] - sums[a]);
  const name = (i: number) => cut(classes[i], MAX_TOKEN);
  const isSmall = classes.length <= MAX_CLASSES && classes.length > 1;
  return html`${
    isSmall
      ? html`<p class="lead">References down, answers across. Grey: right. The stronger the colour, the larger the share of the row (on a square root scale).</p>
        ${matrix({ title: "Confusion of classes", names: classes, counts: confusion })}`
      : html`<p class="lead">${classes.length > 1 ? `${formatCount(classes.length)} classes are too many for a matrix.` : "There is only one class."}</p>`
  }<div class="columns">${[
    pairs.length === 0
      ? html`<p class="note">Nothing was taken for anything else.</p>`
      : topTable(
          { caption: "Most confused", columns: ["count", "share"], kinds: "pairs" },
          pairs,
          ({ i, j, count }) => [
            `${name(i)} → ${name(j) || "nothing"}`,
            formatCount(count),
            formatShare(count, sums[i]),
          ],
        ),
    topTable(
      { caption: "Found least often", columns: ["found", "share"], kinds: "classes", one: "class" },
      found,
      (i) => [
        name(i),
        `${formatCount(confusion[i][i])} of ${formatCount(sums[i])}`,
        formatShare(confusion[i][i], sums[i]),
      ],
    ),
  ]}</div>`;
}

// What was chosen by comparing scores and on which split, and the folds that a result is the mean of.
import { formatCount } from "../../log/format.ts";
import type { EvaluationResult } from "../../superb/run/result.ts";
import type { Content } from "../kit/markup.ts";
import { html } from "../kit/markup.ts";
import { notShown } from "../kit/pieces.ts";
import { table } from "../kit/table.ts";
import { cut, formatPercent } from "../results/words.ts";

const MAX_ROWS = 100;

export function choicesPart({ choices, protocol }: EvaluationResult): Content {
  if (choices.length === 0) return undefined;
  const onTest = choices.some(({ on }) => on === "test");
  const lead = onTest
    ? `Some of it was chosen on test data, as the benchmark does (protocol ${protocol}): the figure is better than it would be on new data.`
    : "Nothing was chosen on test data.";
  return [
    html`<h3 class="sub">Choices</h3><p class="lead">${lead}</p>`,
    table({
      columns: ["what", { title: "chosen", className: "wrap" }, "among", "on", "dev would choose"],
      rows: choices
        .slice(0, MAX_ROWS)
        .map(({ what, chosen, among, on, onDev = on === "dev" ? "the same" : "—" }) => [
          cut(what),
          cut(chosen),
          formatCount(among),
          on,
          cut(onDev),
        ]),
    }),
    notShown(choices.length - MAX_ROWS),
  ];
}

/** Each fold's own figures; undefined where the corpus is tested as a whole. */
export function foldsPart({ folds, metric }: EvaluationResult): Content {
  if (folds.length === 0) return undefined;
  const count = (split: { readonly utterances: number }) => formatCount(split.utterances);
  return [
    html`<h3 class="sub">Folds</h3><p class="lead">${
      folds.length === 1
        ? "One fold alone, not the mean that is the benchmark's result."
        : `The result is the mean of ${folds.length} folds, each with a head of its own; its interval is of draws within every fold.`
    }</p>`,
    table({
      columns: ["fold", metric.name, "dev", "train", "dev utterances", "test", { title: "test is", className: "wrap" }],
      rows: folds
        .slice(0, MAX_ROWS)
        .map(({ name, value, dev, train, devSplit, test }) => [
          cut(name),
          formatPercent(value),
          dev === null ? "—" : formatPercent(dev),
          count(train),
          count(devSplit),
          count(test),
          cut(test.source, 300),
        ]),
    }),
    notShown(folds.length - MAX_ROWS, "folds"),
  ];
}

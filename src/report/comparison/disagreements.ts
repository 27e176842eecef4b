// The utterances on which runs differ most: what each run made of them, and the recording.
import { formatCount } from "../../log/format.ts";
import type { Prediction } from "../../metrics/predictions.ts";
import { alignedTokens, legend } from "../evaluation/aligned.ts";
import { type Playing, utteranceCards } from "../evaluation/cards.ts";
import { html, type Markup } from "../kit/markup.ts";
import type { LabelledRun } from "../results/pairs.ts";
import { cut } from "../results/words.ts";

const SHOWN = 5;
const MAX_RUNS = 8;
/** Enough for half a minute of phones. */
const MAX_PAIRS = 400;
const MAX_NAME = 80;

/** Errors of each run on one utterance, in the order of the runs. */
interface Disagreement {
  readonly row: Prediction;
  readonly errors: readonly number[];
}

const errorsById = ({ scoring, evaluation }: LabelledRun): Map<string, number> =>
  scoring.kind === "errors"
    ? new Map(scoring.report.utterances.map(({ id, edits }) => [id, edits]))
    : new Map(evaluation.test.map(({ id, reference, hypothesis }) => [id, reference === hypothesis ? 0 : 1]));

const spread = ({ errors }: Disagreement) =>
  errors.reduce((a, b) => Math.max(a, b), 0) - errors.reduce((a, b) => Math.min(a, b));

/** How evenly right and wrong are split; 0 where all runs agree. */
const split = ({ errors }: Disagreement) => {
  const wrong = errors.filter((count) => count > 0).length;
  return Math.min(wrong, errors.length - wrong);
};

/** Widest spread of errors first (for answers: most evenly split); none on which all runs agree. `runs` share a test set. */
function disagreements(runs: readonly LabelledRun[]): Disagreement[] {
  const errors = runs.map(errorsById);
  const measure = runs[0].scoring.kind === "errors" ? spread : split;
  return runs[0].evaluation.test
    .map((row): Disagreement => ({ row, errors: errors.map((byId) => byId.get(row.id)!) }))
    .filter((entry) => measure(entry) > 0)
    .sort((a, b) => measure(b) - measure(a) || (a.row.id < b.row.id ? -1 : 1))
    .slice(0, SHOWN);
}

/** `budget`: characters of recordings that this part of the page may hold. */
export function disagreementList(runs: readonly LabelledRun[], budget: number): Playing {
  const { scoring, evaluation } = runs[0];
  const isNarrow = scoring.kind !== "errors";
  const { root } = evaluation.result.data;
  const head = [html`<h3 class="sub">Utterances on which they differ most</h3>`, !isNarrow && legend()];
  const entries = disagreements(runs);
  if (entries.length === 0) {
    const none = html`<p class="note">The runs made the same errors on every utterance.</p>`;
    return { content: [head, none], plays: false };
  }
  const shown = runs.slice(0, MAX_RUNS);
  const rows = entries.map(({ row }) => row);
  const { content, plays } = utteranceCards(rows, { root, budget, isNarrow }, ({ id, reference }, i) => ({
    content: [
      isNarrow && html`<dl class="answers"><dt>right is</dt><dd>${cut(reference)}</dd></dl>`,
      shown.map((run, n) => attempt(run, id, entries[i].errors[n])),
    ],
  }));
  const isCut = runs.length > shown.length;
  const rest = isCut && html`<p class="note">Only the best ${MAX_RUNS} of ${runs.length} runs are shown.</p>`;
  return { content: [head, content, rest], plays };
}

function attempt({ label, scoring, evaluation }: LabelledRun, id: string, errors: number): Markup {
  if (scoring.kind === "errors") {
    const { alignment } = scoring.report.utterances.find((utterance) => utterance.id === id)!;
    return html`<p class="attempt">${cut(label, MAX_NAME)} <small>${formatCount(errors)} ${errors === 1 ? "edit" : "edits"}</small></p>${alignedTokens(alignment, MAX_PAIRS)}`;
  }
  const { hypothesis } = evaluation.test.find((row) => row.id === id)!;
  return html`<dl class="answers"><dt>${cut(label, MAX_NAME)}</dt><dd class="${errors > 0 ? "wrong" : ""}">${cut(hypothesis) || "nothing"} ${errors > 0 ? "✗" : "✓"}</dd></dl>`;
}

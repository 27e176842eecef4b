// The utterances that went worst, aligned, and the answers that were wrong, to be listened to.
import { formatCount, formatShare } from "../../log/format.ts";
import type { ErrorReport, UtteranceErrors } from "../../metrics/error-rate.ts";
import type { Prediction } from "../../metrics/predictions.ts";
import { html, type Markup } from "../kit/markup.ts";
import { groupBy } from "../results/group.ts";
import type { Evaluation } from "../results/read.ts";
import { cut } from "../results/words.ts";
import { alignedTokens, legend } from "./aligned.ts";
import { type Playing, utteranceCards } from "./cards.ts";

const SHOWN = 10;

const rateOf = ({ edits, reference }: UtteranceErrors) => edits / reference;

/** Most edits first, then the highest rate; none without an error. */
function worstUtterances({ utterances }: ErrorReport): UtteranceErrors[] {
  return utterances
    .filter(({ edits }) => edits > 0)
    .sort((a, b) => b.edits - a.edits || rateOf(b) - rateOf(a) || (a.id < b.id ? -1 : 1))
    .slice(0, SHOWN);
}

/** Wrong answers: one of each confusion, the most frequent first, then further ones. */
function wrongAnswers(predictions: readonly Prediction[]): Prediction[] {
  const wrong = predictions.filter(({ reference, hypothesis }) => reference !== hypothesis);
  const groups = groupBy(wrong, ({ reference, hypothesis }) => JSON.stringify([reference, hypothesis]));
  const ordered = groups.sort((a, b) => b.length - a.length);
  return [...ordered.map(([first]) => first), ...ordered.flatMap(([, ...others]) => others)].slice(0, SHOWN);
}

const lead = (text: string): Markup => html`<p class="lead">${text}</p>`;

export function worstCards({ test, result }: Evaluation, report: ErrorReport): Playing {
  const worst = worstUtterances(report);
  if (worst.length === 0) {
    const count = formatCount(report.utterances.length);
    return { content: lead(`None of the ${count} utterances has an error.`), plays: false };
  }
  const byId = new Map(test.map((row) => [row.id, row]));
  const rows = worst.map(({ id }) => byId.get(id)!);
  const cards = utteranceCards(rows, result.data, ({ id }, i) => {
    const { edits, reference, alignment } = worst[i];
    const share = reference > 0 && ` (${formatShare(edits, reference)})`;
    const counts = html`${formatCount(edits)} edits for ${formatCount(reference)} ${report.unit}s${share}`;
    return { name: html`${cut(id)} <small>${counts}</small>`, content: alignedTokens(alignment) };
  });
  const order = lead("Those with the most edits, then the highest rate.");
  return { content: [order, legend(), cards.content], plays: cards.plays };
}

export function wrongCards({ test, result }: Evaluation): Playing {
  const wrong = wrongAnswers(test);
  if (wrong.length === 0) return { content: lead(`All ${formatCount(test.length)} answers are right.`), plays: false };
  const total = formatCount(test.filter(({ reference, hypothesis }) => reference !== hypothesis).length);
  const cards = utteranceCards(wrong, { root: result.data.root, isNarrow: true }, ({ reference, hypothesis }) => ({
    content: html`<dl class="answers"><dt>right is</dt><dd>${cut(reference)}</dd><dt>answered</dt><dd class="wrong">${cut(hypothesis) || "nothing"}</dd></dl>`,
  }));
  const order = lead(`${wrong.length} of ${total}: one of each confusion, the most frequent first.`);
  return { content: [order, cards.content], plays: cards.plays };
}

// Slots in a report: F1 and errors of each, and the utterances whose values went worst, to be listened to.
import { formatCount, formatShare } from "../../log/format.ts";
import type { SlotReport } from "../../metrics/slots.ts";
import { html, type Markup } from "../kit/markup.ts";
import { notShown } from "../kit/pieces.ts";
import { table } from "../kit/table.ts";
import type { Evaluation } from "../results/read.ts";
import { cut, formatFigure, formatPercent } from "../results/words.ts";
import { type Playing, utteranceCards } from "./cards.ts";

const SHOWN = 10;
const MAX_SLOTS = 100;

export function slotTable({ slots, edits, characters, utterances }: SlotReport): Markup {
  const right = utterances.filter(({ f1 }) => f1 === 1).length;
  return html`<p class="lead">${formatCount(edits)} edits for the ${formatCount(characters)} characters of the values; ${formatShare(right, utterances.length)} of the utterances have just the slots they should.</p>
    ${table({
      caption: "Each slot: F1 of finding the utterances that have it, and edits over the characters of its values",
      className: "named",
      columns: ["slot", "in references", "in answers", "in both", "F1", "CER"],
      rows: slots
        .slice(0, MAX_SLOTS)
        .map(({ name, references, hypotheses, found, f1, cer }) => [
          cut(name, 60) || "(no name)",
          formatCount(references),
          formatCount(hypotheses),
          formatCount(found),
          formatFigure(f1),
          formatFigure(cer),
        ]),
    })}${notShown(slots.length - MAX_SLOTS, "slots")}`;
}

export function worstSlots({ test, result }: Evaluation, report: SlotReport): Playing {
  const rows = new Map(test.map((row) => [row.id, row]));
  const worst = report.utterances
    .filter(({ edits, f1 }) => edits > 0 || f1 < 1)
    .sort((a, b) => b.edits - a.edits || a.f1 - b.f1 || (a.id < b.id ? -1 : 1))
    .slice(0, SHOWN);
  if (worst.length === 0)
    return { content: html`<p class="lead">Every slot and every value is right.</p>`, plays: false };
  const shown = worst.map(({ id }) => rows.get(id)!);
  const cards = utteranceCards(
    shown,
    { root: result.data.root, isNarrow: true },
    ({ id, reference, hypothesis }, i) => {
      const { edits, characters, f1 } = worst[i];
      return {
        name: html`${cut(id)} <small>${formatCount(edits)} edits for ${formatCount(characters)} characters, F1 ${formatPercent(100 * f1)}</small>`,
        content: html`<dl class="answers"><dt>right is</dt><dd>${cut(reference, 1000)}</dd><dt>answered</dt><dd class="wrong">${cut(hypothesis, 1000) || "nothing"}</dd></dl>`,
      };
    },
  );
  const order = html`<p class="lead">Those whose values need most edits first.</p>`;
  return { content: [order, cards.content], plays: cards.plays };
}

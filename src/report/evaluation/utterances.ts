// The utterances that went worst, aligned and to be listened to: errors told apart by frame, letter and colour.
import { formatCount, formatShare } from "../../log/format.ts";
import type { AlignedPair, Alignment, EditKind } from "../../metrics/align.ts";
import type { ErrorReport, UtteranceErrors } from "../../metrics/error-rate.ts";
import type { Prediction } from "../../metrics/predictions.ts";
import { type Content, html, type Markup } from "../kit/markup.ts";
import { cut } from "../results/words.ts";
import type { Recording } from "./recordings.ts";

const WORST = 10;
const MAX_PAIRS = 600;
const MAX_TOKEN = 60;

const MARKS: Readonly<Record<EditKind, string>> = { correct: "", substitution: "S", deletion: "D", insertion: "I" };

const rateOf = ({ edits, reference }: UtteranceErrors) => edits / reference;

/** Most edits first, then the highest rate; none without an error. */
export function worstUtterances({ utterances }: ErrorReport, limit = WORST): UtteranceErrors[] {
  return utterances
    .filter(({ edits }) => edits > 0)
    .sort((a, b) => b.edits - a.edits || rateOf(b) - rateOf(a) || (a.id < b.id ? -1 : 1))
    .slice(0, limit);
}

/** Wrong answers: one of each confusion, the most frequent first, then further ones. */
export function wrongAnswers(predictions: readonly Prediction[], limit = WORST): Prediction[] {
  const groups = new Map<string, Prediction[]>();
  for (const row of predictions) {
    if (row.reference === row.hypothesis) continue;
    const key = JSON.stringify([row.reference, row.hypothesis]);
    const group = groups.get(key);
    if (group) group.push(row);
    else groups.set(key, [row]);
  }
  const ordered = [...groups.values()].sort((a, b) => b.length - a.length);
  return [...ordered.map(([first]) => first), ...ordered.flatMap(([, ...others]) => others)].slice(0, limit);
}

export const legend =
  (): Markup => html`<ul class="aligned legend"><li class="words">upper line: reference; lower line: hypothesis</li>
  ${pairItem({ kind: "substitution", reference: "this", hypothesis: "that" }, "substitution")}
  ${pairItem({ kind: "deletion", reference: "lost" }, "deletion")}
  ${pairItem({ kind: "insertion", hypothesis: "new" }, "insertion")}</ul>`;

function pairItem({ kind, reference, hypothesis }: AlignedPair, mark: string = MARKS[kind]): Markup {
  const shown = (token: string) => (token === " " ? "␣" : cut(token, MAX_TOKEN));
  const side = (token: string | undefined, name: string) =>
    token === undefined ? html`<span class="gap">–</span>` : html`<span class="${name}">${shown(token)}</span>`;
  return html`<li class="${kind}">${side(reference, "ref")}${side(hypothesis, "hyp")}<b>${mark}</b></li>`;
}

export function alignedTokens({ pairs }: Pick<Alignment, "pairs">, limit = MAX_PAIRS): Markup {
  return html`<ol class="aligned">${pairs.slice(0, limit).map((pair) => pairItem(pair))}</ol>
    ${pairs.length > limit && html`<p class="note">Cut after ${limit} of ${formatCount(pairs.length)} places.</p>`}`;
}

/** A player, or why there is none. */
function player(id: string, recordings: ReadonlyMap<string, Recording>): Markup {
  const recording = recordings.get(id) ?? { reason: "it was not looked for" };
  if ("reason" in recording) return html`<p class="note">No recording: ${recording.reason}.</p>`;
  return html`<audio controls preload="metadata" aria-label="recording of ${cut(id)}" src="${recording.uri}"></audio>`;
}

/** One utterance or answer: its name, its recording, and what was made of it. */
export const utteranceItem = (
  name: Content,
  id: string,
  recordings: ReadonlyMap<string, Recording>,
  content: Content,
) => html`<li class="card"><h3>${name}</h3>${player(id, recordings)}${content}</li>`;

export function worstSection(
  worst: readonly UtteranceErrors[],
  { unit, utterances }: ErrorReport,
  recordings: ReadonlyMap<string, Recording>,
): Markup {
  if (worst.length === 0)
    return html`<p class="lead">None of the ${formatCount(utterances.length)} utterances has an error.</p>`;
  const items = worst.map(({ id, edits, reference, alignment }) => {
    const share = reference > 0 && ` (${formatShare(edits, reference)})`;
    const name = html`${cut(id)} <small>${formatCount(edits)} edits for ${formatCount(reference)} ${unit}s${share}</small>`;
    return utteranceItem(name, id, recordings, alignedTokens(alignment));
  });
  return html`<p class="lead">Those with the most edits, then the highest rate.</p>${legend()}<ol class="utterances">${items}</ol>`;
}

export function wrongSection(
  wrong: readonly Prediction[],
  predictions: readonly Prediction[],
  recordings: ReadonlyMap<string, Recording>,
): Markup {
  if (wrong.length === 0) return html`<p class="lead">All ${formatCount(predictions.length)} answers are right.</p>`;
  const total = predictions.filter(({ reference, hypothesis }) => reference !== hypothesis).length;
  const items = wrong.map(({ id, reference, hypothesis }) =>
    utteranceItem(
      cut(id),
      id,
      recordings,
      html`<dl class="answers"><dt>right is</dt><dd>${cut(reference)}</dd><dt>answered</dt><dd class="wrong">${cut(hypothesis) || "nothing"}</dd></dl>`,
    ),
  );
  return html`<p class="lead">${wrong.length} of ${formatCount(total)}: one of each confusion, the most frequent first.</p>
    <ol class="utterances two">${items}</ol>`;
}

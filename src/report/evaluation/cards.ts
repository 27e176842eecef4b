// Utterances as cards that can be listened to.
import type { Prediction } from "../../metrics/predictions.ts";
import { type Content, html, type Markup } from "../kit/markup.ts";
import { cut } from "../results/words.ts";
import { embedRecordings, type Recording } from "./recordings.ts";

/** A part of a page, and whether it plays recordings. */
export interface Playing {
  readonly content: Content;
  readonly plays: boolean;
}

export interface CardOptions {
  /** Of the corpus: recordings may be named relative to it. */
  readonly root: string;
  /** Characters of recordings that the cards may hold. */
  readonly budget?: number;
  /** Two cards side by side where there is room. Default false. */
  readonly isNarrow?: boolean;
}

/** A card a row, with its recording between its name and what `card` says of it. */
export function utteranceCards(
  rows: readonly Prediction[],
  { root, budget, isNarrow }: CardOptions,
  card: (row: Prediction, i: number) => { readonly name?: Content; readonly content: Content },
): Playing {
  const recordings = embedRecordings(rows, root, budget);
  const items = rows.map((row, i) => {
    const { name = cut(row.id), content } = card(row, i);
    return html`<li class="card"><h3>${name}</h3>${player(row.id, recordings[i])}${content}</li>`;
  });
  return {
    content: html`<ol class="utterances${isNarrow && " two"}">${items}</ol>`,
    plays: recordings.some((recording) => "uri" in recording),
  };
}

/** A player, or why there is none. */
function player(id: string, recording: Recording): Markup {
  if ("reason" in recording) return html`<p class="note">No recording: ${recording.reason}.</p>`;
  return html`<audio controls preload="metadata" aria-label="recording of ${cut(id)}" src="${recording.uri}"></audio>`;
}

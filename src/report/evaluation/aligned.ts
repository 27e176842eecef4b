// Alignments: reference above hypothesis, errors told apart by frame, letter and colour.
import { formatCount } from "../../log/format.ts";
import type { AlignedPair, Alignment, EditKind } from "../../metrics/align.ts";
import { html, type Markup } from "../kit/markup.ts";
import { cut } from "../results/words.ts";

const MAX_PAIRS = 600;
const MAX_TOKEN = 60;

const MARKS: Readonly<Record<EditKind, string>> = { correct: "", substitution: "S", deletion: "D", insertion: "I" };

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

// A model's attention maps as a page: how alike its layers are, and what reuse would lose.
import { formatDuration } from "../../log/format.ts";
import type { MapsResult, ReuseChoice } from "../../maps/measure.ts";
import { chart } from "../kit/chart.ts";
import { html, type Markup, svgText } from "../kit/markup.ts";
import { writePage } from "../kit/page.ts";
import { fold, section } from "../kit/pieces.ts";
import { table } from "../kit/table.ts";

export interface MapsPage {
  readonly model: string;
  readonly data: string;
  readonly result: MapsResult;
  readonly chosen: ReuseChoice;
}

const CELL = 26;
const MARGIN = 30;

/** Squares whose darkness is the value, 0 to 1, each named for who points at it. */
function heat(key: string, title: string, rows: readonly (readonly number[])[]): Markup {
  const size = MARGIN + CELL * rows.length;
  const { attributes, head } = svgText(key, title, `${rows.length} layers against ${rows.length}`);
  const label = (i: number, x: number, y: number) =>
    html`<text x="${x}" y="${y}" text-anchor="middle" font-size="11" fill="var(--muted)">${i}</text>`;
  const squares = rows.map((row, a) =>
    row.map((value, b) => {
      const [x, y] = [MARGIN + b * CELL, MARGIN + a * CELL];
      return html`<rect x="${x}" y="${y}" width="${CELL - 1}" height="${CELL - 1}" fill="var(--accent)" fill-opacity="${Math.min(1, Math.max(0, value)).toFixed(3)}"><title>${a} and ${b}: ${value.toFixed(3)}</title></rect>`;
    }),
  );
  const names = rows.map((_, i) => [
    label(i, MARGIN + (i + 0.5) * CELL, MARGIN - 8),
    label(i, MARGIN - 14, MARGIN + (i + 0.65) * CELL),
  ]);
  return html`<figure><figcaption>${title}</figcaption><svg viewBox="0 0 ${size} ${size}" width="${size}" height="${size}" ${attributes}>${head}${names}${squares}</svg>
    ${fold("Numbers", numbers(title, rows))}</figure>`;
}

const numbers = (caption: string, rows: readonly (readonly number[])[]): Markup =>
  table({
    caption,
    columns: ["layer", ...rows.map((_, i) => String(i))],
    rows: rows.map((row, i) => [i, ...row.map((value) => value.toFixed(3))]),
  });

const list = (of: readonly number[]): string => `[${of.join(", ")}]`;

/** The page as one string. */
export function writeMapsPage({ model, data, result, chosen }: MapsPage): string {
  const { jensenShannon, totalVariation, cka, reuse, every, groups } = result;
  const best = chosen.any ?? chosen.blocks;
  const points = (of: (choice: ReuseChoice) => number | undefined) =>
    reuse.map((choice) => ({ step: choice.computing, value: of(choice) ?? Number.NaN }));
  return writePage({
    title: `Attention maps of ${model}`,
    kind: "Stillwave attention maps",
    lead: `${result.utterances} utterances of ${data}, ${formatDuration(result.seconds)}; the attention of ${result.queries} frames in ${result.layers} layers of ${result.heads} heads.`,
    sections: [
      section("alike", "How alike layers are", [
        html`<p class="lead">Heads of two layers are matched one to one so that the divergence is least. 0 is one and the same map.</p>`,
        html`<div class="grid">${heat("jensen shannon", "Jensen-Shannon divergence of maps, bits", jensenShannon)}${heat("variation", "Total variation of maps", totalVariation)}${heat("cka", "Linear CKA of outputs", cka)}</div>`,
      ]),
      section("reuse", "What reuse loses", [
        html`<p class="lead">The sum of the divergences between each layer's map and the one that it takes over, for the best pattern of so many computing layers.</p>`,
        chart({
          title: "Loss of the best pattern, bits",
          across: "step",
          dots: true,
          lines: [
            { label: "maps of any layer before", points: points(({ any }) => any?.loss), tone: "accent" },
            { label: "maps of the last that computes", points: points(({ blocks }) => blocks.loss), tone: "soft" },
          ],
        }),
        table({
          columns: ["computing", "loss", { title: "pattern", className: "text" }],
          rows: [
            ...reuse.map(({ computing, blocks, any }) => {
              const one = any ?? blocks;
              return [computing, one.loss.toFixed(3), list(one.attentionFrom)];
            }),
            ...every.map((pattern, i) => [`every ${i + 2}`, pattern.loss.toFixed(3), list(pattern.attentionFrom)]),
          ],
        }),
        html`<pre><code>attentionFrom: ${list(best.attentionFrom)}\ngroups: [${groups.map(list).join(", ")}]</code></pre>`,
      ]),
    ],
  });
}

// A model's attention maps as a page: how alike its layers are, and what reuse would lose.
import { formatDuration } from "../../log/format.ts";
import type { MapsResult, ReuseChoice } from "../../maps/measure.ts";
import { chart } from "../kit/chart.ts";
import { heat } from "../kit/heat.ts";
import { html } from "../kit/markup.ts";
import { writePage } from "../kit/page.ts";
import { section } from "../kit/pieces.ts";
import { table } from "../kit/table.ts";

export interface MapsPage {
  readonly model: string;
  readonly data: string;
  readonly result: MapsResult;
  readonly chosen: ReuseChoice;
}

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
        html`<p class="lead">Heads of two layers are matched one to one so that the divergence is least. 0 is one and the same map; of outputs, 1 is the most alike. The bar above each picture says what its colours are: they span the values between two layers, and a layer against itself is beyond them.</p>`,
        html`<div class="grid">${[
          heat({ title: "Jensen-Shannon divergence of maps (bits)", of: "layer", rows: jensenShannon }),
          heat({ title: "Total variation of maps", of: "layer", rows: totalVariation }),
          heat({ title: "Linear CKA of outputs", of: "layer", rows: cka }),
        ]}</div>`,
      ]),
      section("reuse", "What reuse loses", [
        html`<p class="lead">The sum of the divergences between each layer's map and the one that it takes over, for the best pattern of so many computing layers.</p>`,
        chart({
          title: "Loss of the best pattern",
          value: "sum of divergences (bits)",
          across: "computing layers",
          size: "full",
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
        html`<pre tabindex="0" role="region" aria-label="Lines for a recipe"><code>attentionFrom: ${list(best.attentionFrom)}\ngroups: [${groups.map(list).join(", ")}]</code></pre>`,
      ]),
    ],
  });
}

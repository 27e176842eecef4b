// The weights with which a head mixes the hidden states: a bar a layer with its name and number.
import { formatNumber } from "../../log/format.ts";
import type { EvaluationResult } from "../../superb/run/result.ts";
import { type Content, html } from "../kit/markup.ts";
import { notices, notShown } from "../kit/pieces.ts";
import { table } from "../kit/table.ts";
import { cut } from "../results/words.ts";

const MAX_LAYERS = 200;

/** Place of the largest finite weight; -1 where there is none. */
export function heaviest(weights: readonly number[]): number {
  return weights.reduce((best, weight, i) => (Number.isFinite(weight) && !(weight <= weights[best]) ? i : best), -1);
}

export function layerWeights({ upstream, layerWeights: weights }: EvaluationResult): Content {
  const most = heaviest(weights);
  const top = most < 0 ? 1 : Math.max(weights[most], 1e-12);
  const shown = weights.slice(0, MAX_LAYERS);
  const broken = weights.filter((weight) => !Number.isFinite(weight)).length;
  const lead =
    weights.length === 1
      ? "There is one hidden state, so there is nothing to weigh."
      : `The head reads a weighted sum of ${weights.length} hidden states. Weights sum to 1; equal ones would be ${formatNumber(1 / weights.length)} each.`;
  return [
    html`<p class="lead">${lead}</p>`,
    notices([broken > 0 && `${broken} of the weights are not finite: the training of this head diverged.`]),
    table({
      caption: "Softmax of the learned weights",
      className: "bars",
      columns: ["hidden state", "weight", { className: "bar" }],
      rows: shown.map((weight, i) => {
        const isNumber = Number.isFinite(weight);
        const share = isNumber ? Math.max(0, Math.min(100, (100 * weight) / top)) : 0;
        const bar = html`<i style="width:${share.toFixed(1)}%"></i>`;
        const name = cut(upstream.layers[i] ?? `state ${i}`, 60);
        return { className: i === most && "most", cells: [name, isNumber ? weight.toFixed(4) : "not finite", bar] };
      }),
    }),
    notShown(weights.length - shown.length),
  ];
}

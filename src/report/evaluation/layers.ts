// The weights with which a head mixes the hidden states: a bar a layer with its name and number.
import { formatNumber } from "../../log/index.ts";
import type { EvaluationResult } from "../../superb/run/result.ts";
import { html, type Markup } from "../index.ts";
import { cut } from "./words.ts";

const MAX_LAYERS = 200;

/** Place of the largest finite weight; -1 where there is none. */
export function heaviest(weights: readonly number[]): number {
  return weights.reduce((best, weight, i) => (Number.isFinite(weight) && !(weight <= weights[best]) ? i : best), -1);
}

export function layerWeights({ upstream, layerWeights: weights }: EvaluationResult): Markup {
  const most = heaviest(weights);
  const top = most < 0 ? 1 : Math.max(weights[most], 1e-12);
  const rows = weights.slice(0, MAX_LAYERS).map((weight, i) => {
    const share = Number.isFinite(weight) ? Math.max(0, Math.min(100, (100 * weight) / top)) : 0;
    return html`<tr class="${i === most ? "most" : ""}"><th scope="row">${cut(upstream.layers[i] ?? `state ${i}`, 60)}</th>
      <td>${Number.isFinite(weight) ? weight.toFixed(4) : "not finite"}</td><td class="bar" aria-hidden="true"><i style="width:${share.toFixed(1)}%"></i></td></tr>`;
  });
  const broken = weights.filter((weight) => !Number.isFinite(weight)).length;
  return html`<p class="lead">${
    weights.length === 1
      ? "There is one hidden state, so there is nothing to weigh."
      : `The head reads a weighted sum of ${weights.length} hidden states. Weights sum to 1; equal ones would be ${formatNumber(1 / weights.length)} each.`
  }</p>
    ${broken > 0 && html`<p class="notice">${broken} of the weights are not finite: the training of this head diverged.</p>`}
    <div class="scroll"><table class="bars"><caption>Softmax of the learned weights</caption>
      <thead><tr><th scope="col">hidden state</th><th scope="col">weight</th><td></td></tr></thead>
      <tbody>${rows}</tbody></table></div>
    ${weights.length > rows.length && html`<p class="note">${weights.length - rows.length} more are not shown.</p>`}`;
}

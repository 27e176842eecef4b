// Attention maps of teacher and student as small pictures, side by side, layer by layer.
import { StillwaveError } from "../../errors.ts";
import { type Content, html, type Markup } from "../kit/markup.ts";
import { encodePng } from "../kit/png.ts";
import type { AttentionComparison, AttentionLayer } from "./report.types.ts";

/** Reads well on a white and on a black page. */
const COLOUR = [23, 150, 140] as const;
/** All pictures together have at most this many pixels, which bounds the size of the page. */
const PIXEL_BUDGET = 1_000_000;
const MAX_LAYERS = 48;
const SINGLE_HEADS = 3;

/** Mean of `maps` [heads, frames, frames] over `heads` (indices), shrunk by area averaging to [size, size]. Not finite counts as 0. */
export function shrinkMap(layer: AttentionLayer, heads: readonly number[], size: number): Float32Array {
  const { frames, map } = layer;
  const side = Math.min(size, frames);
  const out = new Float32Array(side * side);
  const edge = (i: number) => Math.floor((i * frames) / side);
  for (let y = 0; y < side; y++) {
    for (let x = 0; x < side; x++) {
      let sum = 0;
      for (const head of heads)
        for (let query = edge(y); query < edge(y + 1); query++)
          for (let key = edge(x); key < edge(x + 1); key++) {
            const value = map[(head * frames + query) * frames + key];
            if (Number.isFinite(value)) sum += value;
          }
      out[y * side + x] = sum / (heads.length * (edge(y + 1) - edge(y)) * (edge(x + 1) - edge(x)));
    }
  }
  return out;
}

/** Opacities: square root, so that faint attention shows too, of the value over the 99.5th percentile of this map. */
export function mapLevels(values: Float32Array): Uint8Array {
  const sorted = Float32Array.from(values).sort();
  const top = sorted[Math.floor(0.995 * (sorted.length - 1))] || sorted.at(-1)! || 1;
  return Uint8Array.from(values, (value) => Math.round(255 * Math.sqrt(Math.min(1, Math.max(0, value / top)))));
}

/** Mean over the rows of the entropy in nats, for each head: 0 looks at one frame, ln(frames) at all alike. */
export function headEntropies(layer: AttentionLayer): number[] {
  const { heads, frames, map } = layer;
  return Array.from({ length: heads }, (_, head) => {
    let entropy = 0;
    for (let i = head * frames * frames; i < (head + 1) * frames * frames; i++) {
      const value = map[i];
      if (value > 0) entropy -= value * Math.log(value);
    }
    return entropy / frames;
  });
}

/** The most peaked head, a middling one and the broadest, without repetition. */
function tellingHeads(entropies: readonly number[]): number[] {
  const order = entropies.map((_, head) => head).sort((a, b) => entropies[a] - entropies[b]);
  const picks = [0, Math.floor((order.length - 1) / 2), order.length - 1].slice(0, SINGLE_HEADS);
  return [...new Set(picks.map((i) => order[i]))];
}

function check(model: string, layer: AttentionLayer): void {
  const expected = layer.heads * layer.frames * layer.frames;
  if (layer.heads < 1 || layer.frames < 1 || layer.map.length !== expected)
    throw new StillwaveError(
      `report: attention of ${model} layer ${layer.layer}: expected [${layer.heads}, ${layer.frames}, ${layer.frames}] with ${expected} values, got ${layer.map.length}`,
    );
}

function picture(layer: AttentionLayer, heads: readonly number[], size: number, description: string): Markup {
  const side = Math.min(size, layer.frames);
  const png = encodePng(mapLevels(shrinkMap(layer, heads, size)), side, side, COLOUR);
  return html`<img class="map" width="${side}" height="${side}" alt="${description}" src="data:image/png;base64,${png.toString("base64")}">`;
}

function meanPanel(who: string, layer: AttentionLayer | undefined, size: number): Content {
  if (!layer)
    return html`<figure class="panel"><div class="map none">no such layer</div><figcaption>${who}</figcaption></figure>`;
  const entropies = headEntropies(layer);
  const entropy = (entropies.reduce((a, b) => a + b, 0) / entropies.length).toFixed(2);
  const everyHead = entropies.map((_, head) => head);
  const taken = layer.takesMapOf;
  const alt = `${who}, layer ${layer.layer}: attention averaged over ${layer.heads} heads${taken === undefined ? "" : `, taken from layer ${taken}`}`;
  return html`<figure class="panel${taken !== undefined && " taken"}">${picture(layer, everyHead, size, alt)}<figcaption>${who}<br>
    ${taken === undefined ? html`<span>entropy ${entropy}</span>` : html`<span class="reuse">takes the map of layer ${taken}</span>`}</figcaption></figure>`;
}

function headPanels(who: string, layer: AttentionLayer | undefined, size: number): Content {
  if (!layer || layer.takesMapOf !== undefined) return undefined;
  const entropies = headEntropies(layer);
  return tellingHeads(entropies).map((head) => {
    const entropy = entropies[head].toFixed(2);
    const alt = `${who}, layer ${layer.layer}, head ${head}: attention of entropy ${entropy} nats`;
    return html`<figure class="panel">${picture(layer, [head], size, alt)}<figcaption>${who}, head ${head}<br><span>entropy ${entropy}</span></figcaption></figure>`;
  });
}

/**
 * The section's content: a card a layer, the heads in a fold.
 * @throws StillwaveError where an array does not fit its shape
 */
export function attentionCards(comparison: AttentionComparison): Markup {
  for (const layer of comparison.teacher) check("teacher", layer);
  for (const layer of comparison.student) check("student", layer);
  const find = (layers: readonly AttentionLayer[], index: number) => layers.find(({ layer }) => layer === index);
  const all = [...comparison.teacher, ...comparison.student];
  const indices = [...new Set(all.map(({ layer }) => layer))].sort((a, b) => a - b);
  const shown = indices.slice(0, MAX_LAYERS);
  const pictures = 2 * shown.length * (1 + SINGLE_HEADS);
  const size = Math.max(24, Math.min(128, Math.floor(Math.sqrt(PIXEL_BUDGET / Math.max(1, pictures)))));
  const cards = shown.map((index) => {
    const [teacher, student] = [find(comparison.teacher, index), find(comparison.student, index)];
    return html`<article class="card"><h3>Layer ${index}</h3>
      <div class="pair">${meanPanel("Teacher", teacher, size)}${meanPanel("Student", student, size)}</div>
      <details><summary>Single heads</summary><div class="pair"><div class="stack">${headPanels("Teacher", teacher, size)}</div><div class="stack">${headPanels("Student", student, size)}</div></div></details>
    </article>`;
  });
  return html`<div class="cards">${cards}</div>
    ${indices.length > shown.length && html`<p class="note">${indices.length - shown.length} more layers are not shown.</p>`}`;
}

// Attention maps of teacher and student as small pictures, side by side, layer by layer.
import { StillwaveError } from "../../errors.ts";
import { formatHours } from "../../log/format.ts";
import { type Content, html, type Markup } from "../kit/markup.ts";
import { fold, notShown } from "../kit/pieces.ts";
import { encodePng } from "../kit/png.ts";
import { headEntropies, mapLevels, SINGLE_HEADS, shrinkMap, tellingHeads } from "./maps.ts";
import type { AttentionComparison, AttentionLayer } from "./report.types.ts";

/** Reads well on a white and on a black page. */
const COLOUR = [23, 150, 140] as const;
/** All pictures together have at most this many pixels, which bounds the size of the page. */
const PIXEL_BUDGET = 1_000_000;
const MAX_LAYERS = 48;

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
    const heads = [headPanels("Teacher", teacher, size), headPanels("Student", student, size)];
    return html`<article class="card"><h3>Layer ${index}</h3>
      <div class="pair">${meanPanel("Teacher", teacher, size)}${meanPanel("Student", student, size)}</div>
      ${fold("Single heads", html`<div class="pair">${heads.map((panels) => html`<div class="stack">${panels}</div>`)}</div>`)}
    </article>`;
  });
  return html`<p class="lead">What each frame (downwards) looks at (across) in ${comparison.utterance}, ${formatHours(comparison.seconds)}, averaged over heads.
      Colour is the square root of the weight, each map to its own largest value; entropy in nats, the lower the sharper.</p>
    <div class="cards">${cards}</div>${notShown(indices.length - shown.length, "layers")}`;
}

// Attention maps of teacher and student side by side, layer by layer: each pair on one scale, with the uniform map as its mark.
import { StillwaveError } from "../../errors.ts";
import { formatHours } from "../../log/format.ts";
import { formatTick } from "../kit/draw.ts";
import { type Content, html, type Markup } from "../kit/markup.ts";
import { fold, notShown } from "../kit/pieces.ts";
import { encodePng } from "../kit/png.ts";
import { roundTicks } from "../kit/scale.ts";
import { commonTop, headEntropies, mapLevels, placeOf, SINGLE_HEADS, shrinkMap, tellingHeads } from "./maps.ts";
import type { AttentionComparison, AttentionLayer } from "./report.types.ts";

/** Reads well on a white and on a black page. */
const COLOUR = [23, 150, 140] as const;
/** All pictures together have at most this many pixels, which bounds the size of the page. */
const PIXEL_BUDGET = 1_000_000;
const MAX_LAYERS = 48;

/** One picture of a pair. */
interface Panel {
  readonly who: "Teacher" | "Student";
  readonly layer: AttentionLayer;
  /** Heads whose mean it is. */
  readonly heads: readonly number[];
  readonly caption: Content;
  /** Of the picture, in words. */
  readonly description: string;
}

interface Frame {
  readonly seconds: number;
  /** Most pixels of a side. */
  readonly size: number;
}

function check(model: string, layer: AttentionLayer): void {
  const expected = layer.heads * layer.frames * layer.frames;
  if (layer.heads < 1 || layer.frames < 1 || layer.map.length !== expected)
    throw new StillwaveError(
      `report: attention of ${model} layer ${layer.layer}: expected [${layer.heads}, ${layer.frames}, ${layer.frames}] with ${expected} values, got ${layer.map.length}`,
    );
}

const mean = (values: readonly number[]) => values.reduce((a, b) => a + b, 0) / values.length;

function meanPanel(who: Panel["who"], layer: AttentionLayer): Panel {
  const entropies = headEntropies(layer);
  const { takesMapOf: taken, heads, frames } = layer;
  const own = html`entropy ${mean(entropies).toFixed(2)} (uniform ${Math.log(frames).toFixed(2)})`;
  return {
    who,
    layer,
    heads: entropies.map((_, head) => head),
    caption: [
      who,
      html`<br>`,
      taken === undefined ? own : html`<b class="reuse">takes over the map of layer ${taken}</b>`,
    ],
    description: `${who}, layer ${layer.layer}: attention averaged over ${heads} heads${taken === undefined ? "" : `, taken over from layer ${taken}`}`,
  };
}

function headPanels(who: Panel["who"], layer: AttentionLayer | undefined): Panel[] {
  if (!layer || layer.takesMapOf !== undefined) return [];
  const entropies = headEntropies(layer);
  return tellingHeads(entropies).map((head) => {
    const entropy = entropies[head].toFixed(2);
    const description = `${who}, layer ${layer.layer}, head ${head}: attention of entropy ${entropy} nats`;
    return { who, layer, heads: [head], caption: html`${who}, head ${head}<br>entropy ${entropy}`, description };
  });
}

const percent = (share: number) => `${+(100 * share).toFixed(2)}%`;

/** Ticks in seconds along one side of a map. */
function seconds(side: "left" | "top", length: number): Markup {
  return html`${roundTicks(0, length, 4)
    .ticks.filter((tick) => tick <= length)
    .map((tick) => html`<span style="${side}:${percent(tick / length)}">${formatTick(tick)}</span>`)}`;
}

function figure(
  { who, layer, heads, caption, description }: Panel,
  values: Float32Array,
  top: number,
  length: number,
): Markup {
  const side = Math.sqrt(values.length);
  const png = encodePng(mapLevels(values, top), side, side, COLOUR);
  const name = heads.length === 1 && layer.heads > 1 ? `${who}, head ${heads[0]}` : who;
  return html`<figure class="panel${layer.takesMapOf !== undefined && " taken"}"><div class="axes">
    <div class="from" aria-hidden="true"><em>from (s)</em>${seconds("top", length)}</div>
    <div class="image"><img class="map" width="${side}" height="${side}" alt="${description}" data-who="${name}" data-top="${top}" data-uniform="${1 / layer.frames}" src="data:image/png;base64,${png.toString("base64")}"></div>
    <div class="to" aria-hidden="true">${seconds("left", length)}<em>to (s)</em></div>
  </div><figcaption>${caption}</figcaption></figure>`;
}

/** The scale of a pair: opacities with numbers, and the weight of a uniform map marked on it. */
function colourBar(top: number, isClipped: boolean, frames: readonly number[]): Markup {
  const { ticks } = roundTicks(0, top, 4);
  const end = `${isClipped ? "≥ " : ""}${formatTick(+top.toPrecision(2))}`;
  // numbers that would touch the end's or one another are left out
  const places = [0, ...ticks.filter((tick) => tick > 0 && placeOf(tick, top) < 0.82)];
  const shown = places.filter((tick, i) => i === 0 || placeOf(tick, top) - placeOf(places[i - 1], top) > 0.09);
  const marked = [...new Set(frames)];
  return html`<div class="scale" role="img" aria-label="Scale of colours: weights from 0 to ${end}; uniform attention is ${marked.map((count) => `1/${count}`).join(" and ")}">
    <div class="numbers">${shown.map((tick) => html`<span style="left:${percent(placeOf(tick, top))}">${formatTick(tick)}</span>`)}<span class="end" style="left:100%">${end}</span></div>
    <div class="bar" style="background-image:linear-gradient(to right, rgb(${COLOUR.join(" ")} / 0), rgb(${COLOUR.join(" ")} / 1))"></div>
    ${marked.map((count) => {
      const place = placeOf(1 / count, top);
      return html`<div class="uniform" style="left:${percent(place)}"${place > 0.5 && html` data-side="left"`}><span>uniform: 1/${count} = ${formatTick(+(1 / count).toPrecision(3))}</span></div>`;
    })}</div>`;
}

/** Panels of teacher and student on one scale. */
function group(title: string, panels: readonly Panel[], { seconds: length, size }: Frame): Markup {
  const values = panels.map(({ layer, heads }) => shrinkMap(layer, heads, size));
  const frames = panels.map(({ layer }) => layer.frames);
  const { top, isClipped } = commonTop(values, 1 / Math.min(...frames));
  const stack = (who: Panel["who"]) => {
    const own = panels.flatMap((panel, i) => (panel.who === who ? [figure(panel, values[i], top, length)] : []));
    return html`<div class="stack">${own.length > 0 ? own : html`<p class="none">${who}: none of its own</p>`}</div>`;
  };
  return html`<div class="plot pair" data-name="${title}" data-seconds="${length}">${stack("Teacher")}${stack("Student")}</div>${colourBar(top, isClipped, frames)}`;
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
  const frame = { seconds: comparison.seconds, size };
  const cards = shown.map((index) => {
    const pair = [
      ["Teacher", find(comparison.teacher, index)],
      ["Student", find(comparison.student, index)],
    ] as const;
    const means = pair.flatMap(([who, layer]) => (layer ? [meanPanel(who, layer)] : []));
    const heads = pair.flatMap(([who, layer]) => headPanels(who, layer));
    return html`<article class="card"><h3>Layer ${index}</h3>
      ${group(`Attention of layer ${index}`, means, frame)}
      ${heads.length > 0 && fold("Single heads", group(`Attention of single heads of layer ${index}`, heads, frame))}
    </article>`;
  });
  return html`<p class="lead">What each frame looks at in ${comparison.utterance}, ${formatHours(comparison.seconds)}, averaged over heads. The two maps of a card share one scale of colours, the square root of the weight; its mark is the weight of a uniform map, which looks at all frames alike. Entropy in nats: the lower, the sharper.</p>
    <div class="cards maps">${cards}</div>${notShown(indices.length - shown.length, "layers")}`;
}

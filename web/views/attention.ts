// Attention maps of all layers, of teacher and student: those that compute one and those that reuse one, under a playhead.
import { attentionAt, attentionShade, drawAttention, drawScale } from "../drawing/heat.ts";
import { BUILT_IN } from "../model/catalog.ts";
import type { Engine } from "../model/engine.ts";
import type { AttentionMap, Heard } from "../model/protocol.ts";
import { element, showFacts } from "./elements.ts";
import type { Lens, Look } from "./lens.ts";
import { openPair, type Pair, ROLES, type Role } from "./pair.ts";

/** Maps of longer sound would fill the memory of a phone. */
const MOST_SECONDS = 10;

export class AttentionLens implements Lens {
  readonly idea = "Half of the maps are computed, half are reused.";
  readonly invitation =
    "Speak, or take the example: each map shows, for every moment (down), to which moments (across) a layer listens.";
  readonly example = BUILT_IN.phones.example;
  readonly credits = BUILT_IN.phones.credits;
  readonly texts = "nothing";
  readonly isFitted = true;
  readonly recogniser = null;
  private readonly onChoose: () => void;
  private pair: Pair | undefined;
  private maps: Readonly<Record<Role, ReadonlyMap<number, AttentionMap>>> | undefined;
  /** How much longer the sound is than what the maps show. */
  private share = 1;
  private chosen: { readonly role: Role; readonly layer: number } = { role: "student", layer: 0 };

  /** `onChoose`: another layer lies over the waveform now. */
  constructor(onChoose: () => void) {
    this.onChoose = onChoose;
  }

  async prepare(engine: Engine): Promise<void> {
    this.pair = await openPair(engine);
  }

  enter(): void {
    element("attention").hidden = false;
    showFacts([]);
    drawScale(element<HTMLCanvasElement>("scale"));
    if (this.pair) this.layOut(this.pair);
  }

  leave(): void {
    element("attention").hidden = true;
  }

  listening(): void {}

  shown(): readonly Heard[] {
    return [];
  }

  async look(engine: Engine, wave: Float32Array): Promise<Look> {
    const heard = wave.subarray(0, MOST_SECONDS * 16_000);
    const observe = (model: Role) => engine.ask({ type: "observe", model, wave: heard, maps: true });
    const maps = { teacher: (await observe("teacher")).maps, student: (await observe("student")).maps };
    this.maps = maps;
    this.share = Math.max(1, wave.length / heard.length);
    for (const role of ROLES)
      for (const [layer, source] of this.pair![role].attentionFrom.entries()) {
        const map = maps[role].get(source);
        const canvas = element<HTMLCanvasElement>(`map-${role}-${layer}`);
        if (map && canvas) drawAttention(canvas, map);
      }
    const cut = wave.length > heard.length ? ` (of the first ${MOST_SECONDS} s)` : "";
    return {
      sentence: `Each map shows, for every moment (down), to which moments (across) a layer listens${cut}; the waveform is strongest in colour where the chosen layer listens when it is at the line.`,
      heard: [],
      tint: (at, position) => this.tint(at, position),
    };
  }

  moveTo(whole: number): void {
    const share = Math.min(1, whole * this.share);
    for (const line of element("maps").querySelectorAll<HTMLElement>(".playhead"))
      line.style[line.classList.contains("row") ? "top" : "left"] = `${100 * share}%`;
  }

  private tint(at: number, position: number): number {
    const { role, layer } = this.chosen;
    const map = this.maps?.[role].get(this.pair![role].attentionFrom[layer]);
    if (!map) return 1;
    const [query, key] = [position, at].map((seconds) => Math.min(map.frames - 1, Math.floor(seconds * 50)));
    return Math.max(0, Math.min(1, attentionShade(attentionAt(map, query, key), map.frames)));
  }

  private layOut(pair: Pair): void {
    const group = element("maps");
    group.replaceChildren(
      ...ROLES.flatMap((role) => {
        const heading = document.createElement("h3");
        heading.textContent = role === "teacher" ? "Teacher" : "Student";
        return [heading, ...pair[role].attentionFrom.map((source, layer) => this.card(role, layer, source))];
      }),
    );
  }

  private card(role: Role, layer: number, source: number): HTMLElement {
    const card = document.createElement("label");
    const isReused = source !== layer;
    card.className = isReused ? "reused" : "";
    const words = isReused ? `Layer ${layer + 1} reuses that of layer ${source + 1}` : `Layer ${layer + 1} computes`;
    card.innerHTML = `<input type="radio" name="map" /><div class="map"><canvas id="map-${role}-${layer}" aria-hidden="true"></canvas><i class="playhead"></i><i class="playhead row"></i></div><span>${words}</span>`;
    const input = card.querySelector("input")!;
    input.checked = role === this.chosen.role && layer === this.chosen.layer;
    input.setAttribute("aria-label", `${role}: ${words}`);
    input.onchange = () => {
      this.chosen = { role, layer };
      this.onChoose();
    };
    return card;
  }
}

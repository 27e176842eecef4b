// A visitor's own model: a recogniser listens as the built-in ones do, a student shows its hidden states.
import { drawStates } from "../drawing/heat.ts";
import type { Texts } from "../drawing/stage.ts";
import { BUILT_IN, USUAL_HEARING } from "../model/catalog.ts";
import type { Engine } from "../model/engine.ts";
import type { Heard, Observed, Recognised } from "../model/protocol.ts";
import { element, megabytes, realTimeFactor, sentenceOf, showFacts, timesFaster } from "./elements.ts";
import type { Lens, Look } from "./lens.ts";
import { RecogniserLens } from "./recogniser.ts";

const MODEL = "yours";
/** Larger files would end the page. */
const MAX_BYTES = 1e9;
/** States are drawn of so much: one column a frame. */
const MOST_SAMPLES = 30 * 16_000;

interface Brought {
  readonly name: string;
  readonly bytes: ArrayBuffer;
}

export class YoursLens implements Lens {
  readonly example = BUILT_IN.phones.example;
  readonly credits = BUILT_IN.phones.credits;
  private brought: Brought | undefined;
  private lens: RecogniserLens | undefined;
  private observed: Observed | undefined;

  constructor() {
    element<HTMLSelectElement>("output").onchange = () => this.draw();
  }

  get idea(): string {
    return this.brought ? this.brought.name : "Bring your own model.";
  }

  get invitation(): string {
    if (!this.brought) return "A model of yours runs here like those that are built in, and stays on this device.";
    return (
      this.lens?.invitation ?? "This model has no words, so you see its hidden states: speak, or take the example."
    );
  }

  get texts(): Texts {
    return this.lens?.texts ?? "nothing";
  }

  get isFitted(): boolean {
    return !this.lens;
  }

  get recogniser(): string | null {
    return this.lens ? MODEL : null;
  }

  /** Whether there is a model to look through. */
  get isReady(): boolean {
    return this.brought !== undefined;
  }

  /**
   * Takes a model in place of the one before, which stays where this one cannot be opened.
   * @throws Error with one sentence for what is no model
   */
  async bring(engine: Engine, file: File): Promise<void> {
    if (file.size === 0) throw new Error(`${file.name} is empty.`);
    if (file.size > MAX_BYTES) throw new Error(`${file.name} has ${megabytes(file.size)}, more than a page can hold.`);
    const bytes = await file.arrayBuffer().catch(() => {
      throw new Error(`${file.name} cannot be read: it is a folder, or it has changed or gone.`);
    });
    await this.open(engine, { name: file.name, bytes });
  }

  private async open(engine: Engine, brought: Brought): Promise<void> {
    const source = brought.bytes.slice(0);
    const request = { type: "open", model: MODEL, source, hearing: USUAL_HEARING } as const;
    const opened = await engine.ask(request, [source]).catch((error: Error) => {
      const said = sentenceOf(error).replace(/^the (recogniser|model): /, "");
      throw new Error(`${brought.name} is no model that this page can open: ${said}`);
    });
    this.brought = brought;
    this.observed = undefined;
    this.lens =
      opened.kind === "states"
        ? undefined
        : RecogniserLens.of(MODEL, opened, { idea: brought.name, example: this.example, credits: "", measuredOn: "" });
  }

  async prepare(engine: Engine): Promise<void> {
    if (this.brought) await this.open(engine, this.brought);
  }

  enter(): void {
    element("yours").hidden = false;
    element("states").hidden = this.lens !== undefined || !this.observed;
    if (this.lens) this.lens.enter();
    else showFacts(this.brought ? [{ term: "Size", value: megabytes(this.brought.bytes.byteLength) }] : []);
  }

  leave(): void {
    element("yours").hidden = true;
    this.lens?.leave();
  }

  listening(heard: readonly Heard[]): void {
    this.lens?.listening(heard);
  }

  shown(heard: readonly Heard[]): readonly Heard[] {
    return this.lens?.shown(heard) ?? heard;
  }

  async look(engine: Engine, wave: Float32Array, recognised: Recognised | null): Promise<Look> {
    if (!this.brought) return { sentence: this.invitation, heard: [], tint: null };
    if (this.lens) return this.lens.look(engine, wave, recognised);
    const heard = wave.subarray(0, MOST_SAMPLES);
    const seconds = heard.length / 16_000;
    this.observed = await engine.ask({ type: "observe", model: MODEL, wave: heard, maps: false });
    const { states, milliseconds } = this.observed;
    element("output").replaceChildren(...states.map(({ name }) => new Option(name, name)));
    element<HTMLSelectElement>("output").selectedIndex = states.length - 1;
    element("states").hidden = false;
    this.draw();
    showFacts([
      { term: "Size", value: megabytes(this.brought.bytes.byteLength) },
      {
        term: "Real-time factor",
        value: realTimeFactor(seconds, milliseconds),
        note: `${timesFaster(seconds, milliseconds)} faster than speech`,
      },
    ]);
    return {
      sentence:
        "Time runs to the right, every row is one dimension of the chosen output, light where it is above its mean.",
      heard: [],
      tint: null,
    };
  }

  moveTo(share: number): void {
    const line = element("states").querySelector<HTMLElement>(".playhead");
    if (line) line.style.left = `${100 * share}%`;
  }

  private draw(): void {
    const state = this.observed?.states[element<HTMLSelectElement>("output").selectedIndex];
    if (!state) return;
    const canvas = element<HTMLCanvasElement>("states-picture");
    drawStates(canvas, state);
    canvas.setAttribute("aria-label", `${state.name}: ${state.frames} frames of ${state.dim} dimensions`);
  }
}

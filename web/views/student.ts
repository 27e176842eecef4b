// Teacher and student side by side: how similar every moment is to every other for each, and how far they agree.
import { agreementOf, drawSimilarity } from "../drawing/heat.ts";
import { BUILT_IN } from "../model/catalog.ts";
import type { Engine } from "../model/engine.ts";
import type { Heard, Observed } from "../model/protocol.ts";
import { element, megabytes, realTimeFactor, showFacts, timesFaster } from "./elements.ts";
import type { Lens, Look } from "./lens.ts";
import { openPair, type Pair, ROLES, type Role } from "./pair.ts";

/** Maps grow with the square of the length. */
const MOST_SAMPLES = 30 * 16_000;

export class StudentLens implements Lens {
  readonly idea = "A third of the size, and much the same ear.";
  readonly invitation =
    "Speak, or take the example: teacher and student hear the same sound, and you see how alike their pictures of it are.";
  readonly example = BUILT_IN.phones.example;
  readonly credits = BUILT_IN.phones.credits;
  readonly texts = "nothing";
  readonly isFitted = true;
  readonly recogniser = null;
  private pair: Pair | undefined;

  async prepare(engine: Engine): Promise<void> {
    this.pair = await openPair(engine);
    for (const role of ROLES) {
      const { bytes, parameters } = this.pair[role];
      element(`${role}-size`).textContent = `${(parameters / 1e6).toFixed(2)} M parameters, ${megabytes(bytes)}`;
    }
  }

  enter(): void {
    element("student").hidden = false;
    showFacts([]);
  }

  leave(): void {
    element("student").hidden = true;
  }

  listening(): void {}

  shown(): readonly Heard[] {
    return [];
  }

  async look(engine: Engine, wave: Float32Array): Promise<Look> {
    const heard = wave.subarray(0, MOST_SAMPLES);
    const seconds = heard.length / 16_000;
    const { teacher, student } = await this.observe(engine, heard);
    const [last, prediction] = [teacher.states.at(-1), student.prediction];
    if (!last || !prediction) throw new Error("the student does not say what its teacher would hear");
    for (const [role, observed, state] of [
      ["teacher", teacher, last],
      ["student", student, prediction],
    ] as const) {
      drawSimilarity(element<HTMLCanvasElement>(`${role}-picture`), state);
      element(`${role}-picture`).setAttribute(
        "aria-label",
        `The ${role}: similarity of each of ${state.frames} moments to every other`,
      );
      element(`${role}-speed`).textContent = speedOf(observed, seconds);
    }
    const agreement = agreementOf(last, prediction);
    const mean = agreement.reduce((sum, value) => sum + value, 0) / agreement.length;
    const ratio = this.pair ? this.pair.student.parameters / this.pair.teacher.parameters : 0;
    showFacts([
      {
        term: "Agreement",
        value: mean.toFixed(2),
        note: "mean cosine of their last layers, about the mean; 1 is the same",
      },
      { term: "Parameters", value: `${Math.round(100 * ratio)} %`, note: "of the teacher's" },
      {
        term: "Time",
        value: `${Math.round((100 * student.milliseconds) / teacher.milliseconds)} %`,
        note: "of the teacher's, on this device, just now",
      },
    ]);
    return {
      sentence:
        "Light squares are stretches that a model hears as one sound; the waveform is strongest in colour where teacher and student agree most.",
      heard: [],
      tint: (at) => clamp(agreement[Math.min(agreement.length - 1, Math.floor(at * 50))] ?? 0) ** 2,
    };
  }

  /** Each twice, in turn, and the quicker time of both: what else the device does disturbs one of them less. */
  private async observe(engine: Engine, wave: Float32Array): Promise<Readonly<Record<Role, Observed>>> {
    const once = (model: Role) => engine.ask({ type: "observe", model, wave, maps: false });
    const [first, second] = [await both(once), await both(once)];
    const quicker = (role: Role) => ({
      ...second[role],
      milliseconds: Math.min(first[role].milliseconds, second[role].milliseconds),
    });
    return { teacher: quicker("teacher"), student: quicker("student") };
  }

  moveTo(share: number): void {
    for (const line of element("student").querySelectorAll<HTMLElement>(".playhead"))
      line.style.left = `${100 * share}%`;
  }
}

const both = async (observe: (role: Role) => Promise<Observed>) => ({
  teacher: await observe("teacher"),
  student: await observe("student"),
});

const clamp = (value: number) => Math.max(0, Math.min(1, value));

const speedOf = ({ milliseconds }: Observed, seconds: number) =>
  `${milliseconds.toFixed(0)} ms, real-time factor ${realTimeFactor(seconds, milliseconds)}: ${timesFaster(seconds, milliseconds)} faster than speech`;

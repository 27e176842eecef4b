// Words, phones, and what a visitor's own recogniser writes: what is heard, what can be said, how good and how quick it is.
import { BUILT_IN, type BuiltIn, type BuiltInName, phoneText } from "../model/catalog.ts";
import type { Engine } from "../model/engine.ts";
import type { Heard, Hearing, Opened, Recognised } from "../model/protocol.ts";
import {
  capital,
  counted,
  element,
  type Fact,
  megabytes,
  realTimeFactor,
  secondsText,
  showFacts,
  timesFaster,
} from "./elements.ts";
import type { Lens, Look } from "./lens.ts";

type OpenedRecogniser = Extract<Opened, { readonly labels: readonly string[] }>;

type Described = Pick<BuiltIn, "idea" | "example" | "credits" | "measuredOn" | "order">;

/** More classes than this are not listed. */
const MOST_LISTED = 24;

const figureNames: Readonly<Record<string, string>> = { PER: "Phones wrong", WER: "Words wrong", accuracy: "Right" };

/** A recogniser's lens. */
export class RecogniserLens implements Lens {
  readonly recogniser: string;
  readonly isFitted = false;
  private readonly builtIn: Described;
  private readonly file: { readonly url: string; readonly hearing: Hearing } | undefined;
  private opened: OpenedRecogniser | undefined;
  private preparing: { readonly engine: Engine; readonly done: Promise<void> } | undefined;
  private speed: Fact | undefined;

  private constructor(
    recogniser: string,
    builtIn: Described,
    from: { readonly file?: RecogniserLens["file"]; readonly opened?: OpenedRecogniser },
  ) {
    this.recogniser = recogniser;
    this.builtIn = builtIn;
    this.file = from.file;
    this.opened = from.opened;
  }

  /** One that lies beside the page. */
  static builtIn(name: BuiltInName): RecogniserLens {
    const { file, hearing } = BUILT_IN[name];
    const url = new URL(file, document.baseURI).href;
    return new RecogniserLens(name, BUILT_IN[name], { file: { url, hearing } });
  }

  /** One that is open already. */
  static of(recogniser: string, opened: OpenedRecogniser, described: Described): RecogniserLens {
    return new RecogniserLens(recogniser, described, { opened });
  }

  get idea(): string {
    return this.builtIn.idea;
  }

  get example(): string {
    return this.builtIn.example;
  }

  get credits(): string {
    return this.builtIn.credits;
  }

  get texts(): "words" | "phones" {
    return this.opened?.kind === "phones" || (!this.opened && this.recogniser === "phones") ? "phones" : "words";
  }

  get invitation(): string {
    const what = { words: "the word", phones: "each sound", text: "what you say" }[this.opened?.kind ?? "words"];
    return `Press Speak and say something: ${what} appears below the moving waveform, at the moment when it was said.`;
  }

  prepare(engine: Engine): Promise<void> {
    if (this.preparing?.engine !== engine) {
      const done = this.open(engine);
      this.preparing = { engine, done };
      done.catch(() => {
        if (this.preparing?.done === done) this.preparing = undefined;
      });
    }
    return this.preparing!.done;
  }

  private async open(engine: Engine): Promise<void> {
    if (!this.file) return;
    const { url, hearing } = this.file;
    const opened = await engine.ask({ type: "open", model: this.recogniser, source: url, hearing });
    if (opened.kind === "states") throw new Error(`${url} is no recogniser`);
    this.opened = opened;
  }

  enter(): void {
    const { opened } = this;
    element("heard").classList.toggle("phones", this.texts === "phones");
    element("heard").hidden = true;
    element("heard").replaceChildren();
    const list = element("vocabulary");
    list.hidden = opened?.kind !== "words" || opened.labels.length > MOST_LISTED;
    list.replaceChildren(
      ...(list.hidden || !opened ? [] : (this.builtIn.order ?? opened.labels)).map((label) => {
        const item = document.createElement("li");
        item.textContent = label.replaceAll("_", " ");
        return item;
      }),
    );
    this.showFacts();
  }

  leave(): void {
    element("heard").hidden = true;
    element("vocabulary").hidden = true;
  }

  listening(heard: readonly Heard[]): void {
    this.write(heard);
    const last = heard.at(-1)?.text;
    for (const item of element("vocabulary").children) item.classList.toggle("lit", item.textContent === last);
  }

  async look(engine: Engine, wave: Float32Array, recognised: Recognised | null): Promise<Look> {
    const seconds = wave.length / 16_000;
    const { heard, milliseconds } =
      recognised ?? (await engine.ask({ type: "recognise", model: this.recogniser, wave }));
    this.write(heard);
    const said = new Set(heard.map(({ text }) => text));
    for (const item of element("vocabulary").children) item.classList.toggle("lit", said.has(item.textContent));
    this.speed = {
      term: "Real-time factor",
      value: realTimeFactor(seconds, milliseconds),
      note: `${timesFaster(seconds, milliseconds)} faster than speech`,
    };
    this.showFacts();
    return { sentence: this.sentence(heard, seconds), heard: this.shown(heard), tint: null };
  }

  moveTo(): void {}

  /** What is drawn: phones in phonetic letters. */
  shown(heard: readonly Heard[]): readonly Heard[] {
    return this.opened?.kind === "phones" ? heard.map((one) => ({ ...one, text: phoneText(one.text) })) : heard;
  }

  private sentence(heard: readonly Heard[], seconds: number): string {
    const noun = this.texts === "phones" ? "phone" : "word";
    const sure = heard.filter(({ text }) => text !== "?");
    const length = secondsText(seconds);
    if (heard.length === 0) return `Nobody was heard in these ${length}; speak closer to the microphone.`;
    if (sure.length === 0) return `Something was said in these ${length}, but none of the words that it knows.`;
    const doubt = heard.length - sure.length;
    const unsure = doubt > 0 ? `, and ${counted(doubt, "sound")} that it does not know (?)` : "";
    return `${capital(counted(sure.length, noun))} in ${length} of sound${unsure}; each stands below the moment when it was said.`;
  }

  private write(heard: readonly Heard[]): void {
    const line = element("heard");
    line.hidden = heard.length === 0;
    const [settled, open] = [heard.filter((one) => one.isSettled), heard.filter((one) => !one.isSettled)];
    const separator = this.texts === "phones" ? "\u2009" : " ";
    const text = (parts: readonly Heard[]) =>
      this.shown(parts)
        .map((one) => one.text)
        .join(separator);
    const rest = document.createElement("span");
    rest.className = "open";
    rest.textContent = open.length > 0 ? separator + text(open) : "";
    line.replaceChildren(text(settled), rest);
  }

  private showFacts(): void {
    if (!this.opened) {
      showFacts([]);
      return;
    }
    const { figures, bytes, dtype, upstream } = this.opened;
    const measured = figures.map(
      ({ name, value, on }): Fact => ({
        term: figureNames[name] ?? name,
        value: `${value.toFixed(1)} %`,
        note: this.builtIn.measuredOn || `of ${on}`,
      }),
    );
    const size: Fact = {
      term: "Size",
      value: megabytes(bytes),
      note: this.file ? dtype : `${dtype}, from ${upstream}`,
    };
    showFacts([...measured, size, ...(this.speed ? [this.speed] : [])]);
  }
}

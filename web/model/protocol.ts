// What the page and its worker say to each other: numbered requests, their answers, and what is heard meanwhile.
import type { WebDevice } from "../../src/web.ts";

/** A model as the page has it: a file of its own site by URL, or the bytes that a visitor dropped. */
export type Source = string | ArrayBuffer;

/** What a recogniser is asked to do with the sound, beside recognising. */
export interface Hearing {
  /** Recordings up to so many seconds are one word and are classified whole; longer ones are cut at pauses. */
  readonly wholeSeconds: number;
  /** A pause of so many seconds ends a word. */
  readonly pauseSeconds: number;
  /** Seconds that are kept before and after it. */
  readonly padSeconds: number;
  /** Answers below this probability are not shown as words. */
  readonly surely: number;
  /** Highest frequency in its training data, in Hz, where that is below 8,000: what lies above is taken away. */
  readonly bandHz: number | null;
}

/** A word or phone, and when it was said, in seconds. */
export interface Heard {
  readonly text: string;
  readonly start: number;
  readonly end: number;
  readonly confidence: number;
  /** Whether it stays as it is. */
  readonly isSettled: boolean;
}

export type Request =
  | { readonly type: "start"; readonly device: WebDevice | "auto"; readonly wasmPaths: string }
  | { readonly type: "open"; readonly model: string; readonly source: Source; readonly hearing: Hearing }
  | { readonly type: "openFolder"; readonly model: string; readonly url: string }
  | { readonly type: "recognise"; readonly model: string; readonly wave: Float32Array }
  | { readonly type: "observe"; readonly model: string; readonly wave: Float32Array; readonly maps: boolean }
  | { readonly type: "listen"; readonly model: string }
  | { readonly type: "hear"; readonly samples: Float32Array }
  | { readonly type: "finish" };

export interface Started {
  readonly device: WebDevice;
  readonly threads: number;
}

/** What a file turned out to be. */
export type Opened =
  | {
      readonly kind: "words" | "phones" | "text";
      readonly bytes: number;
      readonly labels: readonly string[];
      readonly upstream: string;
      readonly dtype: string;
      readonly figures: readonly { readonly name: string; readonly value: number; readonly on: string }[];
    }
  | { readonly kind: "states"; readonly bytes: number };

export interface OpenedFolder {
  readonly bytes: number;
  readonly parameters: number;
  /** For each layer, the layer whose map it uses: itself where it computes one. */
  readonly attentionFrom: readonly number[];
}

export interface Recognised {
  readonly heard: readonly Heard[];
  readonly milliseconds: number;
}

/** [frames, dim]. */
export interface State {
  readonly frames: number;
  readonly dim: number;
  readonly data: Float32Array;
}

/** Attention of every head of one computing layer: [heads, frames, frames], rows sum to 1. */
export interface AttentionMap {
  readonly heads: number;
  readonly frames: number;
  readonly data: Float32Array;
}

export interface Observed {
  readonly milliseconds: number;
  /** Outputs of the layers, or what an exported file gives, by name. */
  readonly states: readonly (State & { readonly name: string })[];
  /** A student's prediction of its teacher's last layer, where it is one. */
  readonly prediction: State | null;
  /** By computing layer. */
  readonly maps: ReadonlyMap<number, AttentionMap>;
}

/** What each request is answered with. */
export interface Answers {
  readonly start: Started;
  readonly open: Opened;
  readonly openFolder: OpenedFolder;
  readonly recognise: Recognised;
  readonly observe: Observed;
  readonly listen: null;
  readonly hear: null;
  readonly finish: Recognised;
}

export type Numbered = Request & { readonly id: number };

export type Reply =
  | { readonly type: "answer"; readonly id: number; readonly value: Answers[Request["type"]] }
  | { readonly type: "failed"; readonly id: number; readonly message: string }
  | ({ readonly type: "heard" } & Recognised);

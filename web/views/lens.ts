// What a tab is: a way of looking at the same sound.
import type { Texts } from "../drawing/stage.ts";
import type { Engine } from "../model/engine.ts";
import type { Heard, Recognised } from "../model/protocol.ts";

/** What a lens makes of a recording. */
export interface Look {
  /** What one sees, in one sentence. */
  readonly sentence: string;
  readonly heard: readonly Heard[];
  /** Strength of the waveform's colour at every moment, as it depends on where playing stands. */
  readonly tint: ((seconds: number, position: number) => number) | null;
}

export interface Lens {
  /** A heading: what to do. */
  readonly idea: string;
  /** The sentence before there is any sound. */
  readonly invitation: string;
  /** URL of a recording to try. */
  readonly example: string;
  readonly credits: string;
  /** How what is heard is set. */
  readonly texts: Texts;
  /** Whether a recording is shown at once, however long. */
  readonly isFitted: boolean;
  /** The recogniser that listens while somebody speaks. */
  readonly recogniser: string | null;
  /** Opens its models; called again after a change of device. */
  prepare(engine: Engine): Promise<void>;
  /** Shows its part of the page. */
  enter(): void;
  leave(): void;
  /** What is heard while somebody speaks. */
  listening(heard: readonly Heard[]): void;
  /** What is heard as it is drawn below the waveform. */
  shown(heard: readonly Heard[]): readonly Heard[];
  /** Computes on a recording, unless a recogniser has listened to it already. */
  look(engine: Engine, wave: Float32Array, recognised: Recognised | null): Promise<Look>;
  /** Playing has come so far, as a share of the recording. */
  moveTo(share: number): void;
}

// What is built in: the recognisers, what each is asked and told, and the pair of models behind the other tabs.
import type { Hearing } from "./protocol.ts";

export interface BuiltIn {
  readonly file: string;
  /** A recording to try, for those without a microphone. */
  readonly example: string;
  /** What a visitor is asked to say. */
  readonly idea: string;
  readonly hearing: Hearing;
  /** Its words in the order in which people say them; default: as the model has them. */
  readonly order?: readonly string[];
  /** What its figure was measured on. */
  readonly measuredOn: string;
  readonly credits: string;
}

export type BuiltInName = "digits" | "wake-words" | "phones";

export const BUILT_IN: Readonly<Record<BuiltInName, BuiltIn>> = {
  digits: {
    file: "models/digits.onnx",
    example: "samples/digits.flac",
    idea: "Say a digit.",
    hearing: { wholeSeconds: 1, pauseSeconds: 0.18, padSeconds: 0.03, surely: 0.5, bandHz: 4000 },
    order: ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"],
    measuredOn: "recordings of a speaker whom it has never heard",
    credits: "Digits: Free Spoken Digit Dataset (Z. Jackson et al.), CC BY-SA 4.0.",
  },
  "wake-words": {
    file: "models/wake-words.onnx",
    example: "samples/wake-words.flac",
    idea: "Say a wake word.",
    hearing: { wholeSeconds: 4, pauseSeconds: 0.35, padSeconds: 0.4, surely: 0.7, bandHz: null },
    measuredOn: "recordings that it has never heard; the corpus names no speakers",
    credits: "Wake words: Picovoice wake-word benchmark, Apache 2.0.",
  },
  phones: {
    file: "models/phones.onnx",
    example: "samples/speech.flac",
    idea: "Say anything.",
    hearing: { wholeSeconds: 60, pauseSeconds: 0.5, padSeconds: 0.1, surely: 0, bandHz: null },
    measuredOn: "sentences of speakers whom it has never heard",
    credits: "Speech: LibriSpeech 1284-1180-0022, CC BY 4.0 (Panayotov et al., 2015).",
  },
};

/** Of a recogniser that a visitor brings: nothing is known but what its file says. */
export const USUAL_HEARING: Hearing = {
  wholeSeconds: 4,
  pauseSeconds: 0.35,
  padSeconds: 0.2,
  surely: 0.5,
  bandHz: null,
};

/** The models behind the pictures. */
export const FOLDERS = { teacher: "models/teacher", student: "models/student" } as const;

/** ARPAbet, in which models spell, as the phonetic letters that people read. */
const IPA: Readonly<Record<string, string>> = {
  AA: "ɑ",
  AE: "æ",
  AH: "ʌ",
  AO: "ɔ",
  AW: "aʊ",
  AY: "aɪ",
  B: "b",
  CH: "tʃ",
  D: "d",
  DH: "ð",
  EH: "ɛ",
  ER: "ɝ",
  EY: "eɪ",
  F: "f",
  G: "ɡ",
  HH: "h",
  IH: "ɪ",
  IY: "i",
  JH: "dʒ",
  K: "k",
  L: "l",
  M: "m",
  N: "n",
  NG: "ŋ",
  OW: "oʊ",
  OY: "ɔɪ",
  P: "p",
  R: "ɹ",
  S: "s",
  SH: "ʃ",
  T: "t",
  TH: "θ",
  UH: "ʊ",
  UW: "u",
  V: "v",
  W: "w",
  Y: "j",
  Z: "z",
  ZH: "ʒ",
};

/** A phone as it is shown; stress marks of ARPAbet are dropped. */
export const phoneText = (symbol: string): string => IPA[symbol.replace(/[0-2]$/, "")] ?? symbol;

// What each row is measured by: the probes' commands, what their numbers are called, and what they are counted in.
import type { ErrorUnit } from "../../src/metrics/error-rate.ts";
import type { Speech } from "./speech.ts";

export const PROBES = ["pr", "ks-keywords", "ks-digits", "sid-libri", "asr"] as const;

export type ProbeName = (typeof PROBES)[number];

export const PROBE_NAMES: Readonly<Record<ProbeName, string>> = {
  pr: "PER",
  "ks-keywords": "KS, wake words",
  "ks-digits": "KS, digits",
  "sid-libri": "SID, 24 speakers",
  asr: "WER",
};

/** What error rates count; the other probes are accuracies. */
export const ERROR_UNITS: Readonly<Partial<Record<ProbeName, ErrorUnit>>> = { pr: "phone", asr: "word" };

const PR = ["--train", "train", "--dev", "dev", "--test", "test", "--lr", "2e-2,1e-2,5e-3", "--steps", "3000"];
const WARMED = ["--schedule", "warmup", "--patience", "0", "--dtype", "float16"];
const WORDS = ["--hidden", "192", "--projection", "192", "--stack", "2", "--no-specaugment"];
const WARMUP = ["--schedule", "warmup", "--warmup", "100", "--patience", "0", "--dtype", "float16", "--lr", "1e-3"];
const CLASSES = ["--lr", "1e-2,1e-3", "--dtype", "float16"];

/** Arguments of each probe. */
export const probesOf = ({ libri, keywords, digits, speakers }: Speech) =>
  ({
    pr: { task: "pr", data: libri, more: [...PR, ...WARMED], stage: "probe" },
    "ks-keywords": { task: "ks", data: keywords, more: CLASSES, stage: "probe" },
    "ks-digits": { task: "ks", data: digits, more: CLASSES, stage: "probe" },
    "sid-libri": { task: "sid", data: speakers, more: CLASSES, stage: "probe" },
    asr: {
      task: "asr",
      data: libri,
      more: ["--train", "train", "--dev", "dev", "--test", "test", ...WORDS, ...WARMUP, "--steps", "1600"],
      stage: "words",
    },
  }) as const;

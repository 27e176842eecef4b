// Published results on the benchmark, each with its source: what a model's own are held against.
import type { TaskResults } from "../../superb/scores.ts";

export interface PublishedRow {
  readonly name: string;
  /** In millions. */
  readonly parameters: number;
  readonly results: Required<TaskResults>;
  readonly source: string;
}

type Row = readonly [
  ...[name: string, parameters: number, per: number, wer: number, ks: number, mtwv: number, sid: number, eer: number],
  ...[der: number, ic: number, f1: number, cer: number, er: number, source: string],
];

const LEADERBOARD = "SUPERB's leaderboard (superbbenchmark.org)";

const ROWS: readonly Row[] = [
  ["HuBERT Base", 94.7, 5.41, 6.42, 96.3, 0.0736, 81.42, 5.11, 5.88, 98.34, 88.53, 25.2, 64.92, LEADERBOARD],
  ["WavLM Base", 94.7, 4.84, 6.21, 96.79, 0.087, 84.51, 4.69, 4.55, 98.63, 89.38, 22.86, 65.94, LEADERBOARD],
  [
    ...(["DistilHuBERT", 23.49, 16.27, 13.37, 95.98, 0.0511, 73.54, 8.55, 6.19, 94.99, 82.57, 35.59, 63.02] as const),
    "arXiv:2110.01900, table 1",
  ],
  [
    ...(["ARMHuBERT", 26.45, 7.72, 9.96, 96.88, 0.0635, 65.03, 5.68, 7.1, 97.07, 87.59, 26.06, 62.86] as const),
    "arXiv:2305.11685",
  ],
  [
    ...(["MaskHuBERT", 26.64, 7.3, 9.77, 96.36, 0.0664, 62.83, 5.38, 6.79, 97.05, 87.31, 27.1, 62.37] as const),
    "arXiv:2305.11685",
  ],
  [
    ...(["STaRHuBERT", 22.31, 8.16, 9.35, 96.27, 0.0688, 77.58, 5.39, 6.05, 97.55, 87.94, 25.31, 63.01] as const),
    "arXiv:2312.09040",
  ],
  [
    ...(["DPHuBERT", 23.59, 9.67, 10.47, 96.36, 0.0693, 76.83, 5.84, 5.92, 97.92, 86.86, 28.26, 63.16] as const),
    "arXiv:2305.17651",
  ],
  [
    ...(["DPWavLM", 23.59, 8.22, 10.19, 96.27, 0.0874, 82.11, 5.98, 5.53, 98.58, 87.68, 26.11, 65.24] as const),
    "arXiv:2305.17651",
  ],
];

export const PUBLISHED: readonly PublishedRow[] = ROWS.map(
  ([name, parameters, per, wer, ks, mtwv, sid, eer, der, ic, f1, cer, er, source]) => ({
    name,
    parameters,
    results: { per, wer, ks, mtwv, sid, eer, der, ic, f1, cer, er },
    source,
  }),
);

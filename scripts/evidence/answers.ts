// What pairs of rows answer: differences with their intervals and tests, of each seed, of both together, and between the seeds of one row.
import { join } from "node:path";
import { compareAccuracies, compareErrorRates } from "../../src/metrics/compare.ts";
import { type ErrorReport, scoreErrors } from "../../src/metrics/error-rate.ts";
import { pairById } from "../../src/metrics/paired.ts";
import { readPredictions } from "../../src/metrics/predictions.ts";
import type { RowResult } from "./kept.ts";
import { ERROR_UNITS, PROBE_NAMES, PROBES, type ProbeName } from "./probes.ts";
import { nameOf, QUESTIONS, ROWS } from "./rows.ts";
import { difference, probability, table } from "./table.ts";

type Pair = readonly [RowResult, RowResult];

const BOOTSTRAP = { seed: 0 };

/** The sections of the page that compare rows. */
export async function answers(kept: string, rows: readonly RowResult[]): Promise<string[]> {
  const asked = QUESTIONS.map(({ a, b, asks }) => ({ name: asks, pairs: pairsOf(a, b, rows) }));
  const errors: string[][] = [];
  const accuracies: string[][] = [];
  for (const { name, pairs } of asked)
    for (const probe of PROBES) {
      const both = pairs.filter((pair) => pair.every(({ probes }) => probes[probe]));
      if (both.length === 0) continue;
      if (ERROR_UNITS[probe]) errors.push([name, ...(await errorsOf(kept, both, probe))]);
      else for (const pair of both) accuracies.push([name, ...(await accuracyOf(kept, pair, probe))]);
    }
  const seeds = await betweenSeeds(kept, rows);
  return [
    "The first row less the second, on the same utterances: a difference below 0 favours the first row. Both seeds: the errors of the two students of a row are added up by utterance, and a row of one seed stands against each of the other's; p by matched pairs over utterances.",
    table(["question", "rows", "of", "seed 0 (95 %)", "seed 1 (95 %)", "both seeds (95 %)", "p"], errors),
    ...(seeds.length > 0
      ? ["### What a seed changes", table(["row", "of", "seed 0 less seed 1 (95 %)", "p"], seeds)]
      : []),
    "### Accuracies",
    "The first row less the second: a difference above 0 favours the first row; p by McNemar's test.",
    table(["question", "rows", "of", "difference (95 %)", "p"], accuracies),
  ];
}

/** Rows of equal seeds; a row of which only the first is there stands beside both of the other's. */
function pairsOf(a: string, b: string, rows: readonly RowResult[]): Pair[] {
  const ofSeed = (id: string, seed: number) =>
    [seed, 0].flatMap((one) => rows.find((row) => row.id === id && row.seed === one) ?? [])[0] as RowResult | undefined;
  const pairs = [0, 1].flatMap((seed): Pair[] => {
    const [x, y] = [ofSeed(a, seed), ofSeed(b, seed)];
    return x && y ? [[x, y]] : [];
  });
  return pairs.filter(([x, y], i) => i === 0 || x !== pairs[0][0] || y !== pairs[0][1]);
}

const predictionsOf = (kept: string, row: RowResult, probe: ProbeName) =>
  readPredictions(join(kept, nameOf(row.id, row.seed), `${probe}.tsv`));

async function errorReport(kept: string, row: RowResult, probe: ProbeName): Promise<ErrorReport> {
  return scoreErrors(await predictionsOf(kept, row, probe), ERROR_UNITS[probe] ?? "word");
}

async function errorsOf(kept: string, pairs: readonly Pair[], probe: ProbeName): Promise<string[]> {
  const reports = await Promise.all(pairs.map((pair) => Promise.all(pair.map((row) => errorReport(kept, row, probe)))));
  const one = reports.map(([x, y]) => compareErrorRates(x, y, BOOTSTRAP));
  const all = compareErrorRates(addUp(reports.map(([x]) => x)), addUp(reports.map(([, y]) => y)), BOOTSTRAP);
  const ofSeed = (seed: number) => {
    const at = pairs.findIndex((pair) => Math.max(...pair.map((row) => row.seed)) === seed);
    return at < 0 ? "" : difference(one[at].difference);
  };
  const [a, b] = pairs[0];
  return [
    `${a.id} less ${b.id}`,
    PROBE_NAMES[probe],
    ofSeed(0),
    ofSeed(1),
    pairs.length > 1 ? difference(all.difference) : "",
    probability(all.matchedPairs.p),
  ];
}

/**
 * The errors of several systems on the same utterances, as if one had said all of it.
 * @throws UsageError where they were not tested on the same ones
 */
export function addUp(reports: readonly ErrorReport[]): ErrorReport {
  const [first, ...others] = reports;
  const add = (sums: ErrorReport["utterances"], more: ErrorReport["utterances"]) =>
    pairById(sums, more).map(([x, y]) => ({
      ...x,
      edits: x.edits + y.edits,
      reference: x.reference + y.reference,
    }));
  return { ...first, utterances: others.reduce((sums, { utterances }) => add(sums, utterances), first.utterances) };
}

async function accuracyOf(kept: string, [a, b]: Pair, probe: ProbeName): Promise<string[]> {
  const [x, y] = await Promise.all([a, b].map((row) => predictionsOf(kept, row, probe)));
  const { difference: shown, mcnemar } = compareAccuracies(x, y, BOOTSTRAP);
  return [
    `${nameOf(a.id, a.seed)} less ${nameOf(b.id, b.seed)}`,
    PROBE_NAMES[probe],
    difference(shown),
    probability(mcnemar.p),
  ];
}

/** Two students that differ only in their seeds: what lies within that is no answer. */
async function betweenSeeds(kept: string, rows: readonly RowResult[]): Promise<string[][]> {
  const lines: string[][] = [];
  for (const { id, title } of ROWS) {
    const [x, y] = [0, 1].map((seed) => rows.find((row) => row.id === id && row.seed === seed));
    for (const probe of PROBES) {
      if (!(x?.probes[probe] && y?.probes[probe] && ERROR_UNITS[probe])) continue;
      const [a, b] = await Promise.all([x, y].map((row) => errorReport(kept, row, probe)));
      const { difference: shown, matchedPairs } = compareErrorRates(a, b, BOOTSTRAP);
      lines.push([title, PROBE_NAMES[probe], difference(shown), probability(matchedPairs.p)]);
    }
  }
  return lines;
}

// docs/evidence.md from the kept rows: the table, pairs of rows with tests, what was not run; pictures beside it.
import { mkdir } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { writeFileAtomic } from "../../src/files.ts";
import { answers } from "./answers.ts";
import { type Measured, type RowResult, readRow } from "./kept.ts";
import { drawAccuracies, drawRates } from "./picture.ts";
import { ERROR_UNITS, PROBE_NAMES, PROBES } from "./probes.ts";
import { onComputing, onLearning, onSpeeds } from "./remarks.ts";
import { nameOf, ROWS } from "./rows.ts";
import { table } from "./table.ts";

/** The rows that are there, in the order of the table, and what is not there. */
export async function readRows(kept: string): Promise<{ done: RowResult[]; missing: string[] }> {
  const asked = ROWS.flatMap(({ id, title, seeds }) => seeds.map((seed) => ({ id, seed, title, seeds })));
  const done: RowResult[] = [];
  const missing: string[] = [];
  for (const { id, seed, title, seeds } of asked) {
    const row = await readRow(kept, nameOf(id, seed));
    if (!row || Object.keys(row.probes).length === 0) {
      missing.push(`${title}, seed ${seed}`);
      continue;
    }
    done.push(row);
    // words are for rows of the paper's questions
    const wanted = PROBES.filter((probe) => !row.probes[probe] && (probe !== "asr" || seeds.length > 1));
    if (wanted.length > 0)
      missing.push(`${wanted.map((probe) => PROBE_NAMES[probe]).join("; ")}: ${title}, seed ${seed}`);
  }
  return { done, missing };
}

const cell = (measured: Measured | undefined) =>
  measured ? `${measured.value.toFixed(2)} (${measured.low.toFixed(2)} to ${measured.high.toFixed(2)})` : "";
const minutes = (seconds: number) => `${Math.round(seconds / 60)} min`;

/** The numbers of every row. */
export function scoresTable(rows: readonly RowResult[]): string {
  const head = [
    "row",
    "seed",
    "parameters",
    "MACs, 10 s",
    "RTF",
    ...PROBES.map((probe) => PROBE_NAMES[probe]),
    "states",
  ];
  return table(
    head,
    rows.map(({ title, seed, parameters, macs, speed, probes }) => [
      title,
      String(seed),
      parameters === undefined ? "" : parameters.toLocaleString("en"),
      macs === undefined ? "" : `${(macs / 1e9).toFixed(2)} G`,
      speed === undefined ? "" : speed.realTimeFactor.toFixed(4),
      ...PROBES.map((probe) => cell(probes[probe])),
      [...new Set(Object.values(probes).map(({ states }) => states))].join(", "),
    ]),
  );
}

/** How long each row was distilled and probed. */
export function madeTable(rows: readonly RowResult[]): string {
  const head = ["row", "seed", "updates", "hours of audio", "validation loss", "best at"];
  return table(
    [...head, "distillation took", "on", "probes took"],
    rows.map(({ title, seed, training, probes }) => [
      title,
      String(seed),
      ...(training
        ? [
            String(training.updates),
            training.hours.toFixed(1),
            training.validation?.toFixed(4) ?? "",
            training.best ? String(training.best.step) : "",
            minutes(training.seconds),
            training.computing ?? "",
          ]
        : new Array<string>(6).fill("")),
      minutes(Object.values(probes).reduce((sum, { seconds }) => sum + seconds, 0)),
    ]),
  );
}

/** What the real-time factors were measured on. */
function onProcessors(rows: readonly RowResult[]): string {
  const names = [...new Set(rows.flatMap(({ speed }) => speed?.processor ?? []))];
  return names.length > 0 ? ` of ${names.join(", ")}` : "";
}

/** Pictures beside the page, of the probes that have numbers. Returns what shows them. */
async function drawPictures(rows: readonly RowResult[], folder: string): Promise<string[]> {
  const labelled = rows.map(({ title, seed, probes }) => ({ label: `${title}, seed ${seed}`, probes }));
  const rates = labelled.flatMap(({ label, probes }) => (probes.pr ? [{ label, ...probes.pr }] : []));
  const accuracies = labelled.flatMap(({ label, probes }) =>
    PROBES.flatMap((probe) =>
      probes[probe] && !ERROR_UNITS[probe] ? [{ label, probe: PROBE_NAMES[probe], ...probes[probe] }] : [],
    ),
  );
  await mkdir(folder, { recursive: true });
  const shown: string[] = [];
  const save = async (file: string, svg: string, what: string) => {
    await writeFileAtomic(join(folder, file), svg);
    shown.push(`![${what}](${basename(folder)}/${file})`);
  };
  if (rates.length > 0)
    await save(
      "per.svg",
      drawRates(rates, "phone error rate, %"),
      "Phone error rates of the rows with their intervals",
    );
  if (accuracies.length > 0)
    await save(
      "accuracies.svg",
      drawAccuracies(accuracies, "accuracy, %"),
      "Accuracies of the rows with their intervals: wake words, digits, speakers",
    );
  return shown;
}

/** Which states the heads read. */
export function weightsTable(rows: readonly RowResult[]): string {
  const weighed = PROBES.filter((probe) => rows.some(({ probes }) => probes[probe]?.layerWeights));
  const lines = rows
    .filter(({ probes }) => weighed.some((probe) => probes[probe]?.layerWeights))
    .map(({ title, seed, probes }) => [
      title,
      String(seed),
      ...weighed.map((probe) => probes[probe]?.layerWeights?.map((weight) => weight.toFixed(2)).join(" ") ?? ""),
    ]);
  return table(["row", "seed", ...weighed.map((probe) => PROBE_NAMES[probe])], lines);
}

/** Writes the page and its pictures. */
export async function writePage(kept: string, page: string): Promise<void> {
  const { done, missing } = await readRows(kept);
  const pictures = await drawPictures(done, join(dirname(page), "evidence"));
  const notRun = missing.map((one) => `- ${one}`).join("\n");
  const commands = done.flatMap((row) => [
    ...(row.training ? [row.training.command] : []),
    ...Object.values(row.probes).map(({ command }) => command),
  ]);
  const text = [
    "# Evidence",
    INTRODUCTION,
    "## Scores",
    ...pictures,
    `Percent, with 95 % bootstrap intervals over utterances. Parameters and MACs without heads. RTF: seconds of computing for a second of speech, one thread${onProcessors(done)}; rows of one shape show how exact that is.${onSpeeds(done)}`,
    scoresTable(done),
    "## Differences",
    ...(await answers(kept, done)),
    "## Where the probes look",
    "A head reads a weighted sum of a row's states and learns the weights, here from the lowest state up. Rows that were probed before weights were kept are left out.",
    weightsTable(done),
    "## How each was made",
    onLearning(done),
    madeTable(done),
    onComputing(done),
    "## Not run",
    missing.length > 0 ? notRun : "Nothing: every row and seed is there.",
    "## Commands",
    `\`\`\`\n${commands.join("\n")}\n\`\`\``,
  ]
    .filter((part) => part !== "")
    .join("\n\n");
  await writeFileAtomic(page, `${text}\n`);
}

const INTRODUCTION = `What reuse, masking and depth buy, on real speech: students of one teacher (hubert-small-libri, 3.25 M parameters) at an equal
budget of about 0.97 M parameters without heads, distilled by one recipe (\`evidence/recipe.yaml\`) on 7.3 hours of read English (libri-6h/train
and english-extra), then probed frozen; commands say where a row departs from it. Rows of 12 layers have a deeper teacher
(hubert-mid-libri, 11.1 M parameters) and 3.3 M of their own (\`evidence/deep.yaml\`). PER and WER are those of libri-6h's test split, whose six
speakers are in no training data. \`npm run evidence\` makes this page; rows are kept in \`evidence/rows\` with their settings and predictions, first
seeds of the main rows with their students. [Findings](findings.md) says in words what the tables say.`;

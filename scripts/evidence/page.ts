// docs/evidence.md from the kept rows: the table, pairs of rows with tests, what was not run; pictures beside it.
import { existsSync } from "node:fs";
import { mkdir, readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { writeFileAtomic } from "../../src/files.ts";
import { compareAccuracies, compareErrorRates } from "../../src/metrics/compare.ts";
import { scoreErrors } from "../../src/metrics/error-rate.ts";
import { readPredictions } from "../../src/metrics/predictions.ts";
import { drawRates } from "./picture.ts";
import { QUESTIONS, ROWS } from "./rows.ts";
import { type Measured, PROBES, type RowResult } from "./stages.ts";

type ProbeName = (typeof PROBES)[number];

const BOOTSTRAP = { seed: 0 };
const NAMES: Readonly<Record<ProbeName, string>> = {
  pr: "PER",
  "ks-keywords": "KS, wake words",
  "ks-digits": "KS, digits",
  "sid-libri": "SID, 24 speakers",
  asr: "WER",
};

const nameOf = ({ id, seed }: Pick<RowResult, "id" | "seed">) => `${id}-${seed}`;

/** The rows that are there, in the order of the table, and those that are not. */
async function readRows(kept: string): Promise<{ done: RowResult[]; missing: string[] }> {
  const wanted = ROWS.flatMap(({ id, title, seeds }) => seeds.map((seed) => ({ id, seed, title })));
  const done: RowResult[] = [];
  const missing: string[] = [];
  for (const { id, seed, title } of wanted) {
    const file = join(kept, nameOf({ id, seed }), "row.json");
    const row: RowResult | undefined = existsSync(file) ? JSON.parse(await readFile(file, "utf8")) : undefined;
    if (row && Object.keys(row.probes).length > 0) done.push(row);
    else missing.push(`${title}, seed ${seed}`);
  }
  return { done, missing };
}

const cell = (measured: Measured | undefined) =>
  measured ? `${measured.value.toFixed(2)} (${measured.low.toFixed(2)} to ${measured.high.toFixed(2)})` : "";
const table = (head: readonly string[], rows: readonly (readonly string[])[]) =>
  [head, head.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |`).join("\n");
const minutes = (seconds: number) => `${Math.round(seconds / 60)} min`;

function scoresTable(rows: readonly RowResult[]): string {
  const head = ["row", "seed", "parameters", "MACs, 10 s", "RTF", ...PROBES.map((probe) => NAMES[probe]), "states"];
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

function trainingTable(rows: readonly RowResult[]): string {
  const trained = rows.flatMap(({ title, seed, training, probes }) =>
    training ? [{ title, seed, training, probes }] : [],
  );
  return table(
    [
      "row",
      "seed",
      "updates",
      "hours of audio",
      "validation loss",
      "best at",
      "distillation took",
      "on",
      "probes took",
    ],
    trained.map(({ title, seed, training, probes }) => [
      title,
      String(seed),
      String(training.updates),
      training.hours.toFixed(1),
      training.validation?.toFixed(4) ?? "",
      training.best ? String(training.best.step) : "",
      minutes(training.seconds),
      training.computing ?? "",
      minutes(Object.values(probes).reduce((sum, { seconds }) => sum + seconds, 0)),
    ]),
  );
}

/** What the real-time factors were measured on. */
function onProcessors(rows: readonly RowResult[]): string {
  const names = [...new Set(rows.flatMap(({ speed }) => speed?.processor ?? []))];
  return names.length > 0 ? ` of ${names.join(", ")}` : "";
}

/** One pair of rows on one probe: the difference with its interval and p. */
async function pairOf(kept: string, a: RowResult, b: RowResult, probe: ProbeName): Promise<string[]> {
  const [x, y] = await Promise.all([a, b].map((row) => readPredictions(join(kept, nameOf(row), `${probe}.tsv`))));
  const signed = (value: number) => `${value > 0 ? "+" : ""}${value.toFixed(2)}`;
  const shown = ({ estimate, low, high }: { estimate: number; low: number; high: number }, p: number, test: string) => [
    NAMES[probe],
    `${signed(estimate)} (${signed(low)} to ${signed(high)})`,
    `${p < 0.001 ? "< 0.001" : p.toFixed(3)} (${test})`,
  ];
  if (probe === "pr" || probe === "asr") {
    const unit = probe === "pr" ? "phone" : "word";
    const { difference, matchedPairs } = compareErrorRates(scoreErrors(x, unit), scoreErrors(y, unit), BOOTSTRAP);
    return shown(difference, matchedPairs.p, "matched pairs");
  }
  const { difference, mcnemar } = compareAccuracies(x, y, BOOTSTRAP);
  return shown(difference, mcnemar.p, "McNemar");
}

async function answersTable(kept: string, rows: readonly RowResult[]): Promise<string> {
  const lines: string[][] = [];
  for (const { a, b, asks } of QUESTIONS)
    for (const seed of [0, 1]) {
      const of = (id: string) =>
        rows.find((row) => row.id === id && row.seed === seed) ?? rows.find((row) => row.id === id && row.seed === 0);
      const [x, y] = [of(a), of(b)];
      if (!x || !y || Math.max(x.seed, y.seed) !== seed) continue;
      for (const probe of PROBES)
        if (x.probes[probe] && y.probes[probe])
          lines.push([asks, `${nameOf(x)} less ${nameOf(y)}`, ...(await pairOf(kept, x, y, probe))]);
    }
  return lines.length > 0
    ? table(["question", "rows", "of", "difference (95 %)", "p"], lines)
    : "No pair of rows is there yet.";
}

/** Writes the page, and a picture of the phone error rates where there are any. */
export async function writePage(kept: string, page: string): Promise<void> {
  const { done, missing } = await readRows(kept);
  const rates = done.flatMap(({ title, seed, macs, probes }) =>
    probes.pr ? [{ label: `${title}, seed ${seed}`, macs, ...probes.pr }] : [],
  );
  const folder = join(dirname(page), "evidence");
  if (rates.length > 0) {
    await mkdir(folder, { recursive: true });
    await writeFileAtomic(join(folder, "per.svg"), drawRates(rates, "phone error rate, %"));
  }
  const notRun = missing.map((one) => `- ${one}`).join("\n");
  const commands = done.flatMap((row) => [
    ...(row.training ? [row.training.command] : []),
    ...Object.values(row.probes).map(({ command }) => command),
  ]);
  const text = [
    "# Evidence",
    INTRODUCTION,
    "## Scores",
    ...(rates.length > 0 ? ["![Phone error rates of the rows with their intervals](evidence/per.svg)"] : []),
    `Percent, with 95 % bootstrap intervals over utterances. Parameters and MACs without heads. RTF: seconds of computing for a second of speech, one thread${onProcessors(done)}.`,
    scoresTable(done),
    "## Differences",
    "The first row less the second, on the same utterances. Of error rates a difference below 0 favours the first row, of accuracies one above 0.",
    await answersTable(kept, done),
    "## How each was made",
    trainingTable(done),
    "## Not run",
    missing.length > 0 ? notRun : "Nothing: every row and seed is there.",
    "## Commands",
    `\`\`\`\n${commands.join("\n")}\n\`\`\``,
  ].join("\n\n");
  await writeFileAtomic(page, `${text}\n`);
}

const INTRODUCTION = `What reuse, masking and depth buy, on real speech: students of one teacher (hubert-small-libri, 3.25 M parameters) at an equal
budget of about 0.97 M parameters without heads, distilled by one recipe (\`evidence/recipe.yaml\`) on 7.3 hours of read English (libri-6h/train
and english-extra), then probed frozen; commands say where a row departs from it. PER and WER are those of libri-6h's test split, whose six speakers are in no training data. \`npm run evidence\`
makes this page; rows are kept in \`evidence/rows\` with their settings, predictions and students. What the table does not show, this text does not claim.`;

// Regenerates docs/evidence.md: distils a student for every row, probes it, compares the rows. What is done is kept.
// Usage: npm run evidence -- [--rows exact,none] [--seeds 0] [--stages train,probe,words,speed] [--device cpu] [--precision bf16] [--threads n]
//        [--speech ../shared/speech] [--models ../shared/models] [--work runs/evidence] [--page] [--lists]
// Rows and seeds come in order of importance; Ctrl-C at any time, the same command goes on. --page only writes the page again,
// --lists only the lists of speech that trainings read.
import { join } from "node:path";
import { parseArgs } from "node:util";
import { StillwaveError, UsageError } from "../../src/errors.ts";
import { writePage } from "./page.ts";
import { ROWS } from "./rows.ts";
import { prepareSpeech } from "./speech.ts";
import { doRow, measureRows, type Settings, type Stage } from "./stages.ts";

const STAGES: readonly Stage[] = ["train", "probe", "words", "speed"];
const KEPT = "evidence/rows";

const { values } = parseArgs({
  options: {
    rows: { type: "string" },
    seeds: { type: "string", default: "0,1" },
    stages: { type: "string", default: "train,probe,speed" },
    device: { type: "string", default: "cpu" },
    precision: { type: "string" },
    threads: { type: "string" },
    speech: { type: "string", default: "../shared/speech" },
    models: { type: "string", default: "../shared/models" },
    work: { type: "string", default: "runs/evidence" },
    page: { type: "boolean", default: false },
    lists: { type: "boolean", default: false },
  },
});

function listed<T extends string>(given: string, known: readonly T[], what: string): T[] {
  return given.split(",").map((name) => {
    const found = known.find((one) => one === name);
    if (!found) throw new UsageError(`no ${what} "${name}"; there are ${known.join(", ")}`);
    return found;
  });
}

async function main(): Promise<void> {
  if (values.lists) {
    const { train, speakers } = await prepareSpeech(values.speech, values.work);
    console.log(`${train}\n${join(speakers, "labels.tsv")}`);
    return;
  }
  const stages = new Set(listed(values.stages, STAGES, "stage"));
  const ids = ROWS.map(({ id }) => id);
  const chosen = values.rows === undefined ? ids : listed(values.rows, ids, "row");
  const wanted = listed(values.seeds, ["0", "1"], "seed").map(Number);
  if (!values.page) {
    const settings: Settings = {
      models: values.models,
      speech: await prepareSpeech(values.speech, values.work),
      work: values.work,
      kept: KEPT,
      device: values.device,
      precision: values.precision,
      threads: values.threads === undefined ? undefined : Number(values.threads),
    };
    const jobs = ROWS.filter(({ id }) => chosen.includes(id)).flatMap((row) =>
      row.seeds.filter((seed) => wanted.includes(seed)).map((seed) => ({ row, seed })),
    );
    // first seeds of all rows before second ones
    for (const { row, seed } of jobs.toSorted((a, b) => a.seed - b.seed)) {
      console.log(`${row.id}, seed ${seed}: ${row.title}`);
      await doRow(row, seed, stages, settings);
    }
    if (stages.has("speed")) await measureRows(ROWS, settings);
  }
  await writePage(KEPT, join("docs", "evidence.md"));
}

await main().catch((error: unknown) => {
  if (!(error instanceof StillwaveError)) throw error;
  console.error(`evidence: ${error.message}`);
  process.exitCode = 1;
});

// run.json of all tasks together: whose folder it is, and what was asked for.
import { StillwaveError } from "../../errors.ts";
import {
  openRunFolder,
  type RunFolder,
  type RunKind,
  type RunRecord,
  startsOf,
  writeRunRecord,
} from "../../training/run-folder.ts";

const KIND = "stillwave superb benchmark";
const FORMAT = 1;

/** What is evaluated where. */
export interface BenchmarkPlan {
  readonly upstream: string;
  readonly dataRoot: string;
  readonly tasks: readonly string[];
  /** Tasks without a corpus, and what was looked for. */
  readonly missing: readonly { readonly task: string; readonly lookedFor: string }[];
  readonly isQuick: boolean;
}

interface BenchmarkRecord extends RunRecord {
  readonly kind: typeof KIND;
  readonly plan: BenchmarkPlan;
}

const BENCHMARK: RunKind<BenchmarkRecord> = {
  errors: {
    used: "holds an evaluation of all tasks already; go on with it by --resume, or give another --out",
    foreign: "not empty and no evaluation of all tasks (no run.json); give another --out",
  },
  isLeftover: (name) => name.startsWith("."),
  folders: [],
  readRecord(value, path) {
    const record = value as BenchmarkRecord | null | undefined;
    if (record?.kind !== KIND || record.format !== FORMAT || typeof record.plan !== "object")
      throw new StillwaveError(`${path}: not the record of an evaluation of all tasks; give another folder with --out`);
    return record;
  },
};

/** @throws StillwaveError for a folder in use, one that holds something else, or a run that is not to be resumed. */
export const openBenchmarkFolder = (path: string, resume: boolean): Promise<RunFolder<BenchmarkRecord>> =>
  openRunFolder(path, resume, BENCHMARK);

/**
 * Writes run.json. Tasks may join on resume, and every run checks its own settings; upstream and profile stay.
 * @throws StillwaveError where they are others
 */
export async function recordBenchmark(
  { path, record: before }: RunFolder<BenchmarkRecord>,
  plan: BenchmarkPlan,
): Promise<void> {
  const isSame = !before || (before.plan.upstream === plan.upstream && before.plan.isQuick === plan.isQuick);
  if (!isSame)
    throw new StillwaveError(
      `${path}: begun with ${before.plan.upstream}${before.plan.isQuick ? ", quick" : ""}; resume it so, or give another --out`,
    );
  const { created, environment, resumes } = startsOf(before, (now) => now);
  await writeRunRecord(path, { kind: KIND, format: FORMAT, created, environment, resumes, plan } as BenchmarkRecord);
}

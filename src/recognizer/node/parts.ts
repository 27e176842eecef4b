// What a run that recognises is made of: the upstream it names, the trained head, its labels and what it was measured to do.
import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { StillwaveError } from "../../errors.ts";
import type { Parameters } from "../../graph/array.ts";
import { SAMPLE_RATE_HZ } from "../../models/config.ts";
import type { ObjectiveSpec } from "../../superb/objectives/spec.ts";
import { type HeadSettings, readHead } from "../../superb/run/head-folder.ts";
import { EVALUATION_FILES } from "../../superb/run/record.ts";
import { type EvaluationResult, readResult } from "../../superb/run/result.ts";
import { TASKS } from "../../superb/tasks/index.ts";
import type { UpstreamOptions } from "../../upstream/upstream.ts";
import type { RecognizerFacts, RecognizerFigure } from "../recognizer.types.ts";

/** Beside `head/` where the upstream was trained with it. */
const OWN_UPSTREAM = "upstream";
/** Of a training: the folder of the model that was best on dev. */
const BEST = "best";

export interface RecognizerParts {
  /** The run, as it was given. */
  readonly run: string;
  /** Model folder, checkpoint, exported file, Hugging Face id, or a filterbank. */
  readonly upstream: string;
  /** What `openUpstream` is to be told: which states, and how a checkpoint is read. */
  readonly upstreamOptions: Pick<UpstreamOptions, "states" | "part" | "reuse" | "teacherHeads">;
  /** The head, what it answers and which upstream it was trained on (`upstream.fingerprint`). */
  readonly settings: HeadSettings;
  /** Of the head, `featurizer.weights` (before their softmax) among them. */
  readonly parameters: Parameters;
  /** Without what only the opened upstream tells. */
  readonly facts: Omit<RecognizerFacts, "minSamples" | "dtype" | "streaming">;
}

/**
 * Opens a run of `stillwave superb` or `stillwave finetune`: the folder itself, or `best/` or `last/` of a training.
 * @param upstream where the upstream lies now, if it has moved
 * @throws StillwaveError for a folder without a head, or a head whose answers are no labels
 */
export async function openRecognizerParts(run: string, upstream?: string): Promise<RecognizerParts> {
  const folder = await headFolder(run);
  const { settings, parameters } = await readHead(folder);
  const own = join(dirname(folder), OWN_UPSTREAM);
  const spec = upstream ?? (existsSync(own) ? own : settings.upstream.spec);
  const { task, config } = settings;
  const stack = config.kind === "bilstm" ? config.stack : 1;
  const facts = {
    ...labelsOf(settings.objective, run),
    task,
    sampleRate: SAMPLE_RATE_HZ,
    samplesPerFrame: settings.upstream.samplesPerFrame * stack,
    upstream: shortName(spec),
    figures: await figuresOf(run),
  } as const;
  return {
    run,
    upstream: spec,
    upstreamOptions: settings.upstream.options as RecognizerParts["upstreamOptions"],
    settings,
    parameters,
    facts,
  };
}

/** Whether a folder is that of a run rather than of a model: it tells what was done, or holds a head. */
export const isRun = (folder: string): boolean =>
  [EVALUATION_FILES.head, join(BEST, EVALUATION_FILES.head), EVALUATION_FILES.result].some((name) =>
    existsSync(join(folder, name)),
  );

async function headFolder(run: string): Promise<string> {
  for (const folder of [join(run, EVALUATION_FILES.head), join(run, BEST, EVALUATION_FILES.head)])
    if (existsSync(folder)) return folder;
  const names: string[] = await readdir(run).catch(() => []);
  const [fold] = names.filter((name) => name.startsWith("fold-")).sort();
  if (fold) throw new StillwaveError(`${run}: has a head for each fold; give one of them, such as ${join(run, fold)}`);
  if (names.includes(EVALUATION_FILES.result) && (await readResult(run)).search)
    throw new StillwaveError(
      `${run}: query by example searches with hidden states and trains no head; there is nothing to recognise with`,
    );
  throw new StillwaveError(
    `${run}: ${existsSync(run) ? "no head in it" : "no such folder"}; give the folder of a finished run of \`stillwave superb\` or \`stillwave finetune\``,
  );
}

type Labels = Pick<RecognizerFacts, "kind" | "text" | "labels" | "special" | "blank" | "slots">;

function labelsOf(spec: ObjectiveSpec, run: string): Labels {
  if (spec.kind === "ctc") {
    const { text, symbols, special } = spec;
    return {
      kind: "ctc",
      text,
      labels: symbols,
      special: special.map((one) => symbols.indexOf(one)),
      blank: 0,
      slots: [],
    };
  }
  if (spec.kind === "classes") {
    const slots = spec.slots.map(({ name, values }) => ({ name, size: values.length }));
    const labels = spec.slots.flatMap(({ values }) => values);
    return { kind: "classes", text: null, labels, special: [], blank: null, slots };
  }
  throw new StillwaveError(
    spec.kind === "voices"
      ? `${run}: its head gives embeddings of voices to be compared in pairs (${TASKS.asv.title}), not labels; it cannot be a recogniser`
      : `${run}: its head tells who speaks when, speakers being numbered anew in each recording (${TASKS.sd.title}), not labels; it cannot be a recogniser`,
  );
}

/** `runs/reuse/best` -> `reuse`: no path of the machine it was made on. */
function shortName(spec: string): string {
  if (!existsSync(spec)) return spec;
  const name = basename(spec);
  return ["best", "last", OWN_UPSTREAM].includes(name) && dirname(spec) !== spec ? shortName(dirname(spec)) : name;
}

/** What the run came to on its test split, in each way of decoding; empty where it has not ended. */
async function figuresOf(run: string): Promise<RecognizerFigure[]> {
  const path = resolve(run);
  const folder = [path, ...(basename(path) === BEST ? [dirname(path)] : [])].find((one) =>
    existsSync(join(one, EVALUATION_FILES.result)),
  );
  if (folder === undefined) return [];
  const { data, metric, otherMetrics, decodings }: EvaluationResult = await readResult(folder);
  const on = `${basename(data.root)}, test`;
  const ways = decodings.length > 0 ? decodings : [{ name: "", metric, otherMetrics }];
  return ways.flatMap((way) =>
    [way.metric, ...way.otherMetrics].map(({ name, value }) => ({
      name,
      value,
      on: ["", "greedy", "largest logit"].includes(way.name) ? on : `${on}, ${way.name}`,
    })),
  );
}

// Makes the parts of a fine-tuning from its recipe: labelled corpus, upstream, head, step, speech.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { SAMPLE_RATE_HZ } from "../../audio/index.ts";
import { type LoadedModel, loadCheckpoint } from "../../checkpoint/index.ts";
import { BadFiles } from "../../data/bad-files.ts";
import { StillwaveError, UsageError } from "../../errors.ts";
import type { Parameters } from "../../graph/array.ts";
import { frameCount, type ModelConfig, receptiveField } from "../../models/config.ts";
import { createRuntime } from "../../runtime/node/index.ts";
import type { Runtime } from "../../runtime/runtime.ts";
import type { HeadConfig } from "../../superb/heads/config.ts";
import { headFrames } from "../../superb/heads/graph.ts";
import { initHead } from "../../superb/heads/parameters.ts";
import { type PerSplit, SPLITS } from "../../superb/labels/classes.ts";
import type { TaskUtterance } from "../../superb/labels/utterance.types.ts";
import { decodingReading } from "../../superb/objectives/decoding.ts";
import { createObjective } from "../../superb/objectives/index.ts";
import type { Objective, Reading } from "../../superb/objectives/objective.types.ts";
import { createDecoding } from "../../superb/objectives/open-decoding.ts";
import { readHead } from "../../superb/run/head-folder.ts";
import { asr } from "../../superb/tasks/asr.ts";
import { pr } from "../../superb/tasks/pr.ts";
import { perSplit } from "../../superb/tasks/splits.ts";
import { partOf } from "../../superb/tasks/subset.ts";
import type { TaskData } from "../../superb/tasks/task.types.ts";
import { listSome } from "../../tokens.ts";
import { differences } from "../../training/run-folder.ts";
import { mixesUtterances } from "../../upstream/batches.ts";
import { hasHeads, resolveStates, statesFor } from "../../upstream/states.ts";
import { type JointModel, joined } from "../model/parameters.ts";
import { JointStep } from "../model/step.ts";
import type { FinetuneRecipe } from "../recipe/schema.ts";
import { type LabelledSpeech, openSpeech, trainable } from "../speech.ts";
import { targetNamed } from "../target.ts";
import { FINETUNE_FILES } from "./record.ts";

export interface PreparedFinetuning {
  readonly data: TaskData;
  /** Without files that cannot be used or trained on. */
  readonly utterances: PerSplit<readonly TaskUtterance[]>;
  readonly objective: Objective;
  /** Further ways of reading the outputs of test. */
  readonly decodings: readonly Reading[];
  /** The weights that are begun with. */
  readonly before: LoadedModel;
  readonly model: JointModel;
  /** `states` of the upstream, decided. */
  readonly states: "heads" | "layers" | "all" | "last";
  readonly step: JointStep;
  readonly speech: LabelledSpeech;
  readonly runtime: Runtime;
  dispose(): Promise<void>;
}

/** @throws StillwaveError for files that cannot be used, UsageError for settings that do not fit them */
export async function prepareFinetuning(
  recipe: FinetuneRecipe,
  folder: string,
  note: (text: string) => void,
): Promise<PreparedFinetuning> {
  const { upstream, run } = recipe;
  const { reading } = targetNamed(recipe.target);
  const data = partOf(await reading.load(recipe.data), recipe.data.most);
  data.notes.forEach(note);
  const { decoder = "ctc", ...search } = recipe.decoding ?? {};
  const objective = createObjective(data.objective, decoder);
  const isSearched = Object.values(search).some((value) => value !== undefined);
  const decodings =
    data.objective.kind === "ctc" && isSearched ? [await createDecoding(data.objective, search, note)] : [];
  const { model: name, part, reuse, teacherHeads } = upstream;
  const before = await loadCheckpoint(name, { part, reuse, teacherHeads });
  for (const text of before.info.notes) note(`${name}: ${text}`);
  const { config } = before;
  if (mixesUtterances(config))
    throw new UsageError(
      `${name}: it reuses maps as the released code does, across the utterances of a batch, which would then answer for each other; fine-tune it with upstream.reuse: exact`,
    );
  const states = resolveStates(upstream.states, hasHeads(config), name);
  const chosen = statesFor(config, states);
  const dim = states === "heads" && config.headDim !== null ? config.headDim : config.dim;
  const head = headConfig(recipe, objective.outputs);
  const model: JointModel = { config, head, input: { layers: chosen.length, dim } };
  const utterances = usable(data, recipe, config, note);
  if (data.objective.kind === "ctc") noteShort(utterances, model, note);
  const runtime = await createRuntime({ device: run.device, threads: run.threads ?? undefined });
  if (runtime.device !== "cpu") note(`computes on ${runtime.device}`);
  const { dropout, layerDrop } = upstream;
  const step = new JointStep({
    model,
    states: chosen,
    parameters: joined(before, await headWeights(recipe, model, data)),
    rates: { ...dropout, layer: layerDrop },
    masksTime: (recipe.specAugment?.timeProbability ?? 0) > 0,
    runtime,
  });
  const keptFolder = join(process.env.STILLWAVE_CACHE || folder, FINETUNE_FILES.speech);
  const speech = await openSpeech(recipe, { utterances, keptFolder, onNote: note });
  return {
    data,
    utterances,
    objective,
    decodings: decodings.map(decodingReading),
    before,
    model,
    states,
    step,
    speech,
    runtime,
    async dispose() {
      await speech.close();
      await step.dispose();
    },
  };
}

/** Fresh weights of the head, or those of a run. @throws StillwaveError where that head reads or answers something else */
async function headWeights({ head }: FinetuneRecipe, model: JointModel, data: TaskData): Promise<Parameters> {
  if (head.from === undefined) return initHead(model.head, model.input, head.seed);
  const best = join(head.from, FINETUNE_FILES.best);
  const folder = join(existsSync(best) ? best : head.from, FINETUNE_FILES.head);
  const { settings, parameters } = await readHead(folder);
  const wanted = { config: model.head, input: model.input, objective: data.objective };
  const { config, input, objective } = settings;
  const [difference] = differences({ config, input, objective }, wanted, true);
  if (difference)
    throw new StillwaveError(
      `${folder}: this head is another than the recipe's: its ${difference.name} is ${cut(difference.before)}, and ${cut(difference.now)} is wanted; mend head, upstream.states or data, or leave head.from out`,
    );
  return parameters;
}

const cut = (text = "absent"): string => (text.length > 100 ? `${text.slice(0, 100)}...` : text);

/** The head: of classes the task's own, of CTC linear as for phones, or recurrent as for characters. */
function headConfig({ target, head }: FinetuneRecipe, outputs: number): HeadConfig {
  const { kind, projection, hidden, stack, normalizeStates } = head;
  const sizes = { projection, hidden, stack, normalizeStates };
  const { reading } = targetNamed(target);
  if (reading.head(outputs, sizes).kind === "utterance") return reading.head(outputs, sizes);
  return (kind === "linear" ? pr : asr).head(outputs, sizes);
}

/** @throws StillwaveError naming files that are too short for a frame, or a split that is left without any */
function usable(
  data: TaskData,
  recipe: FinetuneRecipe,
  config: ModelConfig,
  note: (text: string) => void,
): PerSplit<readonly TaskUtterance[]> {
  const { onBadFile } = recipe.data;
  const [first] = data.badFiles;
  if (first) note(`${data.badFiles.length} bad files left out, first ${first.path}: ${first.reason}`);
  const least = receptiveField(config.conv);
  const bad = new BadFiles();
  const utterances = perSplit((split) =>
    data.utterances[split].filter(({ path, samples, ...part }) => {
      if (samples >= least) return true;
      bad.add(path, `${samples} samples, the upstream needs at least ${least} for one frame`, part);
      return false;
    }),
  );
  if (onBadFile === "stop") bad.throwIfAny(SPLITS.reduce((sum, split) => sum + data.utterances[split].length, 0));
  else if (bad.count > 0) note(`${bad.count} files are too short for a frame and left out:\n${bad.describe()}`);
  for (const split of SPLITS)
    if (utterances[split].length === 0)
      throw new StillwaveError(`${data.root}: no usable file is left in the split ${split}; repair the corpus`);
  return { ...utterances, train: trainable(utterances.train, recipe.data, note) };
}

/** CTC needs a frame for every symbol, and one between equal ones: utterances that have fewer teach nothing. */
function noteShort(
  { train }: PerSplit<readonly TaskUtterance[]>,
  { config, head }: JointModel,
  note: (text: string) => void,
): void {
  const short = train.filter(({ label, samples }) => {
    let needed = label.length;
    for (let i = 1; i < label.length; i++) needed += Number(label[i] === label[i - 1]);
    return needed > headFrames(head, frameCount(config.conv, samples));
  });
  if (short.length === 0) return;
  const ids = short.map(({ id, samples }) => `${id} (${(samples / SAMPLE_RATE_HZ).toFixed(2)} s)`);
  note(
    `${short.length} of ${train.length} utterances have fewer frames than symbols, so that nothing is learnt from them: ${listSome(ids, 5)}`,
  );
}

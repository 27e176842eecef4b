// Recordings of known speakers for verification: those to train on, trials to choose and to test by, silences cut out of all.
import { existsSync } from "node:fs";
import { basename, dirname, extname, join } from "node:path";
import { SAMPLE_RATE_HZ } from "../../../audio/index.ts";
import { BadFiles } from "../../../data/bad-files.ts";
import type { BadFile, Utterance } from "../../../data/index.ts";
import { readLines } from "../../../data/lines.ts";
import { partOf, type RecordingPart } from "../../../data/recording.ts";
import { StillwaveError } from "../../../errors.ts";
import { XVECTOR_MIN_FRAMES } from "../../../nn/x-vector.ts";
import { madeLengths } from "../../../speakers/made-lengths.ts";
import { sexesOf } from "../../../speakers/sexes.ts";
import {
  type MakeOptions,
  makeTrials,
  parseTrials,
  refuseOneKind,
  type Trial,
  trialLines,
  type Voice,
} from "../../../speakers/trials.ts";
import { type SpokenBy, voxcelebFolders, voxcelebRecordings, voxcelebTrials } from "../../../speakers/voxceleb.ts";
import { listSome } from "../../../tokens.ts";
import { framesOfSamples } from "../../../upstream/frames.ts";
import { type PerSplit, SPLITS, type Split } from "../../labels/classes.ts";
import type { TaskUtterance } from "../../labels/utterance.types.ts";
import type { DataSettings } from "../../recipe/schema.ts";
import { heldOutOrder, openSplits, perSplit, refuseShared, taskData, USUAL_CONTEXT } from "../splits.ts";
import type { LoadContext, TaskData } from "../task.types.ts";

/** Shorter ones are not trained on, once their silences are cut out. */
const SHORTEST_SAMPLES = 2 * SAMPLE_RATE_HZ;
/** Speakers held out of training for choices: as many as the benchmark's own list of that kind has, at most a tenth. */
const HELD_OUT_SPEAKERS = 40;
const TRIAL_SEED = 0;

type Recording = SpokenBy & RecordingPart;

interface Corpus {
  readonly recordings: PerSplit<readonly Recording[]>;
  readonly names: PerSplit<string>;
  /** The list of trials that belongs to it. */
  readonly list?: string;
  readonly badFiles: readonly BadFile[];
  readonly notes: readonly string[];
}

/** @throws StillwaveError for a corpus without speakers, or one of whose trials something is wrong */
export async function voiceData(
  data: DataSettings,
  { protocol, framing }: LoadContext = USUAL_CONTEXT,
): Promise<TaskData> {
  const { root } = data;
  const corpus = await openVoices(data);
  const { recordings, names } = protocol === "fixed" ? withDev(corpus, root) : withoutDev(corpus);
  const trials = await trialsOf(data, corpus, recordings);
  const asked = perSplit((split) =>
    split === "train" ? recordings.train : inTrials(recordings[split], trials[split]),
  );
  const { utterances, notes, badFiles } = await trimmed(asked, data, await framing());
  const speakers = [...new Set(utterances.train.map(({ reference }) => reference))].sort();
  const places = new Map(speakers.map((speaker, i) => [speaker, i]));
  const labelled = perSplit((split) =>
    utterances[split].map((one) => ({ ...one, label: split === "train" ? [places.get(one.reference) ?? 0] : [] })),
  );
  const there = new Set(labelled.dev.concat(labelled.test).map(({ id }) => id));
  const left = (split: "dev" | "test") =>
    trials[split].filter(({ first, second }) => there.has(first) && there.has(second));
  const list = data.trials ?? corpus.list;
  const isMade = list === undefined;
  refuseOneKind(left("test"), list ?? `${root}, ${names.test}`);
  if (recordings.dev.length > 0) refuseOneKind(left("dev"), `${root}, ${names.dev}`);
  const kept = { ...(isMade && { "trials-test.txt": left("test") }), "trials-dev.txt": left("dev") };
  const files = Object.entries(kept).flatMap(([name, list]) => (list.length > 0 ? [[name, trialLines(list)]] : []));
  return taskData(
    {
      root,
      utterances: labelled,
      trials: { dev: left("dev"), test: left("test") },
      objective: { kind: "voices", speakers },
      badFiles: [...corpus.badFiles, ...badFiles],
      notes: [...corpus.notes, ...notes, ...(isMade ? [madeNote(root, left("test"))] : [])],
      files: Object.fromEntries(files),
    },
    names,
  );
}

const madeNote = (root: string, trials: readonly Trial[]) =>
  `${root} has no list of trials: ${trials.length} are made (seed ${TRIAL_SEED}), half of them of one speaker; the run folder keeps them`;

/** Recordings of the corpus's splits, each with its speaker. */
async function openVoices(data: DataSettings): Promise<Corpus> {
  const { root } = data;
  const voxceleb = await voxcelebFolders(root);
  if (voxceleb && !data.splits) {
    const [train, test] = await Promise.all([voxceleb.train, voxceleb.test].map(voxcelebRecordings));
    const names = { train: "dev archive of VoxCeleb1", dev: "none", test: "test archive of VoxCeleb1" };
    return { recordings: { train, dev: [], test }, names, list: voxcelebTrials(root), badFiles: [], notes: [] };
  }
  const table = join(root, "labels.tsv");
  const { utterances, names, badFiles, notes } = await openSplits(
    existsSync(table) ? { ...data, root: table } : data,
    "speakers",
  );
  const mute = SPLITS.flatMap((split) => utterances[split].filter(({ speaker }) => !speaker));
  if (mute.length > 0)
    throw new StillwaveError(
      `${root}: no speaker of ${mute.length} recordings (${listSome(
        mute.map(({ id }) => id),
        5,
      )}); expected VoxCeleb1's folders, LibriSpeech's layout, or a list with a column speaker`,
    );
  const spoken = (one: Utterance): Recording => ({ id: one.id, ...partOf(one), speaker: one.speaker ?? "" });
  const recordings = perSplit((split) => utterances[split].map(spoken));
  refuseShared(root, recordings);
  return { recordings, names, badFiles, notes };
}

type Divided = Pick<Corpus, "recordings" | "names">;

/** The benchmark has no dev split: it trains on all speakers that are not tested. */
const withoutDev = ({ recordings, names }: Corpus): Divided => ({
  recordings: { ...recordings, dev: [] },
  names: { ...names, dev: "none" },
});

/** Speakers that choose: those of the dev split, or some that are held out of training. */
function withDev({ recordings, names }: Corpus, root: string): Divided {
  if (recordings.dev.length > 0) return { recordings, names };
  const speakers = heldOutOrder([...new Set(recordings.train.map(({ speaker }) => speaker))]);
  const count = Math.min(HELD_OUT_SPEAKERS, Math.max(2, Math.round(speakers.length / 10)));
  if (speakers.length < count + 2)
    throw new StillwaveError(
      `${root}: ${speakers.length} speakers to train on are too few to hold ${count} out for choices; name a split with --dev`,
    );
  const held = new Set(speakers.slice(0, count));
  const of = (isHeld: boolean) => recordings.train.filter(({ speaker }) => held.has(speaker) === isHeld);
  return {
    recordings: { ...recordings, train: of(false), dev: of(true) },
    names: {
      ...names,
      train: `${names.train} without the speakers that are held out`,
      dev: `${count} speakers held out of train (by hash)`,
    },
  };
}

async function trialsOf(
  { root, trials: given }: DataSettings,
  { list }: Corpus,
  recordings: PerSplit<readonly Recording[]>,
): Promise<Record<Split, readonly Trial[]>> {
  const voices = await voicesOf(root);
  const made = (split: Split) =>
    makeTrials(recordings[split].map(voices), { seed: TRIAL_SEED, of: `${root}, split ${split}` });
  const file = given ?? list;
  return {
    train: [],
    dev: recordings.dev.length > 0 ? made("dev") : [],
    test: file === undefined ? made("test") : await readTrials(file, recordings),
  };
}

/** What trials are made of, with the sex where the corpus says it. */
async function voicesOf(root: string): Promise<(recording: Recording) => Voice> {
  const sexes = await sexesOf(root);
  return ({ id, path, speaker }) => {
    const sex = sexes.get(speaker) ?? sexes.get(id) ?? sexes.get(basename(path, extname(path)));
    return { id, speaker, session: dirname(path), ...(sex !== undefined && { sex }) };
  };
}

/** Trials of a split of a corpus. @throws StillwaveError where none can be made */
export async function corpusTrials(data: DataSettings, split: "dev" | "test", options: MakeOptions): Promise<Trial[]> {
  const { recordings } = await openVoices(data);
  return makeTrials(recordings[split].map(await voicesOf(data.root)), {
    of: `${data.root}, split ${split}`,
    ...options,
  });
}

/** Recordings are named by their id, with or without extension, or by their path. */
async function readTrials(file: string, { train, test }: PerSplit<readonly Recording[]>): Promise<Trial[]> {
  const byName = new Map<string, Recording>();
  for (const recording of test) for (const name of [recording.id, recording.path]) byName.set(name, recording);
  const trained = new Set(train.map(({ id }) => id));
  const without = (name: string) => name.slice(0, name.length - extname(name).length);
  return parseTrials(await readLines(file, "trial"), file, (name) => {
    if (trained.has(without(name)) || trained.has(name))
      throw new StillwaveError(`${file}: a trial names "${name}", which is trained on`);
    return byName.get(name) ?? byName.get(without(name));
  });
}

function inTrials(recordings: readonly Recording[], trials: readonly Trial[]): Recording[] {
  const named = new Set(trials.flatMap(({ first, second }) => [first, second]));
  return recordings.filter(({ id }) => named.has(id));
}

/** What is left of the recordings without their silences; those too short are left out of training, and bad elsewhere. */
async function trimmed(
  recordings: PerSplit<readonly Recording[]>,
  { root, onBadFile }: DataSettings,
  framing: Parameters<typeof framesOfSamples>[1],
) {
  const all = SPLITS.flatMap((split) => recordings[split].map((recording) => ({ split, recording })));
  const making = { kind: "trimmed" } as const;
  const lengths = await madeLengths(all.map(({ recording }) => ({ ...partOf(recording), making })));
  const utterances: Record<Split, TaskUtterance[]> = { train: [], dev: [], test: [] };
  const bad = new BadFiles();
  let short = 0;
  for (const [i, { split, recording }] of all.entries()) {
    const { id, speaker } = recording;
    const part = { ...partOf(recording), making };
    const samples = lengths[i];
    if (typeof samples !== "number") bad.add(part.path, samples.reason, part);
    else if (split === "train" && samples <= SHORTEST_SAMPLES) short++;
    else if (split !== "train" && framesOfSamples(samples, framing) < XVECTOR_MIN_FRAMES)
      bad.add(part.path, `too short: an x-vector takes ${XVECTOR_MIN_FRAMES} frames, and without its silences it has ${framesOfSamples(samples, framing)}`, part); // biome-ignore format: one line
    else utterances[split].push({ id, ...part, samples, label: [], reference: speaker });
  }
  if (onBadFile === "stop") bad.throwIfAny(all.length);
  if (utterances.train.length === 0)
    throw new StillwaveError(`${root}: no recording to train on has more than 2 s of speech`);
  const notes =
    short > 0 ? [`${short} recordings of 2 s of speech and less are not trained on, as in the benchmark`] : [];
  return { utterances, notes, badFiles: bad.sorted() };
}

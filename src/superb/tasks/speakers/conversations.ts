// Recordings of two speakers with their turns: Kaldi's folders, or mixtures by a list; labels of frames, chunks to train on.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { MIN_SAMPLES, probeAudio, SAMPLE_RATE_HZ } from "../../../audio/index.ts";
import { BadFiles, reasonOf } from "../../../data/bad-files.ts";
import { KALDI_LIST } from "../../../data/list/kaldi.ts";
import { partOf, type RecordingPart } from "../../../data/recording.ts";
import { StillwaveError } from "../../../errors.ts";
import type { SpeakerTurn } from "../../../metrics/der.ts";
import { chunksOf, labelFrames, labelsOf } from "../../../speakers/frames.ts";
import { readDiarizedFolder } from "../../../speakers/kaldi.ts";
import { madeLengths } from "../../../speakers/made-lengths.ts";
import { MIXTURE_LIST, readMixtures, speechFolder } from "../../../speakers/mixtures.ts";
import { DIARIZED_SPEAKERS } from "../../../speakers/permutation.ts";
import { type PerSplit, SPLITS, type Split, splitNamed } from "../../labels/classes.ts";
import type { TaskUtterance } from "../../labels/utterance.types.ts";
import { turnsText } from "../../measures/turns.ts";
import type { DataSettings, Protocol } from "../../recipe/schema.ts";
import { perSplit, refuseShared, taskData, USUAL_CONTEXT } from "../splits.ts";
import type { LoadContext, TaskData } from "../task.types.ts";

/** Longer recordings are trained on in pieces of so many frames. */
const CHUNK_FRAMES = 2000;

const WRITTEN_TOLERANCE_SECONDS = 0.5;

interface Conversation extends RecordingPart {
  readonly id: string;
  readonly turns: readonly SpeakerTurn[];
  /** As it is written down, where it is. */
  readonly seconds?: number;
}

interface Measured extends Conversation {
  readonly seconds: number;
  readonly samples: number;
}

/** @throws StillwaveError for a corpus that is none, or recordings of more than two speakers */
export async function turnData(
  data: DataSettings,
  { protocol, framing }: LoadContext = USUAL_CONTEXT,
): Promise<TaskData> {
  const { root } = data;
  const { conversations, source, notes: found } = await openConversations(data);
  const bad = new BadFiles();
  const measured = { train: [], dev: [], test: [] } as Record<Split, Measured[]>;
  for (const split of SPLITS) measured[split] = await lengthsOf(conversations[split], bad);
  const count = SPLITS.reduce((sum, split) => sum + conversations[split].length, 0);
  if (data.onBadFile === "stop") bad.throwIfAny(count);
  const { samplesPerFrame } = await framing();
  const utterances = perSplit((split) =>
    measured[split].flatMap((one) => piecesOf(one, { split, samplesPerFrame, protocol })),
  );
  for (const split of SPLITS)
    if (utterances[split].length === 0)
      throw new StillwaveError(`${root}: no recordings of the split ${split}; train, dev and test are needed`);
  refuseShared(root, utterances);
  for (const split of protocol === "fixed" ? (["dev", "test"] as const) : (["test"] as const))
    if (
      measured[split].every(({ turns }) => turns.every(({ startSeconds, endSeconds }) => startSeconds === endSeconds))
    )
      throw new StillwaveError(
        `${root}: nobody speaks in any recording of the split ${split} (${source}); there is no speech to score`,
      );
  const silent = measured.test.filter(({ turns }) => turns.length === 0).length;
  const silence = `${silent} recordings to test have no speech: what is said to be there are false alarms`;
  const notes = [...found, ...(silent > 0 ? [silence] : [])];
  const objective = { kind: "turns", samplesPerFrame } as const;
  return taskData(
    { root, utterances, objective, badFiles: bad.sorted(), notes },
    perSplit((split) => `${split} of ${source}`),
  );
}

async function openConversations(data: DataSettings): Promise<{
  readonly conversations: PerSplit<readonly Conversation[]>;
  readonly source: string;
  readonly notes: readonly string[];
}> {
  const { root } = data;
  if (existsSync(join(root, MIXTURE_LIST))) {
    const { mixtures, notes } = await readMixtures(root, speechFolder(root, data.speech));
    return {
      conversations: perSplit((split) => mixtures.filter((one) => splitNamed(one.split, one.place) === split)),
      source: "mixtures that are made while they are read",
      notes,
    };
  }
  const folders = perSplit((split) => join(root, split));
  const missing = SPLITS.filter((split) => !existsSync(join(folders[split], KALDI_LIST)));
  if (missing.length > 0)
    throw new StillwaveError(
      `${root}: no ${missing.join(", ")} with a ${KALDI_LIST}, and no ${MIXTURE_LIST}; expected Kaldi's folders train, dev and test (wav.scp, segments, utt2spk, reco2dur), or a list of mixtures with utterances.rttm`,
    );
  const [train, dev, test] = await Promise.all(SPLITS.map((split) => readDiarizedFolder(folders[split])));
  return { conversations: { train, dev, test }, source: "Kaldi's folders", notes: [] };
}

/** Lengths of what is mixed are found by mixing, those of files by their headers. */
async function lengthsOf(conversations: readonly Conversation[], bad: BadFiles): Promise<Measured[]> {
  const isMade = conversations.some(({ making }) => making !== undefined);
  const lengths = isMade ? await madeLengths(conversations) : await probed(conversations);
  return conversations.flatMap((conversation, i): Measured[] => {
    const samples = lengths[i];
    const speakers = new Set(conversation.turns.map(({ speaker }) => speaker));
    const wrong = typeof samples === "number" ? contradiction(conversation, samples) : undefined;
    if (typeof samples !== "number") bad.add(conversation.path, samples.reason, conversation);
    else if (samples < MIN_SAMPLES) bad.add(conversation.path, `too short: ${samples} samples`, conversation);
    else if (speakers.size > DIARIZED_SPEAKERS)
      bad.add(conversation.path, `${conversation.id}: ${speakers.size} speakers (${[...speakers].sort().join(", ")}), expected at most ${DIARIZED_SPEAKERS}`, conversation); // biome-ignore format: one line
    else if (wrong !== undefined) bad.add(conversation.path, wrong, conversation);
    else return [{ ...conversation, samples, seconds: conversation.seconds ?? samples / SAMPLE_RATE_HZ }];
    return [];
  });
}

/** What is written down of a recording and cannot be true of its file; roundings of both are no contradiction. */
function contradiction({ id, seconds, turns }: Conversation, samples: number): string | undefined {
  const heard = samples / SAMPLE_RATE_HZ;
  if (seconds !== undefined && Math.abs(seconds - heard) > WRITTEN_TOLERANCE_SECONDS)
    return `${id}: reco2dur says ${seconds} s, and the recording has ${heard.toFixed(2)} s`;
  const last = turns.reduce((most, { endSeconds }) => Math.max(most, endSeconds), 0);
  if (last > heard + WRITTEN_TOLERANCE_SECONDS)
    return `${id}: somebody speaks up to ${last} s, and the recording has ${heard.toFixed(2)} s`;
  return undefined;
}

const probed = (conversations: readonly Conversation[]) =>
  Promise.all(
    conversations.map(async ({ path }) => {
      try {
        return (await probeAudio(path)).samples16k;
      } catch (error) {
        return { reason: reasonOf(error, path) };
      }
    }),
  );

interface PieceOptions {
  readonly split: Split;
  readonly samplesPerFrame: number;
  readonly protocol: Protocol;
}

/** What is trained on comes in chunks, what is read comes whole. */
function piecesOf(one: Measured, { split, samplesPerFrame, protocol }: PieceOptions): TaskUtterance[] {
  const { id, samples, turns, seconds } = one;
  const speakers = [...new Set(turns.map(({ speaker }) => speaker))].sort();
  // a speaker who never speaks has a column of zeros
  const columns = [...speakers, "", ""].slice(0, DIARIZED_SPEAKERS);
  const frames = labelFrames(seconds, samplesPerFrame);
  const chunks = split === "train" ? chunksOf(frames, CHUNK_FRAMES) : [{ start: 0, end: frames }];
  return chunks.flatMap((chunk): TaskUtterance[] => {
    const label = labelsOf(turns, columns, chunk, { samplesPerFrame, losesTurns: protocol === "superb" });
    const isWhole = chunks.length === 1;
    const start = chunk.start * samplesPerFrame;
    const part = Math.min(samples - start, (chunk.end - chunk.start) * samplesPerFrame);
    if (!isWhole && part < MIN_SAMPLES) return [];
    const segment = { start, samples: part, sampleRateHz: SAMPLE_RATE_HZ };
    const place = isWhole ? partOf(one) : { ...partOf(one), segment };
    const name = isWhole ? id : `${id}.${chunk.start}-${chunk.end}`;
    return [
      {
        id: name,
        ...place,
        samples: isWhole ? samples : part,
        label,
        reference: turnsText(turns),
        frames: chunk.end - chunk.start,
      },
    ];
  });
}

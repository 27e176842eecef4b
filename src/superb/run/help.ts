// The part of a process that helps an evaluation: it extracts its share of the hidden states, and process 0 does all else.
import type { ProcessGroup } from "../../processes/group.ts";
import { withGain } from "../../upstream/derived/gain.ts";
import { openUpstream } from "../../upstream/open.ts";
import type { Upstream } from "../../upstream/upstream.ts";
import { fillShare } from "../features/filling-together.ts";
import { cacheFacts } from "../features/layout.ts";
import { type CheckedSettings, checkSettings } from "../recipe/read.ts";
import { taskNamed } from "../tasks/index.ts";
import { isSearch } from "../tasks/task.types.ts";
import type { EvaluationOptions } from "./evaluation.types.ts";
import type { EvaluationEvent } from "./events.types.ts";

/** The upstream that an evaluation asks for. */
export const openAsked = (
  { run: { device, threads }, upstream: { model, ...options } }: CheckedSettings,
  onNote: (text: string) => void,
): Promise<Upstream> => openUpstream(model, { ...options, device, threads, onNote });

/** The upstream as loud as its task wants it. */
export function heardBy(task: ReturnType<typeof taskNamed>, upstream: Upstream): Upstream {
  const gainDb = isSearch(task) ? task.gainDb : task.recipe.gainDb;
  return gainDb === undefined ? upstream : withGain(upstream, gainDb);
}

/** @throws StillwaveError where a process fails */
export async function* helpEvaluation(
  { resume: _resume, force: _force, signal, ...given }: EvaluationOptions,
  group: ProcessGroup,
  note: (text: string) => void,
): AsyncGenerator<EvaluationEvent, void, undefined> {
  const task = taskNamed(given.task);
  const asked = checkSettings(task, given);
  const { cache, dtype = "float32", workers = 1 } = asked.features;
  // without a cache states are extracted where a head asks for them
  if (cache === null) {
    yield { kind: "helped", files: 0, interrupted: false };
    return;
  }
  const upstream = heardBy(task, await openAsked(asked, note));
  try {
    const { onBadFile } = asked.data;
    const facts = cacheFacts(upstream, dtype);
    const files = await fillShare(group, { facts, upstream, onBadFile, workers, signal });
    yield { kind: "helped", files, interrupted: signal?.aborted ?? false };
  } finally {
    await upstream.dispose();
  }
}

// A cache that several processes fill: what process 0, which holds its lock, tells the others, and their part.
import { resolve } from "node:path";
import { StillwaveError } from "../../errors.ts";
import type { ProcessGroup } from "../../processes/group.ts";
import { checkShared } from "../../processes/shared-folder.ts";
import { stepsOfAll } from "../../processes/shares.ts";
import type { AudioSource } from "./cache.types.ts";
import { type Extraction, shardSteps } from "./shard-steps.ts";

/** What is to be extracted, and the number of its first shard. */
interface Filling {
  readonly missing: readonly AudioSource[];
  readonly first: number;
}

interface Given extends Filling {
  readonly folder: string;
  readonly fingerprint: string;
  readonly shardBytes?: number;
}

/** In process 0: the others begin. */
export async function shareOutFilling(
  group: ProcessGroup,
  { folder, facts: { fingerprint }, shardBytes }: Extraction,
  filling: Filling,
): Promise<void> {
  await group.sayFirst<Given>("filling", { ...filling, folder: resolve(folder), fingerprint, shardBytes });
  await checkShared(group, folder);
}

/** In process 0: there is nothing to extract. */
export async function shareOutNothing(group: ProcessGroup | undefined): Promise<void> {
  await group?.sayFirst<Given | null>("filling", null);
}

/**
 * In the others: extracts their share, once. Resolves to how many files it was.
 * @throws StillwaveError where the upstream is another one than that of process 0, or a process fails
 */
export async function fillShare(
  group: ProcessGroup,
  extraction: Omit<Extraction, "folder" | "shardBytes" | "group">,
): Promise<number> {
  const given = await group.sayFirst<Given | null>("filling");
  if (!given) return 0;
  const { folder, fingerprint, shardBytes, missing, first } = given;
  if (fingerprint !== extraction.facts.fingerprint)
    throw new StillwaveError("its upstream, or how its states are stored, is not that of process 0");
  await checkShared(group, folder);
  let files = 0;
  const own = shardSteps({ ...extraction, folder, shardBytes, group }, missing, first);
  for await (const step of stepsOfAll(own, group)) files += step.files;
  return files;
}

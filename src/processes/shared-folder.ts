// Whether processes that write into one folder see the same one.
import { randomUUID } from "node:crypto";
import { rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { StillwaveError } from "../errors.ts";
import { diskError } from "../files.ts";
import type { ProcessGroup } from "./group.ts";

/**
 * All processes call it; `folder` is there for process 0.
 * @throws StillwaveError naming a process that does not see what process 0 writes there
 */
export async function checkShared(group: ProcessGroup, folder: string): Promise<void> {
  const own = join(folder, `.use-${randomUUID()}.tmp`);
  try {
    if (group.rank === 0)
      await writeFile(own, "").catch((error: unknown) => {
        throw diskError(error, folder);
      });
    const mark = await group.sayFirst("mark of the folder", own);
    const isSeen = await stat(mark).then(
      () => "seen",
      () => "not seen",
    );
    const blind = await group.differing("folder", isSeen);
    if (blind !== undefined)
      throw new StillwaveError(
        `${folder}: process ${blind} does not see what process 0 writes there; give a folder on a disk that all of them share`,
      );
  } finally {
    if (group.rank === 0) await rm(own, { force: true });
  }
}

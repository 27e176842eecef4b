// The folder that a conversion writes into: checked before anything is read, its failures in the user's terms.
import { readdir, realpath, stat } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { StillwaveError } from "../../errors.ts";
import { makeFolder } from "../../files.ts";

/** Refuses before anything is loaded or downloaded. Says whether the folder is new. */
export async function openTarget(folder: string, force: boolean): Promise<boolean> {
  const found = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return [];
    const what = error.code === "ENOTDIR" ? "is a file; give a folder to write into" : `cannot be used (${error.code})`;
    throw new StillwaveError(`${folder}: ${what}`);
  });
  const some = `${found.slice(0, 3).join(", ")}${found.length > 3 ? "..." : ""}`;
  if (found.length > 0 && !force)
    throw new StillwaveError(
      `${folder}: not empty (${some}); give another folder, or --force (force: true) to write into it`,
    );
  return (await makeFolder(folder)) !== undefined;
}

/** A model must not be written over the files it was read from. */
export async function checkSource(path: string, folder: string): Promise<void> {
  const info = await stat(path).catch(() => undefined);
  const home = info?.isDirectory() ? path : dirname(path);
  const real = (place: string) => realpath(place).catch(() => resolve(place));
  if ((await real(home)) === (await real(folder)))
    throw new StillwaveError(`${folder}: holds the checkpoint itself; give another folder`);
}

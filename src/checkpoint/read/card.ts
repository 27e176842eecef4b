// README.md beside a model: the card that came with it.
import { readFile, stat } from "node:fs/promises";
import { dirname, join } from "node:path";

const MAX_CARD_BYTES = 2 ** 20;

/** The card of the model at `path`, folder or file; without text where there is none, or where `problem` says why. */
export async function readCard(
  path: string,
): Promise<{ readonly file: string; readonly text?: string; readonly problem?: string }> {
  const isFolder = (await stat(path).catch(() => undefined))?.isDirectory() ?? false;
  const file = join(isFolder ? path : dirname(path), "README.md");
  try {
    const info = await stat(file);
    if (info.isFile() && info.size <= MAX_CARD_BYTES) return { file, text: await readFile(file, "utf8") };
    return { file, problem: info.isFile() ? "longer than 1 MiB" : "not a file" };
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return code === "ENOENT" ? { file } : { file, problem: `cannot be read (${code})` };
  }
}

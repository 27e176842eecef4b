// Files that cannot be used: collected with their reason, reported together in one error.
import { StillwaveError } from "../errors.ts";
import { isOutOfFiles } from "../files.ts";
import { nameOf, partOf, type RecordingPart } from "./recording.ts";

/** A file, or the part of it, that cannot be used. */
export interface BadFile extends RecordingPart {
  readonly reason: string;
}

/** What to do about bad files: end with an error, or go on without them. */
export type OnBadFile = "stop" | "skip";

/** How many are named in a message. */
const NAMED = 10;

/**
 * The reason a user error gives, without the path that it starts with. Anything that is not a user error
 * (a broken invariant of ours), or no fault of the file, is thrown on.
 */
export function reasonOf(error: unknown, path: string): string {
  if (!(error instanceof StillwaveError) || isOutOfFiles(error)) throw error;
  return error.message.startsWith(`${path}: `) ? error.message.slice(path.length + 2) : error.message;
}

/** A bad file in a line. */
export const describeBad = (file: BadFile): string => `${nameOf(file)}: ${file.reason}`;

/** A collection of bad files. */
export class BadFiles {
  private readonly files: BadFile[] = [];

  add(path: string, reason: string, part: Omit<RecordingPart, "path"> = {}): void {
    this.files.push({ ...partOf({ ...part, path }), reason });
  }

  get count(): number {
    return this.files.length;
  }

  /** By path, so that reports do not depend on which file was read first. */
  sorted(): BadFile[] {
    return this.files.toSorted((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0));
  }

  /** The first ten, one a line, and how many more. */
  describe(): string {
    const lines = this.sorted()
      .slice(0, NAMED)
      .map((file) => `  ${describeBad(file)}`);
    if (this.files.length > NAMED) lines.push(`  and ${this.files.length - NAMED} more`);
    return lines.join("\n");
  }

  /** @throws StillwaveError: of what a command was given nothing could be used, whatever it was told to skip. */
  throwUnlessUsed(used: number): void {
    if (used === 0) throw new StillwaveError(`none of the files can be used\n${this.describe()}`);
  }

  /** @throws StillwaveError naming the first ten, if there is any. */
  throwIfAny(total: number, which = ""): void {
    if (this.files.length === 0) return;
    throw new StillwaveError(
      `${this.files.length} of ${total} audio files${which && ` ${which}`} cannot be used; repair or remove them, or go on without them with onBadFile: skip\n${this.describe()}`,
    );
  }
}

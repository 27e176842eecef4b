// Where this user's caches lie, each kind in a folder of its own.
import { homedir } from "node:os";
import { join } from "node:path";

type Environment = Readonly<Record<string, string | undefined>>;

/** The folder of one kind: in $STILLWAVE_CACHE, else in $XDG_CACHE_HOME/stillwave, else in ~/.cache/stillwave. */
export function cacheOf(kind: string, { STILLWAVE_CACHE, XDG_CACHE_HOME }: Environment = process.env): string {
  return join(STILLWAVE_CACHE || join(XDG_CACHE_HOME || join(homedir(), ".cache"), "stillwave"), kind);
}

// The speech that exports are compared on unless the user gives some: a few utterances that come with the package.
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { loadAudio } from "../audio/index.ts";
import { StillwaveError } from "../errors.ts";
import { fromPackage } from "../package.ts";

/** `count` shipped utterances of different speakers and lengths, 16 kHz mono. */
export async function shippedSpeech(count = 3): Promise<Float32Array[]> {
  const folder = fromPackage("package:examples/speech/dev");
  const names = await readdir(folder, { recursive: true }).catch(() => []);
  const files = names.filter((name) => name.endsWith(".flac")).sort();
  if (files.length < count)
    throw new StillwaveError(`${folder}: the example speech is not there; name audio files to compare on (--audio)`);
  const chosen = Array.from({ length: count }, (_, i) => files[Math.floor((i * files.length) / count)]);
  return Promise.all(chosen.map((name) => loadAudio(join(folder, name))));
}

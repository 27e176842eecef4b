// How many seconds of audio one second of one core makes into 16 kHz samples, by kind of file; the best of some rounds.
// Usage: npx tsx bench/load-audio.ts <files or folders...> [--rounds 4]
import { readdirSync, statSync } from "node:fs";
import { extname, join } from "node:path";
import { parseArgs } from "node:util";
import { AUDIO_EXTENSIONS, loadAudio, SAMPLE_RATE_HZ } from "../src/audio/index.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { rounds: { type: "string", default: "4" } },
});

const inside = (path: string): string[] =>
  statSync(path).isDirectory()
    ? readdirSync(path, { recursive: true, encoding: "utf8" }).map((name) => join(path, name))
    : [path];
const files = positionals.flatMap(inside).filter((path) => AUDIO_EXTENSIONS.includes(extname(path).toLowerCase()));

const kindOf = (path: string) => extname(path).slice(1).toLowerCase();

console.log("kind    files  seconds  per processor second");
for (const kind of new Set(files.map(kindOf))) {
  const paths = files.filter((path) => kindOf(path) === kind);
  let best = 0;
  let seconds = 0;
  for (let round = 0; round < Number(values.rounds); round++) {
    seconds = 0;
    const before = process.cpuUsage();
    for (const path of paths) seconds += (await loadAudio(path)).length / SAMPLE_RATE_HZ;
    const { user, system } = process.cpuUsage(before);
    best = Math.max(best, seconds / ((user + system) / 1e6));
  }
  const [count, total, rate] = [paths.length, seconds, best].map((x) => x.toFixed(0));
  console.log(`${kind.padEnd(7)} ${count.padStart(5)} ${total.padStart(8)} ${rate.padStart(8)}`);
}

// The command line as a stage of the evidence: runs `stillwave`, its words in a log file, its time beside what it took before.
import { spawn } from "node:child_process";
import { existsSync, openSync } from "node:fs";
import { mkdir, readFile } from "node:fs/promises";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { StillwaveError } from "../../src/errors.ts";
import { writeFileAtomic } from "../../src/files.ts";

const STILLWAVE = fileURLToPath(new URL("../../bin/stillwave.js", import.meta.url));

/** Ctrl-C of the terminal reaches the commands too: they write their checkpoints, and this says how to go on. */
const INTERRUPTED = 130;

/** Seconds that a folder's command has taken, over all its beginnings. */
async function secondsBefore(file: string): Promise<number> {
  return existsSync(file) ? Number(await readFile(file, "utf8")) : 0;
}

/** Exit code of a command whose words go to a log. */
function run(args: readonly string[], log: string): Promise<number | null> {
  const output = openSync(log, "a");
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [STILLWAVE, ...args], { stdio: ["ignore", output, output] });
    child.on("error", reject);
    child.on("exit", resolve);
  });
}

/**
 * Runs a command that writes the folder `out`, with --resume where it is there already. Returns the seconds it took in all.
 * @throws StillwaveError with the command and its log where it fails or is interrupted
 */
export async function stillwave(args: readonly string[], out: string): Promise<number> {
  const log = `${out}.log`;
  const clock = `${out}.seconds`;
  await mkdir(dirname(out), { recursive: true });
  const all = [...args, "--out", out, ...(existsSync(out) ? ["--resume"] : [])];
  const before = await secondsBefore(clock);
  const began = performance.now();
  const code = await run(all, log);
  const seconds = before + (performance.now() - began) / 1000;
  await writeFileAtomic(clock, `${seconds}\n`);
  if (code === INTERRUPTED) throw new StillwaveError(`interrupted; the same command goes on (${log})`);
  if (code !== 0) throw new StillwaveError(`stillwave ${all.join(" ")}: exit code ${code}; see ${log}`);
  return seconds;
}

/** A model folder in float16; what was said of it lies beside the one that it was made of. */
export async function convertTo16(from: string, to: string): Promise<void> {
  const log = `${from}.log`;
  const code = await run(["convert", from, to, "--dtype", "float16", "--force"], log);
  if (code !== 0) throw new StillwaveError(`stillwave convert ${from} ${to}: exit code ${code}; see ${log}`);
}

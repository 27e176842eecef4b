// The command line as a stage of the evidence: runs `stillwave`, its words in a log file, its time beside what it took before.
import { spawn } from "node:child_process";
import { closeSync, existsSync, openSync } from "node:fs";
import { mkdir, readFile, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { StillwaveError } from "../../src/errors.ts";
import { writeFileAtomic } from "../../src/files.ts";
import { RECORD_NAME } from "../../src/training/run-folder.ts";

const STILLWAVE = fileURLToPath(new URL("../../bin/stillwave.js", import.meta.url));

/** Ctrl-C of the terminal reaches the command too: it writes its checkpoint, this waits for it and says how to go on. */
const INTERRUPTED = 130;
const waitForCommand = () => {};

/** Seconds that a folder's command has taken, over all its beginnings. */
async function secondsBefore(file: string): Promise<number> {
  return existsSync(file) ? Number(await readFile(file, "utf8")) : 0;
}

/** Exit code of a command whose words go to a log. */
function run(args: readonly string[], log: string): Promise<number | null> {
  const output = openSync(log, "a");
  process.on("SIGINT", waitForCommand);
  return new Promise<number | null>((resolve, reject) => {
    const child = spawn(process.execPath, [STILLWAVE, ...args], { stdio: ["ignore", output, output] });
    child.on("error", reject);
    child.on("exit", resolve);
  }).finally(() => {
    process.off("SIGINT", waitForCommand);
    closeSync(output);
  });
}

/**
 * Runs a command that writes the folder `out`, with --resume where its run has begun. Returns the seconds it took in all.
 * @throws StillwaveError with the command and its log where it fails or is interrupted
 */
export async function stillwave(args: readonly string[], out: string): Promise<number> {
  const log = `${out}.log`;
  const clock = `${out}.seconds`;
  await mkdir(dirname(out), { recursive: true });
  const all = [...args, "--out", out, ...(existsSync(join(out, RECORD_NAME)) ? ["--resume"] : [])];
  const before = await secondsBefore(clock);
  const began = performance.now();
  const code = await run(all, log);
  const seconds = before + (performance.now() - began) / 1000;
  await writeFileAtomic(clock, `${seconds}\n`);
  if (code === INTERRUPTED) throw new StillwaveError(`interrupted; the same command goes on (${log})`);
  if (code !== 0) throw new StillwaveError(`stillwave ${all.join(" ")}: exit code ${code}; see ${log}`);
  return seconds;
}

/** A model folder in float16, there whole or not at all; what was said of it lies beside the one that it was made of. */
export async function convertTo16(from: string, to: string): Promise<void> {
  const log = `${from}.log`;
  const part = `${to}.part`;
  await rm(part, { recursive: true, force: true });
  const code = await run(["convert", from, part, "--dtype", "float16"], log);
  if (code !== 0) throw new StillwaveError(`stillwave convert ${from} ${to}: exit code ${code}; see ${log}`);
  await rename(part, to);
}

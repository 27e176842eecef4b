// Runs the real command as a user would: bin/stillwave.js in a process of its own.
import { spawn } from "node:child_process";
import { fileURLToPath, pathToFileURL } from "node:url";

export const repository = fileURLToPath(new URL("../../", import.meta.url));
export const bin = fileURLToPath(new URL("../../bin/stillwave.js", import.meta.url));

// A run after a change builds dist/ and says so on stderr; tests are to see the runs after that one.
const { buildIfStale } = await import(pathToFileURL(`${repository}scripts/build.js`).href);
buildIfStale();

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** `stillwave ...args`, in the repository's folder unless said otherwise, without a terminal. */
export function stillwave(
  args: readonly string[],
  options: Partial<{ cwd: string; debug: boolean }> = {},
): Promise<Ended> {
  const env = { ...process.env, STILLWAVE_DEBUG: options.debug ? "1" : "", NO_COLOR: "1", COLUMNS: "100" };
  return command(process.execPath, [bin, ...args], { cwd: options.cwd ?? repository, env });
}

export function command(
  program: string,
  args: readonly string[],
  options: { readonly cwd: string; readonly env?: NodeJS.ProcessEnv },
): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { ...options, stdio: ["ignore", "pipe", "pipe"] });
    let [stdout, stderr] = ["", ""];
    child.stdout.on("data", (chunk) => {
      stdout += chunk;
    });
    child.stderr.on("data", (chunk) => {
      stderr += chunk;
    });
    child.on("error", reject);
    child.on("close", (code) => resolve({ code, stdout, stderr }));
  });
}

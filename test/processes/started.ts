// Processes that compute one thing together, started as a launcher does: a script of TypeScript, a rank for each.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { typescriptOptions } from "../built/built.ts";
import { freePort } from "./meet.ts";

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** Of both streams. */
  readonly output: string;
}

export interface Start {
  readonly processes: number;
  readonly env?: Readonly<Record<string, string>>;
  /** `act` is called with all processes as soon as the output of the first holds so many lines that begin with `until`. */
  readonly until?: string;
  readonly lines?: number;
  readonly act?: (children: readonly ChildProcess[]) => void;
}

/** The ends of all processes. */
export async function started(script: string, args: readonly string[], start: Start): Promise<Ended[]> {
  const { processes, env = {}, until = "", lines = 1, act } = start;
  const port = await freePort();
  const children = Array.from({ length: processes }, (_, rank) => {
    const place = {
      RANK: String(rank),
      WORLD_SIZE: String(processes),
      MASTER_ADDR: "127.0.0.1",
      MASTER_PORT: String(port),
    };
    const command = ["-n", "5", process.execPath, ...typescriptOptions(), script, ...args];
    return spawn("nice", command, { env: { ...process.env, ...env, ...place }, stdio: ["ignore", "pipe", "pipe"] });
  });
  let isActed = false;
  const ended = async (child: ChildProcess, rank: number): Promise<Ended> => {
    let output = "";
    const read = (chunk: Buffer) => {
      output += chunk;
      if (rank > 0 || isActed || output.split(`\n${until}`).length <= lines) return;
      isActed = true;
      act?.(children);
    };
    child.stdout?.on("data", read);
    child.stderr?.on("data", read);
    const [code, signal] = (await once(child, "close")) as [number | null, NodeJS.Signals | null];
    return { code, signal, output };
  };
  return Promise.all(children.map(ended));
}

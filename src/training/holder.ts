// Which process holds something in a folder: written into a file, and read by others who must know whether it still lives.
import { readFile } from "node:fs/promises";
import { hostname } from "node:os";

/** `born` tells a process from a later one with the same number (Linux; empty elsewhere). */
export interface Holder {
  readonly pid: number;
  readonly host: string;
  readonly born: string;
  /** When it began to hold, as ISO 8601. */
  readonly since?: string;
}

/** What this process writes into a file of its own. */
export async function thisHolder(): Promise<string> {
  const since = new Date().toISOString();
  return JSON.stringify({
    pid: process.pid,
    host: hostname(),
    born: await bornAt(process.pid),
    since,
  } satisfies Holder);
}

/** undefined: the text is none, as of a file that was cut off. */
export function parseHolder(text: string): Holder | undefined {
  try {
    const { pid, host, born, since } = JSON.parse(text) as Partial<Holder>;
    if (!Number.isSafeInteger(pid) || pid! < 1 || typeof host !== "string") return undefined;
    return {
      pid: pid!,
      host,
      born: typeof born === "string" ? born : "",
      since: typeof since === "string" && !Number.isNaN(Date.parse(since)) ? since : undefined,
    };
  } catch {
    return undefined;
  }
}

/** Whether the process lives; "unknown" of one on another machine. */
export async function lives({ pid, host, born }: Holder): Promise<boolean | "unknown"> {
  if (host !== hostname()) return "unknown";
  return isAlive(pid) && (born === "" || born === (await bornAt(pid)));
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

/** Start time of a process in clock ticks since boot (field 22 of /proc/pid/stat); empty where there is no /proc. */
async function bornAt(pid: number): Promise<string> {
  const text = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => "");
  return text.slice(text.lastIndexOf(")") + 2).split(" ")[19] ?? "";
}

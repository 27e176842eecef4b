// Compiled programs on the disk: what took long to compile is loaded the next time, wherever all that it depends on is the same.
import { createHash } from "node:crypto";
import { readdir, readFile, rm, stat, utimes } from "node:fs/promises";
import { cpus } from "node:os";
import { join } from "node:path";
import { cacheOf } from "../../cache-root.ts";
import { StillwaveError } from "../../errors.ts";
import { diskError, writeFileAtomic } from "../../files.ts";
import type { Handle, PjrtClient } from "./client.ts";
import { PjrtError } from "./plugin.ts";

/** Raised when files of an earlier version cannot be read. */
const FORMAT = 1;
const SUFFIX = ".pjrt";
/** A program that compiles faster is not worth a file. */
const KEPT_FROM_MS = 1000;
const HASH_BYTES = 32;

/** Where compiled programs lie. @param root of the caches; default: the user's */
export const programFolder = (root?: string): string =>
  join(root === undefined ? cacheOf("xla") : join(root, "xla"), "programs");

export interface KeepOptions {
  readonly replicas?: number;
  /** For any one device. */
  readonly portable?: boolean;
  readonly folder?: string;
  readonly keptFromMs?: number;
}

/** `client.compile`, or what an earlier process compiled. A file that is damaged, or refused by the plugin, is made anew. */
export async function compileKept(client: PjrtClient, text: string, options: KeepOptions = {}): Promise<Handle> {
  const { replicas = 1, portable = false, folder = programFolder(), keptFromMs = KEPT_FROM_MS } = options;
  const kept = client.compileOptions(replicas, { portable });
  const path = join(folder, (await programKey(client, text, kept)) + SUFFIX);
  const known = await readProgram(path).catch(() => undefined);
  if (known) {
    const loaded = await client.load(known).catch(refusal);
    if (loaded !== undefined) return loaded;
  }
  const begun = performance.now();
  const program = await client.compile(text, { replicas, portable });
  if (known || performance.now() - begun >= keptFromMs) await keep(path, await client.serialize(program));
  return program;
}

function refusal(error: unknown): undefined {
  if (!(error instanceof PjrtError)) throw error;
}

/** The program of a file that is whole, which is marked as used; undefined of any other. */
async function readProgram(path: string): Promise<Buffer | undefined> {
  const file = await readFile(path);
  const [hash, program] = [file.subarray(0, HASH_BYTES), file.subarray(HASH_BYTES)];
  if (!hash.equals(createHash("sha256").update(program).digest())) return undefined;
  await utimes(path, new Date(), new Date()).catch(() => {});
  return program;
}

let toldOnce = false;

/** A cache that cannot be written costs time and nothing else: a line on stderr says so, once. */
async function keep(path: string, program: Buffer | undefined): Promise<void> {
  if (!program) return;
  try {
    await writeFileAtomic(path, [createHash("sha256").update(program).digest(), program]);
  } catch (error) {
    if (!(error instanceof StillwaveError)) throw error;
    if (!toldOnce) process.stderr.write(`stillwave: compiled programs are not kept: ${error.message}\n`);
    toldOnce = true;
  }
}

/** All that a compiled program depends on. Builds of one plugin are told apart by their file's size and time. */
async function programKey(client: PjrtClient, text: string, options: Uint8Array): Promise<string> {
  const { plugin, platform, platformVersion, devices } = client;
  const { size, mtimeMs } = await stat(plugin.path);
  const depends = {
    format: FORMAT,
    text: createHash("sha256").update(text).digest("hex"),
    options: Buffer.from(options).toString("hex"),
    plugin: [plugin.version, size, mtimeMs],
    platform: [platform, platformVersion, client.deviceKind(devices[0]), devices.length],
    processor: platform === "cpu" ? await processor() : "",
    flags: process.env.XLA_FLAGS ?? "",
  };
  return createHash("sha256").update(JSON.stringify(depends)).digest("hex");
}

/** Model and instruction sets, which code for a CPU is made for. */
async function processor(): Promise<string> {
  const info = await readFile("/proc/cpuinfo", "utf8").catch(() => "");
  return `${cpus()[0]?.model} ${/^(?:flags|Features)\s*:.*$/m.exec(info)?.[0] ?? ""}`;
}

export interface KeptProgram {
  readonly path: string;
  readonly bytes: number;
  /** ISO 8601. */
  readonly lastUse: string;
}

/** The programs in a folder, the longest unused first. A folder that is not there has none. */
export async function listPrograms(folder: string): Promise<KeptProgram[]> {
  const names = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return [];
    throw diskError(error, folder);
  });
  const programs: KeptProgram[] = [];
  for (const name of names.filter((name) => name.endsWith(SUFFIX) || isRemains(name))) {
    const path = join(folder, name);
    const info = await stat(path).catch(() => undefined);
    if (info) programs.push({ path, bytes: info.size, lastUse: info.mtime.toISOString() });
  }
  return programs.sort((a, b) => (a.lastUse < b.lastUse ? -1 : a.lastUse > b.lastUse ? 1 : a.path < b.path ? -1 : 1));
}

/** What a process leaves that is killed while it writes. */
const isRemains = (name: string): boolean => name.startsWith(".") && name.endsWith(".tmp");

/** Removes a program's file. Whoever reads it has read it whole, so programs are never in use. */
export async function removeProgram({ path }: KeptProgram): Promise<true> {
  await rm(path, { force: true }).catch((error: unknown) => {
    throw diskError(error, path);
  });
  return true;
}

// Adds a plugin to the cache: its wheels fetched, checked and unpacked into one folder, which appears whole or not at all.
import { readdir, rename, rm, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { cacheOf } from "../cache-root.ts";
import { InternalError, StillwaveError } from "../errors.ts";
import { diskError, makeFolder } from "../files.ts";
import type { XlaPlatform } from "../runtime/device.ts";
import { addedFolder, type FoundPlugin, pluginIn } from "../runtime/xla/find.ts";
import { PACKAGES_OF, type PinnedPackage } from "./packages.ts";
import { findWheel, indexUrl, type Wheel } from "./python-index.ts";
import { fetchWheel, unpackWheel } from "./wheel.ts";

export type AddEvent =
  /** What is about to be fetched. `bytes` is 0 where the index does not say sizes. */
  | { readonly kind: "start"; readonly wheels: readonly Wheel[]; readonly bytes: number; readonly folder: string }
  | { readonly kind: "bytes"; readonly wheel: string; readonly bytes: number }
  | { readonly kind: "unpack"; readonly wheel: string }
  | { readonly kind: "done"; readonly plugin: FoundPlugin; readonly already: boolean };

/**
 * Adds a platform's plugin, or says that it is there. A try that was cut short is gone on with.
 * @throws StillwaveError where a wheel is not to be had, or is not what the index promises; nothing is changed then
 */
export async function addPlugin(
  platform: XlaPlatform,
  onEvent: (event: AddEvent) => void = () => {},
): Promise<FoundPlugin> {
  const folder = addedFolder(platform);
  const { packages } = PACKAGES_OF[platform];
  const there = await pluginIn(folder, platform, "cache");
  if (there && (await holdsAll(folder, packages))) {
    onEvent({ kind: "done", plugin: there, already: true });
    return there;
  }
  const index = await indexUrl();
  const wheels = await Promise.all(packages.map((wanted) => findWheel(index, wanted)));
  onEvent({ kind: "start", wheels, bytes: wheels.reduce((sum, { bytes = 0 }) => sum + bytes, 0), folder });
  const downloads = join(cacheOf("xla"), "downloads");
  const staging = join(dirname(folder), `.${platform}.${process.pid}.tmp`);
  await removeRemains(dirname(folder), platform);
  try {
    await makeFolder(staging);
    for (const { filename, ...wheel } of wheels) {
      const path = join(downloads, basename(filename));
      await fetchWheel({ filename, ...wheel }, path, (bytes) => onEvent({ kind: "bytes", wheel: filename, bytes }));
    }
    for (const { filename } of wheels) {
      onEvent({ kind: "unpack", wheel: filename });
      await unpackWheel(join(downloads, basename(filename)), staging);
    }
    if (!(await pluginIn(staging, platform, "cache")))
      throw new StillwaveError(`${wheels[0].filename}: no plugin for ${platform} lies in it; take another index`);
    await replaceFolder(staging, folder);
  } finally {
    await rm(staging, { recursive: true, force: true }).catch(() => {});
  }
  for (const { filename } of wheels) await rm(join(downloads, basename(filename)), { force: true }).catch(() => {});
  const plugin = await pluginIn(folder, platform, "cache");
  if (!plugin) throw new InternalError(`${folder}: the plugin that was put there is gone`);
  onEvent({ kind: "done", plugin, already: false });
  return plugin;
}

/** Whether every package is there in the version that belongs to the others. */
async function holdsAll(folder: string, packages: readonly PinnedPackage[]): Promise<boolean> {
  const names = await readdir(folder).catch(() => [] as string[]);
  return packages.every(({ name, version }) => names.includes(`${name.replaceAll("-", "_")}-${version}.dist-info`));
}

async function replaceFolder(from: string, to: string): Promise<void> {
  const old = `${from}.old`;
  try {
    if (await stat(to).catch(() => undefined)) await rename(to, old);
    await rename(from, to);
  } catch (error) {
    throw diskError(error, to);
  } finally {
    await rm(old, { recursive: true, force: true }).catch(() => {});
  }
}

/** What processes left that were killed while they unpacked. */
async function removeRemains(folder: string, platform: XlaPlatform): Promise<void> {
  for (const name of await readdir(folder).catch(() => [] as string[])) {
    const pid = new RegExp(`^\\.${platform}\\.(\\d+)\\.tmp`).exec(name)?.[1];
    if (pid !== undefined && !isRunning(Number(pid))) await rm(join(folder, name), { recursive: true, force: true });
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

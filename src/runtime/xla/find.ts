// Where PJRT plugins lie: named by the environment, added to the cache by `stillwave devices add`, or installed for Python.
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { basename, join } from "node:path";
import { promisify } from "node:util";
import { cacheOf } from "../../cache-root.ts";
import { XLA_PLATFORMS, type XlaPlatform } from "../device.ts";

/** Names a plugin: a shared library that exports GetPjrtApi. */
export const PLUGIN_VARIABLE = "STILLWAVE_XLA_PLUGIN";

export interface FoundPlugin {
  readonly path: string;
  /** By its name; undefined: it says so itself once it is open. */
  readonly platform: XlaPlatform | undefined;
  readonly source: "environment" | "cache" | "python";
  /** The folder of Python packages that it is installed in, with the libraries it needs. */
  readonly site: string | undefined;
  /** Of its Python package. */
  readonly version: string | undefined;
}

/** Below a folder of Python packages: where a plugin lies, a pattern for each step. Later names come first (cuda13, cuda12). */
const PLACES: Readonly<Record<XlaPlatform, readonly (readonly RegExp[])[]>> = {
  cuda: [[/^jax_plugins$/, /^xla_cuda\d+$/, /^xla_cuda_plugin\.so$/]],
  rocm: [[/^jax_plugins$/, /^xla_rocm\d+$/, /^xla_rocm_plugin\.so$/]],
  tpu: [[/^libtpu$/, /^libtpu\.so$/]],
  cpu: [
    [/^lammps_jax_pjrt_cpu$/, /^pjrt_c_api_cpu_plugin\.so$/],
    [/^fastatomstruct_xla_cpu$/, /^libpjrt_cpu\.so$/],
  ],
};

/** The package that brings a plugin, by the folder it lies in. */
const PACKAGES: readonly (readonly [RegExp, (folder: string) => string])[] = [
  [/^xla_(cuda|rocm)\d+$/, (folder) => `jax_${folder.slice("xla_".length)}_pjrt`],
  [/./, (folder) => folder],
];

const PYTHON_TIMEOUT_MS = 5000;

/** Where `stillwave devices add` puts a platform's packages. */
export const addedFolder = (platform: XlaPlatform): string => join(cacheOf("xla"), "plugins", platform);

/** The platform that a file's name tells. */
export function platformOfName(path: string): XlaPlatform | undefined {
  return XLA_PLATFORMS.find((platform) => basename(path).toLowerCase().includes(platform));
}

/** The first plugin of a platform, or of any. The one that the environment names is the only one where it names one. */
export async function findPlugin(platform?: XlaPlatform): Promise<FoundPlugin | undefined> {
  const wanted = platform ? [platform] : XLA_PLATFORMS;
  const named = process.env[PLUGIN_VARIABLE];
  if (named)
    return { path: named, platform: platformOfName(named), source: "environment", site: undefined, version: undefined };
  for (const one of wanted) {
    const added = await pluginIn(addedFolder(one), one, "cache");
    if (added) return added;
  }
  for (const site of await pythonFolders())
    for (const one of wanted) {
      const installed = await pluginIn(site, one, "python");
      if (installed) return installed;
    }
  return undefined;
}

/** The plugin of a platform in a folder of Python packages. */
export async function pluginIn(
  site: string,
  platform: XlaPlatform,
  source: FoundPlugin["source"],
): Promise<FoundPlugin | undefined> {
  for (const steps of PLACES[platform]) {
    const names = await follow(site, steps);
    if (!names) continue;
    const version = await packageVersion(site, names[names.length - 2]);
    return { path: join(site, ...names), platform, source, site, version };
  }
  return undefined;
}

/** The names of a path that fits the patterns. */
async function follow(folder: string, [first, ...rest]: readonly RegExp[]): Promise<string[] | undefined> {
  if (!first) return [];
  const names = await readdir(folder).catch(() => [] as string[]);
  for (const name of names
    .filter((name) => first.test(name))
    .sort()
    .reverse()) {
    const below = await follow(join(folder, name), rest);
    if (below) return [name, ...below];
  }
  return undefined;
}

async function packageVersion(site: string, folder: string): Promise<string | undefined> {
  const name = PACKAGES.find(([pattern]) => pattern.test(folder))?.[1](folder) ?? folder;
  const names = await readdir(site).catch(() => [] as string[]);
  const info = names.find((one) => one.startsWith(`${name}-`) && one.endsWith(".dist-info"));
  return info?.slice(name.length + 1, -".dist-info".length);
}

/** Folders of Python packages: of the virtual environment, then of the `python3` on the PATH. */
async function pythonFolders(): Promise<string[]> {
  const { VIRTUAL_ENV } = process.env;
  const active = VIRTUAL_ENV ? await sitesOf(VIRTUAL_ENV) : [];
  return [...new Set([...active, ...(await askPython())])].filter((folder) => existsSync(folder));
}

async function sitesOf(environment: string): Promise<string[]> {
  const lib = join(environment, "lib");
  const names = await readdir(lib).catch(() => [] as string[]);
  return names.filter((name) => /^python3\.\d+$/.test(name)).map((name) => join(lib, name, "site-packages"));
}

let asked: Promise<string[]> | undefined;

/** Asked once a process. Isolated (-I), it reads nothing of the current folder. */
function askPython(): Promise<string[]> {
  const program = "import json, site; print(json.dumps([*site.getsitepackages(), site.getusersitepackages()]))";
  asked ??= promisify(execFile)("python3", ["-I", "-c", program], { timeout: PYTHON_TIMEOUT_MS })
    .then(({ stdout }) => JSON.parse(stdout) as unknown)
    .then((list) => (Array.isArray(list) ? list.map(String) : []))
    .catch(() => []);
  return asked;
}

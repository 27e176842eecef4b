// Plugins and their clients, one of each a process: what the environment must say before one is loaded, and its options.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { StillwaveError } from "../../errors.ts";
import type { Introduction } from "../../processes/environment.ts";
import { WaitingKeys } from "../../processes/waiting-keys.ts";
import type { XlaPlatform } from "../device.ts";
import { PjrtClient } from "./client.ts";
import { type FoundPlugin, findPlugin, PLUGIN_VARIABLE } from "./find.ts";
import type { ClientOptions } from "./options.ts";
import { PjrtPlugin } from "./plugin.ts";

/** How many devices a CPU plugin shall offer, for what runs on several; its own default is several that share the cores. */
const DEVICES_VARIABLE = "STILLWAVE_XLA_DEVICES";

/** Of a GPU's memory that a client may take. */
const MEMORY_FRACTION = 0.9;

/** Below a folder of Python packages: where CUDA's tools for compilers (ptxas, libdevice) lie. */
const CUDA_DATA = [
  ["nvidia", "cu13"],
  ["nvidia", "cuda_nvcc"],
] as const;

export interface XlaOptions {
  /** Default: the first that is found. */
  readonly platform?: XlaPlatform;
  readonly threads?: number;
  /** Processes that share the work. */
  readonly place?: Introduction;
}

const clients = new Map<string, PjrtClient>();

/**
 * The client of a found plugin. Calls with the same plugin share it, with the threads of the first.
 * @throws StillwaveError where the plugin cannot be used
 */
export function openClient(found: FoundPlugin, threads?: number): PjrtClient {
  const known = clients.get(found.path);
  if (known) return known;
  prepareEnvironment(found, threads);
  const client = new PjrtClient(new PjrtPlugin(found.path), clientOptions(found.platform));
  clients.set(found.path, client);
  return client;
}

/** Platforms whose plugins add up over processes in their programs. */
const WITH_COLLECTIVES: readonly (XlaPlatform | undefined)[] = ["cuda", "rocm"];

/** One client of the devices of all processes, which each of them opens. */
async function openTogether(found: FoundPlugin, place: Introduction): Promise<PjrtClient> {
  prepareEnvironment(found, undefined);
  // else who compiles waits for what others measure, and who has a program on its disk measures nothing
  addFlag("xla_gpu_shard_autotuning", "false");
  const options = { ...clientOptions(found.platform), num_nodes: BigInt(place.size), node_id: BigInt(place.rank) };
  // the plugin needs them as long as there is a client, for what its programs set up when they first run
  const client = await PjrtClient.together(new PjrtPlugin(found.path), options, await WaitingKeys.open(place));
  clients.set(found.path, client);
  return client;
}

/**
 * The client of a platform's plugin, or of the first that is found. With the place of several processes, of the devices of all where the
 * plugin can.
 * @throws StillwaveError where none is found, or it cannot be used
 */
export async function xlaClient({ platform, threads, place }: XlaOptions = {}): Promise<PjrtClient> {
  const found = await findPlugin(platform);
  if (!found) throw new StillwaveError(noPlugin(platform));
  const isTogether = place && WITH_COLLECTIVES.includes(found.platform);
  const client = isTogether ? await openTogether(found, place) : openClient(found, threads);
  if (platform && client.platform !== platform) throw new StillwaveError(wrongPlatform(found, client.platform));
  return client;
}

export const noPlugin = (platform: XlaPlatform | undefined): string =>
  `no PJRT plugin${platform ? ` for ${platform}` : ""} was found: none is named in ${PLUGIN_VARIABLE}, added to the cache or installed for Python`;

export const wrongPlatform = ({ path }: FoundPlugin, platform: string): string =>
  `${path}, which ${PLUGIN_VARIABLE} names, is for ${platform}`;

/**
 * Options of a client. A GPU's memory is taken as it is needed: XLA's own default takes three quarters of it at once,
 * which nobody else on a shared machine can use then, and an inference needs a small part of.
 */
function clientOptions(platform: XlaPlatform | undefined): ClientOptions {
  if (platform === "cuda" || platform === "rocm") return { preallocate: false, memory_fraction: MEMORY_FRACTION };
  if (platform !== "cpu") return {};
  const count = process.env[DEVICES_VARIABLE] || "1";
  if (!/^[1-9]\d{0,2}$/.test(count))
    throw new StillwaveError(`${DEVICES_VARIABLE}=${count}: expected a number of devices from 1 to 999`);
  return { cpu_device_count: BigInt(count) };
}

/** Sets what libraries read from the environment when they are loaded, where the user has not. */
function prepareEnvironment({ platform, site }: FoundPlugin, threads: number | undefined): void {
  const { env } = process;
  // warnings of drivers and compilers, several lines for every start
  env.TF_CPP_MIN_LOG_LEVEL ??= "2";
  if (platform === "cpu" && threads !== undefined) env.NPROC ??= String(threads);
  // else halves that are stored are kept as float32 too, wherever one operation reads what another wrote
  addFlag("xla_allow_excess_precision", "false");
  // trying its generated kernels doubled the time of compilation, and won nothing over cuBLAS
  if (platform === "cuda") addFlag("xla_gpu_enable_triton_gemm", "false");
  if (platform !== "cuda" || site === undefined || env.XLA_FLAGS?.includes("xla_gpu_cuda_data_dir")) return;
  const data = CUDA_DATA.map((steps) => join(site, ...steps)).find((folder) => existsSync(join(folder, "nvvm")));
  if (data) addFlag("xla_gpu_cuda_data_dir", data);
}

/** A flag of XLA's, where the user has not set it. */
function addFlag(name: string, value: string): void {
  const { XLA_FLAGS: flags = "" } = process.env;
  if (!flags.includes(`--${name}`)) process.env.XLA_FLAGS = `${flags} --${name}=${value}`.trim();
}

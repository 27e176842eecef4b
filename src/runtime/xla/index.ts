// The runtime of XLA devices: graphs become StableHLO for the sizes they are run with, compiled once for each.
import { InternalError, StillwaveError, unknownName } from "../../errors.ts";
import { type HostArray, sizeOf } from "../../graph/array.ts";
import { type Graph, graphInputs } from "../../graph/graph.ts";
import { toStableHlo } from "../../stablehlo/program.ts";
import { bindSymbols } from "../executable.ts";
import type { Executable, Feed, Feeds, Runtime } from "../runtime.ts";
import { type Handle, PjrtClient } from "./client.ts";
import { PjrtPlugin } from "./plugin.ts";

/** Names the plugin: a shared library that exports GetPjrtApi. */
const PLUGIN_VARIABLE = "STILLWAVE_XLA_PLUGIN";

/** One client a process: a plugin is loaded once, and its devices serve every graph. */
let opened: PjrtClient | undefined;

/** The client of the plugin that the environment names. @throws StillwaveError where there is none, or it cannot be used */
export function xlaClient(): PjrtClient {
  const path = process.env[PLUGIN_VARIABLE];
  if (!path) throw new StillwaveError(`no XLA plugin is named in ${PLUGIN_VARIABLE}`);
  if (opened && opened.plugin.path !== path)
    throw new StillwaveError(`${path}: this process has loaded the XLA plugin ${opened.plugin.path} already`);
  opened ??= new PjrtClient(new PjrtPlugin(path));
  return opened;
}

/** What keeps XLA from working here, or undefined. */
export function xlaProblem(): string | undefined {
  try {
    xlaClient();
    return undefined;
  } catch (error) {
    if (error instanceof StillwaveError) return error.message;
    throw error;
  }
}

/** The runtime of the plugin's first device. float32 throughout. */
export function openXla(): Runtime {
  const client = xlaClient();
  const { plugin, platform, devices } = client;
  const version = `PJRT ${plugin.version.join(".")} ${platform} ${client.deviceKind(devices[0])}`;
  return { device: "xla", version, compile: async (graph) => xlaExecutable(client, graph) };
}

const bytesOf = ({ buffer, byteOffset, byteLength }: Feed["data"]) => new Uint8Array(buffer, byteOffset, byteLength);

/** Compiles a graph for one client, anew for every set of sizes. */
function xlaExecutable(client: PjrtClient, graph: Graph): Executable {
  const inputs = graphInputs(graph);
  const compiled = new Map<string, Promise<CompiledProgram>>();
  const programFor = (sizes: ReadonlyMap<string, number>) => {
    const key = JSON.stringify([...sizes].sort());
    const known = compiled.get(key) ?? compile(client, graph, sizes);
    compiled.set(key, known);
    return known;
  };
  return {
    async run(feeds, into = {}) {
      for (const name of Object.keys(into))
        if (!graph.outputs.has(name)) throw unknownName("output", name, graph.outputs.keys());
      const program = await programFor(bindSymbols(inputs, feeds));
      return runProgram(client, program, feeds, into);
    },
    async dispose() {
      for (const { executable } of await Promise.all(compiled.values())) client.freeProgram(executable);
      compiled.clear();
    },
  };
}

interface CompiledProgram extends Omit<ReturnType<typeof toStableHlo>, "text"> {
  readonly executable: Handle;
}

async function compile(client: PjrtClient, graph: Graph, sizes: ReadonlyMap<string, number>): Promise<CompiledProgram> {
  const { text, ...ports } = toStableHlo(graph, sizes);
  return { ...ports, executable: await client.compile(text) };
}

async function runProgram(
  client: PjrtClient,
  { executable, inputs, outputs }: CompiledProgram,
  feeds: Feeds,
  into: Readonly<Record<string, Float32Array>>,
): Promise<Record<string, HostArray>> {
  const held: Handle[] = [];
  try {
    for (const { name, shape, type } of inputs) held.push(client.upload(bytesOf(feeds[name].data), shape, type));
    const { results, finished } = await client.start(executable, [held.slice()], outputs.length);
    held.push(...results[0]);
    await finished;
    const fetched: Record<string, HostArray> = {};
    for (const [i, { name, shape, type }] of outputs.entries()) {
      const data = into[name] ?? new Float32Array(sizeOf(shape));
      if (type !== "f32" || data.length !== sizeOf(shape))
        throw new InternalError(`output "${name}" is ${type}[${shape}], cannot go into ${data.length} floats`);
      await client.download(results[0][i], bytesOf(data));
      fetched[name] = { shape, data };
    }
    return fetched;
  } finally {
    for (const buffer of held) client.freeBuffer(buffer);
  }
}

// The runtime of XLA devices: graphs become StableHLO for the sizes they are run with, compiled once for each.
import { InternalError, unknownName } from "../../errors.ts";
import { bytesOf, type HostArray, sizeOf } from "../../graph/array.ts";
import { type Graph, graphInputs } from "../../graph/graph.ts";
import { toStableHlo } from "../../stablehlo/program.ts";
import { DEVICES } from "../device.ts";
import { bindSymbols } from "../executable.ts";
import type { Executable, Feeds, Runtime } from "../runtime.ts";
import type { Handle, PjrtClient } from "./client.ts";
import { compileKept } from "./kept-programs.ts";
import { type XlaOptions, xlaClient } from "./open.ts";
import type { CompiledProgram } from "./resident.ts";

/** A runtime whose client runs programs of more than one graph. */
export interface XlaRuntime extends Runtime {
  readonly client: PjrtClient;
}

export const isXla = (runtime: Runtime): runtime is XlaRuntime => "client" in runtime;

/**
 * The runtime of a platform's plugin, or of the first that is found. A run takes the device that has the least to do. float32
 * throughout.
 * @throws StillwaveError where there is none, or it cannot be used
 */
export async function openXla(options: XlaOptions = {}): Promise<XlaRuntime> {
  const client = await xlaClient(options);
  const { plugin } = client;
  const version = `PJRT ${plugin.version.join(".")} ${client.platform} ${client.deviceKind(client.devices[0])}`;
  const device = DEVICES.find((name) => name === `xla:${client.platform}`) ?? "xla";
  const devices = new DeviceQueue(client);
  return {
    device,
    version,
    client,
    compilesShapes: true,
    inParallel: client.devices.length,
    compile: async (graph) => xlaExecutable(devices, graph),
  };
}

/** Which devices are busy with runs. */
class DeviceQueue {
  readonly client: PjrtClient;
  private readonly underWay: number[];

  constructor(client: PjrtClient) {
    this.client = client;
    this.underWay = client.devices.map(() => 0);
  }

  /** Calls `work` with the device that has the least to do; the first of several such. */
  async use<T>(work: (device: Handle) => Promise<T>): Promise<T> {
    const { underWay } = this;
    const at = underWay.indexOf(Math.min(...underWay));
    underWay[at] += 1;
    try {
      return await work(this.client.devices[at]);
    } finally {
      underWay[at] -= 1;
    }
  }
}

/** Compiles a graph for one client, anew for every set of sizes. */
function xlaExecutable(devices: DeviceQueue, graph: Graph): Executable {
  const { client } = devices;
  const inputs = graphInputs(graph);
  const compiled = new Map<string, Promise<CompiledProgram>>();
  const programFor = (sizes: ReadonlyMap<string, number>) => {
    const key = JSON.stringify([...sizes].sort());
    const known = compiled.get(key);
    if (known) return known;
    const program = compile(client, graph, sizes);
    compiled.set(key, program);
    program.catch(() => compiled.delete(key));
    return program;
  };
  return {
    async run(feeds, into = {}) {
      for (const name of Object.keys(into))
        if (!graph.outputs.has(name)) throw unknownName("output", name, graph.outputs.keys());
      const program = await programFor(bindSymbols(inputs, feeds));
      return devices.use((device) => runProgram({ client, device }, program, feeds, into));
    },
    async dispose() {
      for (const { executable } of await Promise.all(compiled.values())) client.freeProgram(executable);
      compiled.clear();
    },
  };
}

async function compile(client: PjrtClient, graph: Graph, sizes: ReadonlyMap<string, number>): Promise<CompiledProgram> {
  const { text, ...ports } = toStableHlo(graph, sizes);
  return { ...ports, executable: await compileKept(client, text, { portable: client.devices.length > 1 }) };
}

async function runProgram(
  { client, device }: { readonly client: PjrtClient; readonly device: Handle },
  { executable, inputs, outputs }: CompiledProgram,
  feeds: Feeds,
  into: Readonly<Record<string, Float32Array>>,
): Promise<Record<string, HostArray>> {
  const held: Handle[] = [];
  try {
    for (const { name, shape, type } of inputs)
      held.push(client.upload(bytesOf(feeds[name].data), shape, type, device));
    const named = client.devices.length > 1 ? device : undefined;
    const { results, finished } = await client.start(executable, [held.slice()], outputs.length, named);
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

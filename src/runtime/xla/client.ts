// A client of a plugin: its devices, compiled programs and buffers, counted so that nothing is left behind.
import { InternalError } from "../../errors.ts";
import { sizeOf } from "../../graph/array.ts";
import type { DeviceMemory } from "./device-memory.types.ts";
import { Events } from "./events.ts";
import type { Keys } from "./key-callbacks.ts";
import { type BufferElement, ELEMENTS, EXECUTE_OPTIONS, HOST_BUFFER, PROGRAM, UNIMPLEMENTED } from "./layout.ts";
import { type ClientOptions, compileOptions, namedValues, PORTABLE_OPTIONS } from "./options.ts";
import { PjrtError, type PjrtPlugin } from "./plugin.ts";

/** A device, a buffer on it, or a compiled program: the plugin's pointer. */
export type Handle = bigint;

export interface Execution {
  /** Of every device, the program's results. They can be used at once: whoever reads them waits for them. */
  readonly results: Handle[][];
  /** Resolves when all devices are done, rejects where one failed. Nobody has to wait for it. */
  readonly finished: Promise<void>;
}

const creation = (plugin: PjrtPlugin, options: ClientOptions) => ({
  create_options: namedValues(plugin, options),
  num_options: Object.keys(options).length,
});

function handlesAt(plugin: PjrtPlugin, address: bigint, count: bigint): Handle[] {
  const pointers = plugin.read(address, 8 * Number(count));
  return Array.from({ length: Number(count) }, (_, i) => pointers.readBigUInt64LE(8 * i));
}

export class PjrtClient {
  readonly plugin: PjrtPlugin;
  /** `cpu`, `cuda`, ... */
  readonly platform: string;
  readonly platformVersion: string;
  /** Of this process. */
  readonly devices: readonly Handle[];
  /** Of all processes whose clients belong together, in the same order in each of them. */
  readonly everywhere: readonly Handle[];
  private readonly client: Handle;
  private readonly buffers = new Set<Handle>();
  private readonly programs = new Set<Handle>();
  private readonly events: Events;
  private lastStart: Promise<unknown> = Promise.resolve();

  /**
   * @param options of the plugin, e.g. `cpu_device_count`
   * @param made a client of the plugin that is there
   */
  constructor(plugin: PjrtPlugin, options: ClientOptions = {}, made?: Handle) {
    this.plugin = plugin;
    this.events = new Events(plugin);
    this.client = made ?? plugin.call("Client_Create", creation(plugin, options))("client");
    const { client } = this;
    const name = plugin.call("Client_PlatformName", { client });
    this.platform = plugin.text(name("platform_name"), name("platform_name_size"));
    const version = plugin.call("Client_PlatformVersion", { client });
    this.platformVersion = plugin.text(version("platform_version"), version("platform_version_size"));
    const found = plugin.call("Client_AddressableDevices", { client });
    this.devices = handlesAt(plugin, found("addressable_devices"), found("num_addressable_devices"));
    const all = plugin.call("Client_Devices", { client });
    this.everywhere = handlesAt(plugin, all("devices"), all("num_devices"));
  }

  /**
   * A client whose programs run on the devices of several processes. It is there when all of them make theirs.
   * @param keys that all of them have
   */
  static async together(plugin: PjrtPlugin, options: ClientOptions, keys: Keys): Promise<PjrtClient> {
    // the plugin calls back on its own threads, which this one must be free for
    const made = await plugin.callAsync("Client_Create", {
      ...creation(plugin, options),
      ...plugin.keyCallbacks(keys),
    });
    return new PjrtClient(plugin, {}, made("client"));
  }

  /** Buffers and programs that were made and not freed, and events that are waited for. */
  get alive(): { readonly buffers: number; readonly programs: number; readonly events: number } {
    return { buffers: this.buffers.size, programs: this.programs.size, events: this.events.alive };
  }

  /** As the plugin calls it: `cpu`, `NVIDIA H200`. */
  deviceKind(device: Handle): string {
    const kind = this.plugin.call("DeviceDescription_Kind", { device_description: this.description(device) });
    return this.plugin.text(kind("device_kind"), kind("device_kind_size"));
  }

  /** What a device's memory holds; undefined where the plugin does not count it, as on CPUs. */
  memory(device = this.devices[0]): DeviceMemory | undefined {
    try {
      const stats = this.plugin.call("Device_MemoryStats", { device });
      const set = (flag: "peak_bytes_in_use_is_set" | "bytes_limit_is_set") => (stats(flag) & 0xffn) !== 0n;
      return {
        bytesInUse: Number(stats("bytes_in_use")),
        peakBytes: set("peak_bytes_in_use_is_set") ? Number(stats("peak_bytes_in_use")) : undefined,
        limitBytes: set("bytes_limit_is_set") ? Number(stats("bytes_limit")) : undefined,
      };
    } catch (error) {
      if (error instanceof PjrtError && error.code === UNIMPLEMENTED) return undefined;
      throw error;
    }
  }

  /** CompileOptionsProto for the first `replicas` devices, of this process, or of all where it has fewer; or for any one. */
  compileOptions(replicas: number, { portable = false } = {}): Uint8Array {
    if (portable) return PORTABLE_OPTIONS;
    const { devices, everywhere } = this;
    if (!Number.isInteger(replicas) || replicas < 1 || replicas > everywhere.length)
      throw new InternalError(`a program for ${replicas} of ${everywhere.length} devices`);
    const ids = (replicas > devices.length ? everywhere : devices).slice(0, replicas).map((device) => {
      const id = this.plugin.call("DeviceDescription_Id", { device_description: this.description(device) })("id");
      return Number(BigInt.asIntN(32, id));
    });
    return compileOptions(ids);
  }

  /**
   * Compiles StableHLO text for the first `replicas` devices, each of which runs it. The text says so too where there are
   * several: `mhlo.num_replicas`. `portable`: for any one device, which `start` names.
   */
  async compile(text: string, { replicas = 1, portable = false } = {}): Promise<Handle> {
    const { plugin, client } = this;
    const [code, format, options] = [
      Buffer.from(text),
      Buffer.from("mlir"),
      this.compileOptions(replicas, { portable }),
    ];
    const compiled = await plugin.callAsync("Client_Compile", {
      client,
      program: plugin.struct(PROGRAM, { code, code_size: code.length, format, format_size: format.length }),
      compile_options: options,
      compile_options_size: options.length,
    });
    return this.add(this.programs, compiled("executable"));
  }

  /** A program as bytes that `load` takes; undefined where the plugin cannot write it so. */
  async serialize(program: Handle): Promise<Buffer | undefined> {
    this.checkAlive(this.programs, program, "program");
    const { plugin } = this;
    if (!plugin.has("Executable_Serialize") || !plugin.has("Executable_DeserializeAndLoad")) return undefined;
    const executable = plugin.call("LoadedExecutable_GetExecutable", { loaded_executable: program })("executable");
    try {
      const made = await plugin.callAsync("Executable_Serialize", { executable });
      const bytes = plugin.read(made("serialized_bytes"), Number(made("serialized_bytes_size")));
      plugin.callDeleter(made("serialized_executable_deleter"), made("serialized_executable"));
      return bytes;
    } catch (error) {
      if (error instanceof PjrtError) return undefined;
      throw error;
    } finally {
      plugin.call("Executable_Destroy", { executable });
    }
  }

  /** A program of the bytes that `serialize` gave, for the same plugin and kind of device. @throws PjrtError */
  async load(bytes: Buffer): Promise<Handle> {
    const { plugin, client } = this;
    const serialized = { serialized_executable: bytes, serialized_executable_size: bytes.length };
    const loaded = await plugin.callAsync("Executable_DeserializeAndLoad", { client, ...serialized });
    return this.add(this.programs, loaded("loaded_executable"));
  }

  freeProgram(executable: Handle): void {
    this.remove(this.programs, executable, "program");
    this.plugin.call("LoadedExecutable_Destroy", { executable });
  }

  /** Copies an array to a device. The bytes are read before this returns. */
  upload(data: Uint8Array, shape: readonly number[], type: BufferElement, device = this.devices[0]): Handle {
    const { buffer, event } = this.fromHost(data, { shape, type, device, semantics: HOST_BUFFER.duringCall });
    this.events.done(event);
    return buffer;
  }

  /**
   * Copies an array to a device without waiting. The buffer can be used at once; the bytes must stay as they are until
   * `copied` resolves.
   */
  uploadLater(
    data: Uint8Array,
    shape: readonly number[],
    type: BufferElement,
    device = this.devices[0],
  ): { readonly buffer: Handle; readonly copied: Promise<void> } {
    const { buffer, event } = this.fromHost(data, { shape, type, device, semantics: HOST_BUFFER.untilTransferred });
    return { buffer, copied: this.events.done(event, data) };
  }

  /**
   * Starts a program on its devices, in the order of calls, and resolves when it is enqueued. Arguments that the program
   * donates are dead from then on, and nobody can read them; their handles are freed as those of all others. That may be as
   * soon as this has resolved, and not before.
   * @param device of a portable program
   */
  async start(
    executable: Handle,
    argumentsByDevice: readonly (readonly Handle[])[],
    outputs: number,
    device?: Handle,
  ): Promise<Execution> {
    const { plugin } = this;
    this.checkAlive(this.programs, executable, "program");
    const counts = new Set(argumentsByDevice.map((list) => list.length));
    if (counts.size !== 1) throw new InternalError(`arguments for ${argumentsByDevice.length} devices: ${[...counts]}`);
    for (const handle of argumentsByDevice.flat()) this.checkAlive(this.buffers, handle, "buffer");
    const devices = argumentsByDevice.length;
    const lists = argumentsByDevice.map((list) => plugin.pointers(list));
    const results = lists.map(() => plugin.pointers(new Array<bigint>(outputs).fill(0n)));
    const events = plugin.pointers(new Array<bigint>(devices).fill(0n));
    const call = () =>
      plugin.callAsync("LoadedExecutable_Execute", {
        executable,
        options: plugin.struct(EXECUTE_OPTIONS, {}),
        argument_lists: plugin.pointers(lists),
        num_devices: devices,
        num_args: argumentsByDevice[0].length,
        output_lists: plugin.pointers(results),
        device_complete_events: events,
        execute_device: device,
      });
    const started = this.lastStart.then(call, call);
    this.lastStart = started;
    await started;
    const handles = results.map(({ bytes }) =>
      Array.from({ length: outputs }, (_, i) => this.add(this.buffers, bytes.readBigUInt64LE(8 * i))),
    );
    const finished = Promise.all(lists.map((_, i) => this.events.done(events.bytes.readBigUInt64LE(8 * i)))).then(
      () => {},
    );
    finished.catch(() => {});
    return { results: handles, finished };
  }

  /** Copies a buffer into `target`, which has its size. */
  async download(buffer: Handle, target: Uint8Array): Promise<void> {
    this.checkAlive(this.buffers, buffer, "buffer");
    const copy = { src: buffer, dst: target, dst_size: target.byteLength };
    await this.events.done((await this.plugin.callAsync("Buffer_ToHostBuffer", copy))("event"), target);
  }

  freeBuffer(buffer: Handle): void {
    this.remove(this.buffers, buffer, "buffer");
    this.plugin.call("Buffer_Destroy", { buffer });
  }

  /** Ends the client, once nothing runs. What it holds is gone; buffers and programs must have been freed. */
  async close(): Promise<void> {
    await this.lastStart.catch(() => {});
    await this.events.idle();
    this.plugin.call("Client_Destroy", { client: this.client });
  }

  private description(device: Handle): Handle {
    return this.plugin.call("Device_GetDescription", { device })("device_description");
  }

  private fromHost(
    data: Uint8Array,
    to: { shape: readonly number[]; type: BufferElement; device: Handle; semantics: number },
  ): { buffer: Handle; event: Handle } {
    const { plugin, client } = this;
    const { shape, device, semantics } = to;
    const element = ELEMENTS[to.type];
    if (!element || data.byteLength !== element.bytes * sizeOf(shape))
      throw new InternalError(`${data.byteLength} bytes are no ${to.type}[${shape}]`);
    const made = plugin.call("Client_BufferFromHostBuffer", {
      client,
      data,
      type: { i32: element.type },
      dims: plugin.pointers(shape.map(BigInt)),
      num_dims: shape.length,
      host_buffer_semantics: { i32: semantics },
      device,
    });
    return { buffer: this.add(this.buffers, made("buffer")), event: made("done_with_host_buffer") };
  }

  private add(handles: Set<Handle>, handle: Handle): Handle {
    handles.add(handle);
    return handle;
  }

  private checkAlive(handles: ReadonlySet<Handle>, handle: Handle, kind: string): void {
    if (!handles.has(handle)) throw new InternalError(`a ${kind} that is not there, or was freed before`);
  }

  private remove(handles: Set<Handle>, handle: Handle, kind: string): void {
    this.checkAlive(handles, handle, kind);
    handles.delete(handle);
  }
}

// A client of a plugin: its devices, compiled programs and buffers, counted so that nothing is left behind.
import type { ElementType } from "../../stablehlo/emitter.ts";
import { BUFFER_TYPE, EXECUTE_OPTIONS, HOST_BUFFER, NAMED_VALUE, NAMED_VALUE_TYPE, PROGRAM } from "./layout.ts";
import type { PjrtPlugin } from "./plugin.ts";

/** A buffer on the device, or a compiled program: the plugin's handle. */
export type Handle = bigint;

/** CompileOptionsProto: one replica, one partition. */
const COMPILE_OPTIONS = Buffer.from([0x1a, 0x04, 0x20, 0x01, 0x28, 0x01]);

export class PjrtClient {
  readonly plugin: PjrtPlugin;
  /** `cpu`, `cuda`, ... */
  readonly platform: string;
  readonly platformVersion: string;
  readonly devices: readonly Handle[];
  private readonly client: Handle;
  private buffers = 0;
  private programs = 0;

  /** @param options of the plugin, e.g. `cpu_device_count` */
  constructor(plugin: PjrtPlugin, options: Readonly<Record<string, bigint | boolean>> = {}) {
    this.plugin = plugin;
    const list = namedValues(plugin, options);
    const made = plugin.call("Client_Create", {
      create_options: plugin.address(list.bytes),
      num_options: Object.keys(options).length,
    });
    this.client = made("client");
    const { client } = this;
    const name = plugin.call("Client_PlatformName", { client });
    this.platform = plugin.read(name("platform_name"), Number(name("platform_name_size"))).toString();
    const version = plugin.call("Client_PlatformVersion", { client });
    this.platformVersion = plugin
      .read(version("platform_version"), Number(version("platform_version_size")))
      .toString();
    const found = plugin.call("Client_AddressableDevices", { client });
    const count = Number(found("num_addressable_devices"));
    const pointers = plugin.read(found("addressable_devices"), 8 * count);
    this.devices = Array.from({ length: count }, (_, i) => pointers.readBigUInt64LE(8 * i));
  }

  /** Buffers and programs that were made and not freed. */
  get alive(): { readonly buffers: number; readonly programs: number } {
    return { buffers: this.buffers, programs: this.programs };
  }

  /** As the plugin calls it: `cpu`, `NVIDIA H200`. */
  deviceKind(device: Handle): string {
    const description = this.plugin.call("Device_GetDescription", { device })("device_description");
    const kind = this.plugin.call("DeviceDescription_Kind", { device_description: description });
    return this.plugin.read(kind("device_kind"), Number(kind("device_kind_size"))).toString();
  }

  /** Compiles StableHLO text. */
  async compile(text: string): Promise<Handle> {
    const { plugin, client } = this;
    const [code, format, program] = [Buffer.from(text), Buffer.from("mlir"), Buffer.alloc(PROGRAM.size)];
    const fields: readonly [number, bigint][] = [
      [0, BigInt(PROGRAM.size)],
      [PROGRAM.code, plugin.address(code)],
      [PROGRAM.code_size, BigInt(code.length)],
      [PROGRAM.format, plugin.address(format)],
      [PROGRAM.format_size, BigInt(format.length)],
    ];
    for (const [offset, value] of fields) program.writeBigUInt64LE(value, offset);
    const compiled = await plugin.callAsync("Client_Compile", {
      client,
      program: plugin.address(program),
      compile_options: plugin.address(COMPILE_OPTIONS),
      compile_options_size: COMPILE_OPTIONS.length,
    });
    keepAlive(code, format, program);
    this.programs++;
    return compiled("executable");
  }

  freeProgram(executable: Handle): void {
    this.plugin.call("LoadedExecutable_Destroy", { executable });
    this.programs--;
  }

  /** Copies an array to the device. */
  upload(data: Uint8Array, shape: readonly number[], type: ElementType, device = this.devices[0]): Handle {
    const { plugin, client } = this;
    const dims = Buffer.alloc(8 * shape.length);
    shape.forEach((size, i) => {
      dims.writeBigInt64LE(BigInt(size), 8 * i);
    });
    const made = plugin.call("Client_BufferFromHostBuffer", {
      client,
      data: plugin.address(data),
      type: { i32: BUFFER_TYPE[type] },
      dims: plugin.address(dims),
      num_dims: shape.length,
      host_buffer_semantics: { i32: HOST_BUFFER.duringCall },
      device,
    });
    keepAlive(data, dims);
    this.buffers++;
    const event = made("done_with_host_buffer");
    if (event) plugin.call("Event_Destroy", { event });
    return made("buffer");
  }

  /** Starts a program on one device; its results are buffers. */
  async execute(executable: Handle, inputs: readonly Handle[], outputs: number): Promise<Handle[]> {
    const { plugin } = this;
    const [argumentList, outputList] = [pointers(inputs), Buffer.alloc(8 * Math.max(1, outputs))];
    const [argumentLists, outputLists] = [argumentList, outputList].map((list) => pointers([plugin.address(list)]));
    const [events, options] = [Buffer.alloc(8), Buffer.alloc(EXECUTE_OPTIONS.size)];
    options.writeBigUInt64LE(BigInt(EXECUTE_OPTIONS.size), 0);
    await plugin.callAsync("LoadedExecutable_Execute", {
      executable,
      options: plugin.address(options),
      argument_lists: plugin.address(argumentLists),
      num_devices: 1,
      num_args: inputs.length,
      output_lists: plugin.address(outputLists),
      device_complete_events: plugin.address(events),
    });
    keepAlive(argumentList, argumentLists, outputLists, options);
    this.buffers += outputs;
    await this.finished(events.readBigUInt64LE());
    return Array.from({ length: outputs }, (_, i) => outputList.readBigUInt64LE(8 * i));
  }

  /** Copies a buffer into `target`, which has its size. */
  async download(buffer: Handle, target: Uint8Array): Promise<void> {
    const { plugin } = this;
    const copied = await plugin.callAsync("Buffer_ToHostBuffer", {
      src: buffer,
      dst: plugin.address(target),
      dst_size: target.byteLength,
    });
    await this.finished(copied("event"));
    keepAlive(target);
  }

  freeBuffer(buffer: Handle): void {
    this.plugin.call("Buffer_Destroy", { buffer });
    this.buffers--;
  }

  close(): void {
    this.plugin.call("Client_Destroy", { client: this.client });
  }

  private async finished(event: Handle): Promise<void> {
    if (!event) return;
    try {
      await this.plugin.callAsync("Event_Await", { event });
    } finally {
      this.plugin.call("Event_Destroy", { event });
    }
  }
}

/** The plugin reads these by address; mentioning them here keeps the collector away until the call is over. */
function keepAlive(..._buffers: readonly Uint8Array[]): void {}

function pointers(list: readonly bigint[]): Buffer {
  const bytes = Buffer.alloc(8 * Math.max(1, list.length));
  list.forEach((pointer, i) => {
    bytes.writeBigUInt64LE(pointer, 8 * i);
  });
  return bytes;
}

/** Options as PJRT_NamedValue structs; `names` must live as long. */
function namedValues(plugin: PjrtPlugin, options: Readonly<Record<string, bigint | boolean>>) {
  const names = Object.keys(options).map((name) => Buffer.from(name));
  const bytes = Buffer.alloc(NAMED_VALUE.size * names.length);
  for (const [i, value] of Object.values(options).entries()) {
    const one = bytes.subarray(i * NAMED_VALUE.size, (i + 1) * NAMED_VALUE.size);
    one.writeBigUInt64LE(BigInt(NAMED_VALUE.size), 0);
    one.writeBigUInt64LE(plugin.address(names[i]), NAMED_VALUE.name);
    one.writeBigUInt64LE(BigInt(names[i].length), NAMED_VALUE.name_size);
    one.writeInt32LE(NAMED_VALUE_TYPE[typeof value === "boolean" ? "bool" : "int64"], NAMED_VALUE.type);
    if (typeof value === "boolean") one.writeUInt8(value ? 1 : 0, NAMED_VALUE.value);
    else one.writeBigInt64LE(value, NAMED_VALUE.value);
    one.writeBigUInt64LE(1n, NAMED_VALUE.value_size);
  }
  return { bytes, names };
}

// A PJRT plugin: one shared library, loaded once a process; calls with structs laid out by hand, errors in its own words.
import { createRequire } from "node:module";
import { InternalError, StillwaveError } from "../../errors.ts";
import { ARGUMENTS, FUNCTIONS, type FunctionName, VERSION_OFFSET } from "./layout.ts";

type Koffi = typeof import("koffi");
type Fields<K extends FunctionName> = Exclude<keyof (typeof ARGUMENTS)[K], "size">;
/** Values to write: 64 bits each, but for `i32`. */
type Values<K extends FunctionName> = { readonly [F in Fields<K>]?: bigint | number | { readonly i32: number } };

/** The oldest interface whose structs are those of the layout. */
const OLDEST_MINOR = 54;

interface Library {
  readonly koffi: Koffi;
  readonly call: (address: bigint, args: Buffer) => bigint | null;
  readonly callAsync: (address: bigint, args: Buffer) => Promise<bigint | null>;
  readonly entry: () => bigint;
}

/** koffi is optional: nothing but this path needs it. */
function loadKoffi(): Koffi {
  try {
    return createRequire(import.meta.url)("koffi") as Koffi;
  } catch (error) {
    throw new StillwaveError(
      `XLA devices need the package koffi, which cannot be loaded (${(error as Error).message.split("\n")[0]}); npm install koffi`,
    );
  }
}

function openLibrary(path: string): Library {
  const koffi = loadKoffi();
  let library: ReturnType<Koffi["load"]>;
  try {
    library = koffi.load(path, { global: false, lazy: true });
  } catch (error) {
    throw new StillwaveError(`${path}: cannot be loaded as a PJRT plugin (${(error as Error).message})`);
  }
  const signature = koffi.proto("void *StillwavePjrtFunction(void *args)");
  let entry: () => bigint;
  try {
    entry = library.func("GetPjrtApi", "void *", []) as () => bigint;
  } catch {
    throw new StillwaveError(`${path}: no PJRT plugin (it has no function GetPjrtApi)`);
  }
  const functions = new Map<bigint, ReturnType<typeof library.func>>();
  const at = (address: bigint) => {
    const known = functions.get(address) ?? (koffi.decode(address, signature) as ReturnType<typeof library.func>);
    functions.set(address, known);
    return known;
  };
  return {
    koffi,
    entry,
    call: (address, args) => at(address)(args) as bigint | null,
    callAsync: (address, args) =>
      new Promise((resolve, reject) => {
        at(address).async(args, (error: unknown, result: bigint | null) => (error ? reject(error) : resolve(result)));
      }),
  };
}

/** What a call gave: its output fields. */
export type Outputs<K extends FunctionName> = (field: Fields<K>) => bigint;

export class PjrtPlugin {
  readonly path: string;
  /** Major and minor of its interface. */
  readonly version: readonly [number, number];
  private readonly library: Library;
  private readonly api: bigint;
  private readonly structSize: number;

  /** @throws StillwaveError where the library is missing, no plugin, or older than what is needed */
  constructor(path: string) {
    this.path = path;
    this.library = openLibrary(path);
    this.api = BigInt(this.library.entry());
    this.structSize = Number(this.read(this.api, 8).readBigUInt64LE());
    const version = this.read(this.api + BigInt(VERSION_OFFSET), 8);
    this.version = [version.readInt32LE(0), version.readInt32LE(4)];
    const [major, minor] = this.version;
    if (major !== 0 || minor < OLDEST_MINOR)
      throw new StillwaveError(
        `${path}: its PJRT interface is ${major}.${minor}; 0.${OLDEST_MINOR} or later of major version 0 is needed: take a newer plugin`,
      );
    this.call("Plugin_Initialize", {});
  }

  /** Bytes of native memory, copied. */
  read(address: bigint, bytes: number): Buffer {
    return Buffer.from(Buffer.from(this.library.koffi.view(address, bytes)));
  }

  /** Where a buffer lies. It must stay referenced until the call that reads it is over. */
  address(buffer: Uint8Array): bigint {
    return buffer.byteLength === 0 ? 0n : BigInt(this.library.koffi.address(buffer));
  }

  /** Calls a function and waits for it. */
  call<K extends FunctionName>(name: K, values: Values<K>): Outputs<K> {
    const args = this.arguments(name, values);
    this.check(name, this.library.call(this.pointer(name), args));
    return (field) => args.readBigUInt64LE(this.offset(name, field));
  }

  /** Calls a function on another thread. */
  async callAsync<K extends FunctionName>(name: K, values: Values<K>): Promise<Outputs<K>> {
    const args = this.arguments(name, values);
    this.check(name, await this.library.callAsync(this.pointer(name), args));
    return (field) => args.readBigUInt64LE(this.offset(name, field));
  }

  private offset<K extends FunctionName>(name: K, field: Fields<K>): number {
    return (ARGUMENTS[name] as Readonly<Record<string, number>>)[field as string];
  }

  private arguments<K extends FunctionName>(name: K, values: Values<K>): Buffer {
    const { size } = ARGUMENTS[name];
    const args = Buffer.alloc(size);
    args.writeBigUInt64LE(BigInt(size), 0);
    for (const [field, value] of Object.entries(values) as [Fields<K>, Values<K>[Fields<K>]][]) {
      const at = this.offset(name, field);
      if (typeof value === "object") args.writeInt32LE(value.i32, at);
      else if (value !== undefined) args.writeBigUInt64LE(BigInt(value), at);
    }
    return args;
  }

  private pointer(name: FunctionName): bigint {
    const offset = FUNCTIONS[name];
    const pointer = offset + 8 <= this.structSize ? this.read(this.api + BigInt(offset), 8).readBigUInt64LE() : 0n;
    if (pointer === 0n) throw new StillwaveError(`${this.path}: the plugin has no PJRT_${name}; take a newer one`);
    return pointer;
  }

  private check(name: FunctionName, error: bigint | null): void {
    if (!error) return;
    const message = this.arguments("Error_Message", { error });
    if (this.library.call(this.pointer("Error_Message"), message)) throw new InternalError("PJRT_Error_Message failed");
    const { message: text, message_size: length } = ARGUMENTS.Error_Message;
    const words = this.read(message.readBigUInt64LE(text), Number(message.readBigUInt64LE(length))).toString();
    this.library.call(this.pointer("Error_Destroy"), this.arguments("Error_Destroy", { error }));
    throw new StillwaveError(`${this.path}: PJRT_${name}: ${words.slice(0, 4000)}`);
  }
}

// A PJRT plugin: calls of its functions with structs laid out by hand, and its errors in its own words.
import { InternalError, StillwaveError } from "../../errors.ts";
import { type Keys, keyCallbacks } from "./key-callbacks.ts";
import {
  ARGUMENTS,
  FUNCTIONS,
  type FunctionName,
  type KeyCallbacks,
  type Layout,
  RESOURCE_EXHAUSTED,
  VERSION_OFFSET,
} from "./layout.ts";
import { type Library, openLibrary } from "./library.ts";

/** The oldest interface whose structs are those of the layout. */
const OLDEST_MINOR = 54;

/** Of an error's words, which can hold a whole program. */
const MAX_MESSAGE_BYTES = 4000;

/** Bytes laid out for C. What they point to is referenced here, so that it lives as long as they do. */
export interface Struct {
  readonly bytes: Buffer;
  readonly pointsTo: readonly (Uint8Array | Struct)[];
}

/** Of a field: 64 bits, 32 bits, or the address of something. */
type FieldValue = bigint | number | { readonly i32: number } | Uint8Array | Struct;
type Fields<K extends FunctionName> = Exclude<keyof (typeof ARGUMENTS)[K], "size">;
type Values<L> = { readonly [F in Exclude<keyof L, "size">]?: FieldValue };

/** What a call gave: its output fields. */
export type Outputs<K extends FunctionName> = (field: Fields<K>) => bigint;

/** The plugin refused: its words, and the code (`PJRT_Error_Code`) of its error. */
export class PjrtError extends StillwaveError {
  readonly code: number;
  constructor(message: string, code: number) {
    super(message);
    this.code = code;
  }
}

export class PjrtPlugin {
  readonly path: string;
  /** Major and minor of its interface. */
  readonly version: readonly [number, number];
  private readonly library: Library;
  private readonly structSize: number;
  /** Structs of calls under way, out of the collector's reach. */
  private readonly inCalls = new Set<Struct>();

  /** @throws StillwaveError where the library is missing, no plugin, or older than what is needed */
  constructor(path: string) {
    this.path = path;
    this.library = openLibrary(path);
    const { api } = this.library;
    this.structSize = Number(this.read(api, 8).readBigUInt64LE());
    const version = this.read(api + BigInt(VERSION_OFFSET), 8);
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
    return this.library.read(address, bytes);
  }

  /** Text of native memory. */
  text(address: bigint, bytes: bigint): string {
    return this.read(address, Number(bytes)).toString();
  }

  /** A struct, its size first, and null where nothing is said. */
  struct<L extends Layout>(layout: L, values: Values<L>): Struct {
    const bytes = Buffer.alloc(layout.size);
    bytes.writeBigUInt64LE(BigInt(layout.size), 0);
    const pointsTo: (Uint8Array | Struct)[] = [];
    for (const [field, value] of Object.entries(values) as [string, FieldValue | undefined][]) {
      if (value === undefined) continue;
      if (typeof value === "object" && "i32" in value) bytes.writeInt32LE(value.i32, layout[field]);
      else bytes.writeBigUInt64LE(typeof value === "object" ? this.addressOf(value) : BigInt(value), layout[field]);
      if (typeof value === "object" && !("i32" in value)) pointsTo.push(value);
    }
    return { bytes, pointsTo };
  }

  /** An array of pointers. */
  pointers(list: readonly (bigint | Struct)[]): Struct {
    const bytes = Buffer.alloc(8 * Math.max(1, list.length));
    list.forEach((one, i) => {
      bytes.writeBigUInt64LE(typeof one === "bigint" ? one : this.addressOf(one), 8 * i);
    });
    return { bytes, pointsTo: list.filter((one) => typeof one !== "bigint") };
  }

  /** Whether it has a function: later ones are missing in older plugins. */
  has(name: FunctionName): boolean {
    return this.find(name) !== 0n;
  }

  /** Calls a function and waits for it. @throws PjrtError */
  call<K extends FunctionName>(name: K, values: Values<(typeof ARGUMENTS)[K]>): Outputs<K> {
    const args = this.struct<Layout>(ARGUMENTS[name], values);
    this.inCalls.add(args);
    try {
      this.check(name, this.library.call(this.pointer(name), args.bytes));
    } finally {
      this.inCalls.delete(args);
    }
    return (field) => args.bytes.readBigUInt64LE((ARGUMENTS[name] as Layout)[field as string]);
  }

  /** Calls a function on another thread. @throws PjrtError */
  async callAsync<K extends FunctionName>(name: K, values: Values<(typeof ARGUMENTS)[K]>): Promise<Outputs<K>> {
    const args = this.struct<Layout>(ARGUMENTS[name], values);
    this.inCalls.add(args);
    try {
      this.check(name, await this.library.callAsync(this.pointer(name), args.bytes));
    } finally {
      this.inCalls.delete(args);
    }
    return (field) => args.bytes.readBigUInt64LE((ARGUMENTS[name] as Layout)[field as string]);
  }

  /** Callbacks for `Client_Create` of several processes. */
  keyCallbacks(keys: Keys): KeyCallbacks {
    return keyCallbacks(this.library, keys);
  }

  /** Calls `void function(void *)` at an address that the plugin gave, as its deleters are. */
  callDeleter(address: bigint, argument: bigint): void {
    if (address) this.library.callVoid(address, argument);
  }

  private addressOf(value: Uint8Array | Struct): bigint {
    return this.library.address(value instanceof Uint8Array ? value : value.bytes);
  }

  private find(name: FunctionName): bigint {
    const offset = FUNCTIONS[name];
    if (offset + 8 > this.structSize) return 0n;
    return this.read(this.library.api + BigInt(offset), 8).readBigUInt64LE();
  }

  private pointer(name: FunctionName): bigint {
    const pointer = this.find(name);
    if (pointer === 0n) throw new StillwaveError(`${this.path}: the plugin has no PJRT_${name}; take a newer one`);
    return pointer;
  }

  /** Throws the error that a call returned. Error_Message and Error_Destroy return nothing. */
  private check(name: FunctionName, error: bigint | null): void {
    if (!error) return;
    const message = this.struct(ARGUMENTS.Error_Message, { error });
    this.library.callVoid(this.pointer("Error_Message"), message.bytes);
    const { message: text, message_size: size } = ARGUMENTS.Error_Message;
    const bytes = Math.min(Number(message.bytes.readBigUInt64LE(size)), MAX_MESSAGE_BYTES);
    const words = this.read(message.bytes.readBigUInt64LE(text), bytes).toString();
    const asked = this.struct(ARGUMENTS.Error_GetCode, { error });
    if (this.library.call(this.pointer("Error_GetCode"), asked.bytes)) throw new InternalError("an error has no code");
    this.library.callVoid(this.pointer("Error_Destroy"), this.struct(ARGUMENTS.Error_Destroy, { error }).bytes);
    const code = asked.bytes.readInt32LE(ARGUMENTS.Error_GetCode.code);
    const remedy = code === RESOURCE_EXHAUSTED ? "; the device's memory is full: take smaller batches" : "";
    throw new PjrtError(`${this.path}: PJRT_${name}: ${words}${remedy}`, code);
  }
}

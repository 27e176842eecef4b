// A shared library that exports GetPjrtApi, and calls into it: koffi is loaded here alone, and is optional.
import { createRequire } from "node:module";
import { isMainThread } from "node:worker_threads";
import { StillwaveError } from "../../errors.ts";

type Koffi = typeof import("koffi");
type NativeFunction = ReturnType<ReturnType<Koffi["load"]>["func"]>;

/** koffi runs a call on a stack of its own: compilers are deep, and 128 KiB, its default for calls on other threads, are few. */
const STACK_BYTES = 16 * 2 ** 20;

export interface Library {
  /** What GetPjrtApi returns. */
  readonly api: bigint;
  /** Calls a function that takes the address of one struct, and gives the pointer that it returns. */
  call(address: bigint, args: Buffer): bigint | null;
  /** The same on a thread of Node's pool. */
  callAsync(address: bigint, args: Buffer): Promise<bigint | null>;
  /** Calls a function that returns nothing. */
  callVoid(address: bigint, args: Buffer | bigint): void;
  /** The address of a C function of one pointer that returns one. Calls on other threads wait until the main thread is free. */
  callback(run: (argument: bigint) => bigint): bigint;
  /** Calls `void *function(int, const char *, size_t)`. */
  callError(address: bigint, code: number, text: string): bigint;
  /** A copy in memory that C frees by calling `free`. */
  allocate(bytes: Uint8Array): { readonly address: bigint; readonly free: bigint };
  write(address: bigint, bytes: Uint8Array): void;
  /** Bytes of native memory, copied. */
  read(address: bigint, bytes: number): Buffer;
  /** Where a buffer lies; 0 of an empty one. */
  address(buffer: Uint8Array): bigint;
}

let loaded: Koffi | undefined;

function loadKoffi(): Koffi {
  if (loaded) return loaded;
  try {
    loaded = createRequire(import.meta.url)("koffi") as Koffi;
  } catch (error) {
    throw new StillwaveError(
      `XLA devices need the package koffi, which cannot be loaded (${(error as Error).message.split("\n")[0]}); npm install koffi`,
    );
  }
  loaded.config({ sync_stack_size: STACK_BYTES, async_stack_size: STACK_BYTES });
  return loaded;
}

/**
 * Loads a library. Main thread and worker must not load the same one: such processes have crashed.
 * @throws StillwaveError where it cannot be loaded, or exports no GetPjrtApi
 */
export function openLibrary(path: string): Library {
  if (!isMainThread)
    throw new StillwaveError(`${path}: XLA devices work in a process's main thread, not in its workers`);
  const koffi = loadKoffi();
  const pointer = koffi.proto("void *", ["void *"]);
  const nothing = koffi.proto("void", ["void *"]);
  const makeError = koffi.proto("void *", ["int", "void *", "size_t"]);
  const write = (address: bigint, bytes: Uint8Array) => {
    if (bytes.byteLength > 0) new Uint8Array(koffi.view(address, bytes.byteLength)).set(bytes);
  };
  const functions = new Map<bigint, NativeFunction>();
  const at = (address: bigint): NativeFunction => {
    const known = functions.get(address) ?? (koffi.decode(address, pointer) as NativeFunction);
    functions.set(address, known);
    return known;
  };
  return {
    api: entryOf(koffi, path),
    call: (address, args) => at(address)(args) as bigint | null,
    callAsync: (address, args) =>
      new Promise((resolve, reject) => {
        at(address).async(args, (error: unknown, result: bigint | null) => (error ? reject(error) : resolve(result)));
      }),
    callback: (run) => {
      const called = (argument: bigint | null) => run(argument ?? 0n);
      return BigInt(koffi.register(called, koffi.pointer(pointer)) as bigint);
    },
    callError(address, code, text) {
      const bytes = Buffer.from(text);
      return BigInt((koffi.call(address, makeError, code, bytes, bytes.length) as bigint | null) ?? 0n);
    },
    allocate(bytes) {
      const c = koffi.load(null);
      const address = c.func("void *malloc(size_t)")(Math.max(1, bytes.byteLength)) as bigint;
      write(address, bytes);
      return { address, free: c.func("void *dlsym(void *, str)")(null, "free") as bigint };
    },
    write,
    callVoid: (address, args) => void koffi.call(address, nothing, args),
    read: (address, bytes) => (bytes === 0 ? Buffer.alloc(0) : Buffer.from(Buffer.from(koffi.view(address, bytes)))),
    address: (buffer) => (buffer.byteLength === 0 ? 0n : BigInt(koffi.address(buffer))),
  };
}

/** RTLD_LAZY and RTLD_NODELETE of dlfcn.h. */
const OPEN_FOREVER: Readonly<Partial<Record<NodeJS.Platform, number>>> = { linux: 0x1001, darwin: 0x81 };

/**
 * koffi closes a library that nothing refers to any more, and all of them when the process ends. Threads of a plugin run
 * until then, and calls need it as long as there is a client.
 */
function keepLoaded(koffi: Koffi, path: string): void {
  const mode = OPEN_FOREVER[process.platform];
  if (mode !== undefined) koffi.load(null).func("dlopen", "void *", ["str", "int"])(path, mode);
}

function entryOf(koffi: Koffi, path: string): bigint {
  let library: ReturnType<Koffi["load"]>;
  try {
    library = koffi.load(path, { global: false, lazy: true });
  } catch (error) {
    throw new StillwaveError(`${path}: cannot be loaded as a PJRT plugin (${(error as Error).message})`);
  }
  let entry: () => bigint;
  try {
    entry = library.func("GetPjrtApi", "void *", []) as () => bigint;
  } catch {
    throw new StillwaveError(`${path}: no PJRT plugin (it has no function GetPjrtApi)`);
  }
  keepLoaded(koffi, path);
  return BigInt(entry());
}

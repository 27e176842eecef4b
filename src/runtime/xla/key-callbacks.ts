// The callbacks by which a plugin of several processes exchanges what it must know of them: PJRT's key-value store.
import type { KeyCallbacks } from "./layout.ts";
import { KEY_GET, KEY_PUT, KEY_TRY_GET, NOT_FOUND } from "./layout.ts";
import type { Library } from "./library.ts";

/** Keys of all processes. Plugins call back on threads of their own and wait; so does whoever answers. */
export interface Keys {
  put(key: string, value: Uint8Array): void;
  /** undefined: there is none in time. */
  get(key: string, timeoutMs: number): Uint8Array | undefined;
}

type Answer = (field: (offset: number) => bigint, args: bigint) => bigint;

/** Addresses of functions that the plugin may call as long as the process lives. */
export function keyCallbacks(library: Library, keys: Keys): KeyCallbacks {
  const bytes = (address: bigint, size: bigint) => library.read(address, Number(size));
  const callback = (size: number, answer: Answer) =>
    library.callback((args) => {
      const struct = library.read(args, size);
      return answer((offset) => struct.readBigUInt64LE(offset), args);
    });
  const getter = (layout: typeof KEY_GET | typeof KEY_TRY_GET) =>
    callback(layout.size, (field, args) => {
      const key = bytes(field(layout.key), field(layout.key_size)).toString();
      const timeoutMs = "timeout" in layout ? Number(BigInt.asIntN(32, field(layout.timeout))) : 0;
      const value = keys.get(key, timeoutMs);
      if (!value) {
        const make = library.read(field(layout.callback_error), 8).readBigUInt64LE();
        return library.callError(make, NOT_FOUND, `no value of ${key} after ${timeoutMs} ms`);
      }
      const { address, free } = library.allocate(value);
      const out = Buffer.alloc(24);
      for (const [i, word] of [address, BigInt(value.byteLength), free].entries()) out.writeBigUInt64LE(word, 8 * i);
      library.write(args + BigInt(layout.value), out);
      return 0n;
    });
  return {
    kv_get_callback: getter(KEY_GET),
    kv_try_get_callback: getter(KEY_TRY_GET),
    kv_put_callback: callback(KEY_PUT.size, (field) => {
      const key = bytes(field(KEY_PUT.key), field(KEY_PUT.key_size)).toString();
      keys.put(key, bytes(field(KEY_PUT.value), field(KEY_PUT.value_size)));
      return 0n;
    }),
  };
}

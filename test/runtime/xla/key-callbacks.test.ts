// Callbacks of a plugin for keys of several processes, called as plugins do: from a thread of their own, with structs of C.
import { expect, test } from "vitest";
import { type Keys, keyCallbacks } from "../../../src/runtime/xla/key-callbacks.ts";
import { openLibrary } from "../../../src/runtime/xla/library.ts";
import { describeWithPlugin } from "./plugin.ts";

describeWithPlugin("keys of several processes", (openClient) => {
  // a process that loads a plugin and makes no client can crash when it ends
  const client = openClient();
  const library = openLibrary(client.plugin.path);
  const values = new Map<string, Uint8Array>();
  const asked: [string, number][] = [];
  const keys: Keys = {
    put: (key, value) => void values.set(key, Uint8Array.from(value)),
    get(key, timeoutMs) {
      asked.push([key, timeoutMs]);
      return values.get(key);
    },
  };
  const { kv_get_callback: get, kv_try_get_callback: tryGet, kv_put_callback: put } = keyCallbacks(library, keys);
  const makeError = library.callback(() => 77n);

  /** A struct whose fields of 8 bytes follow each other; buffers are pointed to. */
  function struct(...fields: readonly (bigint | Uint8Array)[]): Buffer {
    const bytes = Buffer.alloc(8 * fields.length);
    for (const [i, field] of fields.entries())
      bytes.writeBigUInt64LE(typeof field === "bigint" ? field : library.address(field), 8 * i);
    return bytes;
  }

  const key = (name: string) => [Buffer.from(name), BigInt(Buffer.byteLength(name))] as const;
  const errorMaker = struct(makeError);

  async function putKey(name: string, value: Uint8Array): Promise<void> {
    const args = struct(64n, 0n, ...key(name), value, BigInt(value.byteLength), errorMaker, 0n);
    expect((await library.callAsync(put, args)) ?? 0n).toBe(0n);
  }

  /** The value, freed as plugins do; the error where there is none. */
  async function getKey(name: string, timeoutMs?: bigint): Promise<number[] | bigint> {
    const timeout = timeoutMs === undefined ? [] : [timeoutMs];
    const size = timeoutMs === undefined ? 72n : 80n;
    const args = struct(size, 0n, ...key(name), ...timeout, errorMaker, 0n, 0n, 0n, 0n);
    const error = await library.callAsync(timeoutMs === undefined ? tryGet : get, args);
    if (error) return error;
    const [address, bytes, free] = [24, 16, 8].map((fromEnd) => args.readBigUInt64LE(args.length - fromEnd));
    const value = [...library.read(address, Number(bytes))];
    library.callVoid(free, address);
    return value;
  }

  test("what is put is got, with and without a time to wait", async () => {
    await putKey("cuda:local_topology/0", Uint8Array.of(1, 0, 255));
    expect(await getKey("cuda:local_topology/0", 120_000n)).toEqual([1, 0, 255]);
    expect(await getKey("cuda:local_topology/0")).toEqual([1, 0, 255]);
    await putKey("empty", new Uint8Array(0));
    expect(await getKey("empty", 5n)).toEqual([]);
    expect(asked).toEqual([
      ["cuda:local_topology/0", 120_000],
      ["cuda:local_topology/0", 0],
      ["empty", 5],
    ]);
  });

  test("what is not there is an error that the plugin makes", async () => {
    expect(await getKey("never", 5n)).toBe(77n);
    expect(await getKey("never")).toBe(77n);
    await client.close();
  });
});

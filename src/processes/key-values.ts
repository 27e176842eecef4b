// Keys that one process sets and others wait for: a store in the first process, which the others reach over their wires.
import type { Wire } from "./wire.ts";

export interface KeyValues {
  put(key: string, value: Uint8Array): Promise<void>;
  /** The value, once there is one; undefined where there is none in time. 0: now. */
  get(key: string, timeoutMs: number): Promise<Uint8Array | undefined>;
}

export class KeyValueStore implements KeyValues {
  private readonly values = new Map<string, Uint8Array>();
  private readonly waiting = new Map<string, Set<(value: Uint8Array) => void>>();

  async put(key: string, value: Uint8Array): Promise<void> {
    this.values.set(key, value);
    for (const tell of this.waiting.get(key) ?? []) tell(value);
    this.waiting.delete(key);
  }

  async get(key: string, timeoutMs: number): Promise<Uint8Array | undefined> {
    const known = this.values.get(key);
    if (known || timeoutMs <= 0) return known;
    return new Promise((resolve) => {
      const waiters = this.waiting.get(key) ?? new Set();
      this.waiting.set(key, waiters);
      const late = setTimeout(() => {
        waiters.delete(tell);
        resolve(undefined);
      }, timeoutMs);
      const tell = (value: Uint8Array) => {
        clearTimeout(late);
        resolve(value);
      };
      waiters.add(tell);
    });
  }
}

/** Number of the question, milliseconds and length of the key, 32 bits each; the key; the value. */
const HEADER_BYTES = 12;

function packed(number: number, timeoutMs: number, key: string, value: Uint8Array): Buffer {
  const name = Buffer.from(key);
  const header = Buffer.alloc(HEADER_BYTES);
  for (const [i, field] of [number, timeoutMs, name.length].entries()) header.writeUInt32LE(field, 4 * i);
  return Buffer.concat([header, name, value]);
}

function unpacked(body: Uint8Array) {
  const bytes = Buffer.from(body);
  const [number, timeoutMs, keyBytes] = [0, 4, 8].map((at) => bytes.readUInt32LE(at));
  const value = bytes.subarray(HEADER_BYTES + keyBytes);
  return { number, timeoutMs, key: bytes.toString("utf8", HEADER_BYTES, HEADER_BYTES + keyBytes), value };
}

/** Answers what the process at the other end asks, until it is gone. Questions may wait side by side. */
export async function serveKeys(wire: Wire, store: KeyValueStore): Promise<void> {
  const answer = async (name: string, body: Uint8Array) => {
    const { number, timeoutMs, key, value } = unpacked(body);
    if (name === "put") await store.put(key, value);
    const found = name === "get" ? await store.get(key, timeoutMs) : value;
    wire.send(found ? "found" : "late", packed(number, 0, "", found ?? new Uint8Array(0)));
  };
  try {
    for (;;) {
      const { name, body } = await wire.receive();
      void answer(name, body);
    }
  } catch {
    // the process is gone, and its group says so
  }
}

/** The store of the first process, from another one. */
export class RemoteKeyValues implements KeyValues {
  private readonly wire: Wire;
  private readonly asked = new Map<
    number,
    { resolve(value: Uint8Array | undefined): void; reject(error: Error): void }
  >();
  private count = 0;

  constructor(wire: Wire) {
    this.wire = wire;
    void this.listen();
  }

  async put(key: string, value: Uint8Array): Promise<void> {
    await this.ask("put", 0, key, value);
  }

  get(key: string, timeoutMs: number): Promise<Uint8Array | undefined> {
    return this.ask("get", timeoutMs, key, new Uint8Array(0));
  }

  private ask(name: string, timeoutMs: number, key: string, value: Uint8Array): Promise<Uint8Array | undefined> {
    const number = this.count++;
    return new Promise((resolve, reject) => {
      this.asked.set(number, { resolve, reject });
      this.wire.send(name, packed(number, timeoutMs, key, value));
    });
  }

  private async listen(): Promise<void> {
    try {
      for (;;) {
        const { name, body } = await this.wire.receive();
        const { number, value } = unpacked(body);
        this.asked.get(number)?.resolve(name === "found" ? value : undefined);
        this.asked.delete(number);
      }
    } catch (error) {
      for (const { reject } of this.asked.values()) reject(error as Error);
      this.asked.clear();
    }
  }
}

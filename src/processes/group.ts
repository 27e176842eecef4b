// Several processes that compute together: what each gives goes to the first, and what that makes of it comes back to all.
import { StillwaveError } from "../errors.ts";
import type { Introduction } from "./environment.ts";

/** To another process: messages of a name and bytes, in order. */
export interface Channel {
  send(name: string, body?: Uint8Array): void;
  receive(): Promise<{ readonly name: string; readonly body: Uint8Array }>;
  close(): Promise<void>;
}

/** Makes one of what every process gave, in the order of ranks. Runs in process 0. */
type Combine = (parts: readonly Uint8Array[]) => Uint8Array;

interface Exchange {
  readonly parts: Uint8Array[];
  combine?: Combine;
  resolve?: (result: Uint8Array) => void;
  reject?: (error: Error) => void;
}

/** Of what is sent at once: sums begin when the first of it is there. */
const CHUNK_BYTES = 2 ** 22;
const FAILED = "failed";
const BYE = "bye";
const TOLD = "told";
const STOP = "stop all";

export class ProcessGroup {
  readonly rank: number;
  readonly size: number;
  /** Where its processes met: others that they need meet beside it. */
  readonly place: Introduction;
  /** By rank: of process 0 to all others; the others have one, to it. */
  private readonly wires: ReadonlyMap<number, Channel>;
  private readonly exchanges = new Map<string, Exchange>();
  private readonly left = new Set<number>();
  private failure: StillwaveError | undefined;
  private tellFailure: (error: StillwaveError) => void = () => {};
  /** Resolves when a process has failed; never where none does. */
  readonly failed = new Promise<StillwaveError>((resolve) => {
    this.tellFailure = resolve;
  });
  private isClosed = false;
  private readonly stopping = new AbortController();
  /** In process 0: what the others have told and nobody has heard, and who waits for it. */
  private readonly told: unknown[] = [];
  private hearing: { resolve(value: unknown): void; reject(error: Error): void } | undefined;

  constructor(place: Introduction, wires: ReadonlyMap<number, Channel>) {
    this.rank = place.rank;
    this.size = place.size;
    this.place = place;
    this.wires = wires;
    for (const [other, wire] of wires) void this.listen(other, wire);
  }

  /**
   * What `combine` makes of what all processes give under one name, which is used once. The same in each of them.
   * @throws StillwaveError that names the process which has failed or ended
   */
  exchange(name: string, own: Uint8Array, combine: Combine): Promise<Uint8Array> {
    if (this.failure) return Promise.reject(this.failure);
    return new Promise((resolve, reject) => {
      const exchange = this.named(name);
      Object.assign(exchange, { combine, resolve, reject });
      if (this.rank > 0) this.wires.get(0)?.send(name, own);
      else this.give(name, 0, own);
    });
  }

  /** Adds up float32 values in place, in the order of ranks: the same bits in every process and every time. */
  async sum(name: string, values: Float32Array): Promise<void> {
    const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
    await Promise.all(
      chunksOf(bytes).map(async (chunk, i) => {
        chunk.set(await this.exchange(`${name}/${i}`, chunk, addFloats));
      }),
    );
  }

  /** Copies what process 0 has into the same bytes of all others. */
  async copyFirst(name: string, bytes: Uint8Array): Promise<void> {
    await Promise.all(
      chunksOf(bytes).map(async (chunk, i) => {
        const own = this.rank === 0 ? chunk : new Uint8Array(0);
        const first = await this.exchange(`${name}/${i}`, own, ([first]) => first);
        if (this.rank > 0) chunk.set(first);
      }),
    );
  }

  /** What process 0 says: a value that JSON holds. */
  async sayFirst<T>(name: string, value?: T): Promise<T> {
    const own = this.rank === 0 ? Buffer.from(JSON.stringify(value)) : new Uint8Array(0);
    const length = new Uint8Array(Float64Array.of(own.byteLength).buffer);
    await this.copyFirst(`${name}/length`, length);
    const said = this.rank === 0 ? own : Buffer.alloc(new Float64Array(length.buffer)[0]);
    await this.copyFirst(name, said);
    return JSON.parse(said.toString()) as T;
  }

  /** Aborted when any process has asked all to stop. */
  get stopped(): AbortSignal {
    return this.stopping.signal;
  }

  /** Asks all processes to stop. */
  stop(): void {
    if (this.stopping.signal.aborted) return;
    this.stopping.abort();
    for (const wire of this.wires.values()) wire.send(STOP);
  }

  /**
   * Tells process 0 a value that JSON holds.
   * @throws StillwaveError where it has failed or ended
   */
  tell(value: unknown): void {
    if (this.failure) throw this.failure;
    if (this.left.has(0)) throw new StillwaveError(`process 0 of ${this.size} has ended`);
    this.wires.get(0)?.send(TOLD, Buffer.from(JSON.stringify(value)));
  }

  /**
   * In process 0: what another tells next.
   * @throws StillwaveError where a process has failed or ended
   */
  hear(): Promise<unknown> {
    if (this.told.length > 0) return Promise.resolve(this.told.shift());
    if (this.failure) return Promise.reject(this.failure);
    return new Promise((resolve, reject) => {
      this.hearing = { resolve, reject };
    });
  }

  /** Whether any process says so. */
  async any(name: string, own: boolean): Promise<boolean> {
    const [said] = await this.exchange(name, Uint8Array.of(Number(own)), (parts) =>
      Uint8Array.of(Math.max(...parts.map(([one]) => one))),
    );
    return said === 1;
  }

  /** The first process that says something else than process 0; undefined where all say the same. */
  async differing(name: string, own: string): Promise<number | undefined> {
    const found = await this.exchange(name, Buffer.from(own), (parts) => {
      const [first, ...others] = parts.map((part) => Buffer.from(part).toString());
      return Uint8Array.from(Buffer.from(String(others.findIndex((other) => other !== first) + 1)));
    });
    return Number(Buffer.from(found).toString()) || undefined;
  }

  /** Leaves the others. With an error all of them fail, in its words. */
  async close(error?: Error): Promise<void> {
    if (this.isClosed) return;
    if (error) this.fail(`process ${this.rank} of ${this.size} has failed: ${error.message}`);
    this.isClosed = true;
    for (const wire of this.wires.values()) wire.send(BYE);
    await Promise.all([...this.wires.values()].map((wire) => wire.close()));
  }

  private async listen(other: number, wire: Channel): Promise<void> {
    try {
      for (;;) {
        const { name, body } = await wire.receive();
        if (name === FAILED) return this.fail(Buffer.from(body).toString());
        if (name === BYE) {
          this.left.add(other);
          if (this.rank > 0) void wire.close();
          if (this.exchanges.size > 0) this.fail(`process ${other} of ${this.size} has ended`);
          return;
        }
        if (name === STOP) this.stop();
        else if (name === TOLD) this.heard(JSON.parse(Buffer.from(body).toString()));
        else if (this.rank === 0) this.give(name, other, body);
        else this.take(name, body);
      }
    } catch (error) {
      if (!this.isClosed)
        this.fail(`process ${other} of ${this.size} is gone (${(error as Error).message}); look at what it printed`);
    }
  }

  private heard(value: unknown): void {
    const { hearing } = this;
    this.hearing = undefined;
    if (hearing) hearing.resolve(value);
    else this.told.push(value);
  }

  private named(name: string): Exchange {
    const exchange = this.exchanges.get(name) ?? { parts: [] };
    this.exchanges.set(name, exchange);
    return exchange;
  }

  /** In process 0: a part of an exchange. */
  private give(name: string, from: number, part: Uint8Array): void {
    const exchange = this.named(name);
    exchange.parts[from] = part;
    const isWhole = Object.keys(exchange.parts).length === this.size;
    if (!isWhole && this.left.size > 0) this.fail(`process ${[...this.left][0]} of ${this.size} has ended`);
    if (!isWhole || !exchange.combine) return;
    const result = exchange.combine(exchange.parts);
    for (const wire of this.wires.values()) wire.send(name, result);
    this.take(name, result);
  }

  private take(name: string, result: Uint8Array): void {
    const exchange = this.exchanges.get(name);
    this.exchanges.delete(name);
    exchange?.resolve?.(result);
  }

  private fail(words: string): void {
    if (this.failure || this.isClosed) return;
    this.failure = new StillwaveError(words);
    this.tellFailure(this.failure);
    for (const wire of this.wires.values()) wire.send(FAILED, Buffer.from(words));
    for (const { reject } of this.exchanges.values()) reject?.(this.failure);
    this.hearing?.reject(this.failure);
    this.exchanges.clear();
  }
}

function chunksOf(bytes: Uint8Array): Uint8Array[] {
  const count = Math.ceil(bytes.byteLength / CHUNK_BYTES);
  return Array.from({ length: count }, (_, i) => bytes.subarray(i * CHUNK_BYTES, (i + 1) * CHUNK_BYTES));
}

/** A sum in the order of the parts. Bytes of a message lie anywhere, so floats are read from a copy. */
function addFloats(parts: readonly Uint8Array[]): Uint8Array {
  const [sum, ...others] = parts.map((part) => new Float32Array(Uint8Array.from(part).buffer));
  for (const other of others) for (let i = 0; i < sum.length; i++) sum[i] += other[i];
  return new Uint8Array(sum.buffer);
}

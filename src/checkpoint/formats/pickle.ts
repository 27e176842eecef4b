// A restricted unpickler: reads Python pickles (protocols 0 to 5) as data. Nothing is imported, called or executed.
// Ours because hostile files need bounds, and pickleparser 0.2 fails at long integers and reads them without a sign.
import { StillwaveError } from "../../errors.ts";
import { PickleGlobal, PickleRecord, TorchTensor } from "./pickle.types.ts";
import { construct, persistentLoad } from "./pickle-globals.ts";
import { type ByteSource, PickleReader } from "./pickle-reader.ts";
import { decimal, SCALARS } from "./pickle-scalars.ts";

/** Most instructions and containers accepted: some hundred times what the largest known checkpoints have. */
const MAX_INSTRUCTIONS = 8_000_000;
const MAX_CONTAINERS = 2_000_000;

type Instruction = (machine: Machine) => unknown;

/** Stack machine of one pickle. */
class Machine {
  private stack: unknown[] = [];
  private readonly marks: unknown[][] = [];
  private readonly memo = new Map<number, unknown>();
  private readonly reader: PickleReader;
  /** Instructions so far that made or filled containers and objects: what memory grows with. */
  private containers = 0;

  constructor(reader: PickleReader) {
    this.reader = reader;
  }

  run(): unknown {
    for (let count = 0; count < MAX_INSTRUCTIONS; count++) {
      const code = this.reader.byte();
      if (code === 0x2e) return this.pop(); // STOP
      this.step(code);
    }
    throw new StillwaveError(`pickle: more than ${MAX_INSTRUCTIONS} instructions`);
  }

  private step(code: number): unknown {
    const scalar = SCALARS.get(code);
    if (scalar) return this.stack.push(scalar(this.reader));
    const moving = Machine.MOVING.get(code);
    if (moving) return moving(this);
    const building = Machine.BUILDING.get(code);
    if (!building)
      throw new StillwaveError(
        `pickle: unknown or refused instruction 0x${code.toString(16).padStart(2, "0")} at byte ${this.reader.position - 1}`,
      );
    if (++this.containers > MAX_CONTAINERS) throw new StillwaveError(`pickle: more than ${MAX_CONTAINERS} containers`);
    return building(this);
  }

  /** Instructions that move values between the stack and the memo. */
  private static readonly MOVING = new Map<number, Instruction>([
    [0x80, (m) => m.checkProtocol(m.reader.byte())], // PROTO
    [0x95, (m) => m.reader.uint(8)], // FRAME
    [0x30, (m) => (m.stack.length > 0 ? m.stack.pop() : m.popMark())], // POP
    [0x31, (m) => m.popMark()], // POP_MARK
    [0x32, (m) => m.stack.push(m.top())], // DUP
    [0x67, (m) => m.recall(Number(decimal(m.reader.line())))], // GET
    [0x68, (m) => m.recall(m.reader.byte())], // BINGET
    [0x6a, (m) => m.recall(m.reader.uint(4))], // LONG_BINGET
    [0x70, (m) => m.memo.set(Number(decimal(m.reader.line())), m.top())], // PUT
    [0x71, (m) => m.memo.set(m.reader.byte(), m.top())], // BINPUT
    [0x72, (m) => m.memo.set(m.reader.uint(4), m.top())], // LONG_BINPUT
    [0x94, (m) => m.memo.set(m.memo.size, m.top())], // MEMOIZE
  ]);

  /** Instructions that make or fill containers and objects. */
  private static readonly BUILDING = new Map<number, Instruction>([
    [0x28, (m) => m.mark()], // MARK
    [0x29, (m) => m.stack.push([])], // EMPTY_TUPLE
    [0x5d, (m) => m.stack.push([])], // EMPTY_LIST
    [0x85, (m) => m.stack.push([m.pop()])], // TUPLE1
    [0x86, (m) => m.stack.push([m.pop(), m.pop()].reverse())], // TUPLE2
    [0x87, (m) => m.stack.push([m.pop(), m.pop(), m.pop()].reverse())], // TUPLE3
    [0x74, (m) => m.pushed(m.popMark())], // TUPLE
    [0x6c, (m) => m.pushed(m.popMark())], // LIST
    [0x61, (m) => m.append([m.pop()])], // APPEND
    [0x65, (m) => m.append(m.popMark())], // APPENDS
    [0x90, (m) => m.append(m.popMark())], // ADDITEMS
    [0x8f, (m) => m.stack.push(new Set())], // EMPTY_SET
    [0x91, (m) => m.pushed(new Set(m.popMark()))], // FROZENSET
    [0x7d, (m) => m.stack.push(new Map())], // EMPTY_DICT
    [0x64, (m) => m.pushed(setItems(new Map(), m.popMark()))], // DICT
    [0x73, (m) => m.setItems([m.pop(), m.pop()].reverse())], // SETITEM
    [0x75, (m) => m.setItems(m.popMark())], // SETITEMS
    [0x63, (m) => m.stack.push(new PickleGlobal(m.reader.line(), m.reader.line()))], // GLOBAL
    [0x93, (m) => m.pushed(globalOf(m.pop(), m.pop()))], // STACK_GLOBAL
    [0x52, (m) => m.reduce()], // REDUCE
    [0x81, (m) => m.reduce()], // NEWOBJ
    [0x92, (m) => m.reduce(m.pop())], // NEWOBJ_EX
    [0x69, (m) => m.pushed(construct(new PickleGlobal(m.reader.line(), m.reader.line()), m.popMark()))], // INST
    [0x6f, (m) => m.object(m.popMark())], // OBJ
    [0x62, (m) => m.setState(m.pop())], // BUILD
    [0x50, () => persistentLoad(undefined)], // PERSID
    [0x51, (m) => m.stack.push(persistentLoad(m.pop()))], // BINPERSID
  ]);

  private checkProtocol(protocol: number): void {
    if (protocol > 5) throw new StillwaveError("pickle: a protocol newer than 5");
  }

  private top(): unknown {
    if (this.stack.length === 0) throw new StillwaveError("pickle: takes a value from an empty stack");
    return this.stack[this.stack.length - 1];
  }

  private pop(): unknown {
    const value = this.top();
    this.stack.pop();
    return value;
  }

  /** Pushes what was made of values up to a mark: taking them has put another stack in place. */
  private pushed(value: unknown): void {
    this.stack.push(value);
  }

  private mark(): void {
    this.marks.push(this.stack);
    this.stack = [];
  }

  private popMark(): unknown[] {
    const items = this.stack;
    const before = this.marks.pop();
    if (!before) throw new StillwaveError("pickle: a mark is missing");
    this.stack = before;
    return items;
  }

  private recall(index: number): void {
    if (!this.memo.has(index)) throw new StillwaveError(`pickle: memo ${index} was never stored`);
    this.stack.push(this.memo.get(index));
  }

  private reduce(keywords?: unknown): void {
    const args = this.pop();
    const made = construct(this.pop(), args);
    if (made instanceof PickleRecord && keywords instanceof Map)
      for (const [key, value] of keywords) made.items.set(key, value);
    this.stack.push(made);
  }

  private object([type, ...args]: unknown[]): void {
    this.stack.push(construct(type, args));
  }

  private append(items: unknown[]): void {
    const target = this.top();
    const list = target instanceof PickleRecord ? target.list : target;
    if (Array.isArray(list)) for (const item of items) list.push(item);
    else if (list instanceof Set) for (const item of items) list.add(item);
    else throw new StillwaveError("pickle: appends to something that is not a list");
  }

  private setItems(items: unknown[]): void {
    const target = this.top();
    const map = target instanceof PickleRecord ? target.items : target;
    if (!(map instanceof Map)) throw new StillwaveError("pickle: sets an item of something that is not a dict");
    setItems(map, items);
  }

  private setState(state: unknown): void {
    const target = this.top();
    if (target instanceof PickleRecord) target.state = mergeState(state);
    else if (
      !(target instanceof Map || Array.isArray(target) || target instanceof Set || target instanceof TorchTensor)
    )
      throw new StillwaveError("pickle: a state is set on something that is not an object");
  }
}

function globalOf(name: unknown, module: unknown): PickleGlobal {
  if (typeof name !== "string" || typeof module !== "string")
    throw new StillwaveError("pickle: a global whose name is not text");
  return new PickleGlobal(module, name);
}

function setItems(map: Map<unknown, unknown>, items: unknown[]): Map<unknown, unknown> {
  if (items.length % 2) throw new StillwaveError("pickle: a key without a value");
  for (let i = 0; i < items.length; i += 2) map.set(items[i], items[i + 1]);
  return map;
}

/** A state is a dict, or (dict or None, slots dict). */
function mergeState(state: unknown): unknown {
  if (!Array.isArray(state) || state.length !== 2 || !(state[1] instanceof Map)) return state;
  if (state[0] !== null && !(state[0] instanceof Map)) return state;
  return new Map([...(state[0] ?? []), ...state[1]]);
}

/**
 * Reads the pickle that starts at `start`. Returns its value (dicts as Map, lists and tuples as arrays, unknown objects as
 * PickleRecord, torch tensors as TorchTensor) and the offset of the first byte after it.
 */
export function readPickle(source: ByteSource, start = 0): { value: unknown; end: number } {
  const reader = new PickleReader(source, start);
  const value = new Machine(reader).run();
  return { value, end: reader.position };
}

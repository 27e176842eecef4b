// A restricted unpickler: reads Python pickles (protocols 0 to 5) as data. Nothing is imported, called or executed.
import { StillwaveError } from "../../errors.ts";
import { PickleGlobal, PickleRecord, TorchTensor } from "./pickle.types.ts";
import { construct, persistentLoad } from "./pickle-globals.ts";
import { type ByteSource, PickleReader } from "./pickle-reader.ts";
import { decimal, NONE, readScalar } from "./pickle-scalars.ts";

/** Most instructions and containers accepted: some hundred times what the largest known checkpoints have. */
const MAX_INSTRUCTIONS = 8_000_000;
const MAX_CONTAINERS = 2_000_000;

/** Stack machine of one pickle. The methods that run an instruction give nothing back. */
class Machine {
  private stack: unknown[] = [];
  private readonly marks: unknown[][] = [];
  private readonly memo = new Map<number, unknown>();
  private readonly reader: PickleReader;
  /** Instructions that make or fill containers and objects. */
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

  private countContainer(): void {
    if (++this.containers > MAX_CONTAINERS) throw new StillwaveError(`pickle: more than ${MAX_CONTAINERS} containers`);
  }

  private pop(): unknown {
    const value = this.top();
    this.stack.pop();
    return value;
  }

  private top(): unknown {
    if (this.stack.length === 0) throw new StillwaveError("pickle: takes a value from an empty stack");
    return this.stack[this.stack.length - 1];
  }

  private push(value: unknown): undefined {
    this.stack.push(value);
  }

  private popMark(): unknown[] {
    const items = this.stack;
    const before = this.marks.pop();
    if (!before) throw new StillwaveError("pickle: a mark is missing");
    this.stack = before;
    return items;
  }

  private recall(index: number): undefined {
    if (!this.memo.has(index)) throw new StillwaveError(`pickle: memo ${index} was never stored`);
    this.push(this.memo.get(index));
  }

  private step(code: number): undefined {
    const { reader } = this;
    const scalar = readScalar(code, reader);
    if (scalar !== NONE) return this.push(scalar);
    switch (code) {
      case 0x80: // PROTO
        if (reader.byte() > 5) throw new StillwaveError("pickle: a protocol newer than 5");
        return;
      case 0x95: // FRAME
        reader.uint(8);
        return;
      case 0x28: // MARK
        this.countContainer();
        this.marks.push(this.stack);
        this.stack = [];
        return;
      case 0x30: // POP
        if (this.stack.length > 0) this.stack.pop();
        else this.popMark();
        return;
      case 0x31: // POP_MARK
        this.popMark();
        return;
      case 0x32: // DUP
        return this.push(this.top());
      case 0x67: // GET
        return this.recall(Number(decimal(reader.line())));
      case 0x68: // BINGET
        return this.recall(reader.byte());
      case 0x6a: // LONG_BINGET
        return this.recall(reader.uint(4));
      case 0x70: // PUT
        this.memo.set(Number(decimal(reader.line())), this.top());
        return;
      case 0x71: // BINPUT
        this.memo.set(reader.byte(), this.top());
        return;
      case 0x72: // LONG_BINPUT
        this.memo.set(reader.uint(4), this.top());
        return;
      case 0x94: // MEMOIZE
        this.memo.set(this.memo.size, this.top());
        return;
      default:
        return this.collect(code);
    }
  }

  /** Containers and objects: what memory grows with. */
  private collect(code: number): undefined {
    this.countContainer();
    switch (code) {
      case 0x29: // EMPTY_TUPLE
      case 0x5d: // EMPTY_LIST
        return this.push([]);
      case 0x85: // TUPLE1
        return this.push([this.pop()]);
      case 0x86: // TUPLE2
        return this.push([this.pop(), this.pop()].reverse());
      case 0x87: // TUPLE3
        return this.push([this.pop(), this.pop(), this.pop()].reverse());
      case 0x74: // TUPLE
      case 0x6c: // LIST
        return this.push(this.popMark());
      case 0x7d: // EMPTY_DICT
        return this.push(new Map());
      case 0x64: {
        // DICT
        const items = this.popMark();
        this.push(new Map());
        return this.setItems(items);
      }
      case 0x8f: // EMPTY_SET
        return this.push(new Set());
      case 0x91: // FROZENSET
        return this.push(new Set(this.popMark()));
      case 0x61: // APPEND
        return this.append([this.pop()]);
      case 0x65: // APPENDS
      case 0x90: // ADDITEMS
        return this.append(this.popMark());
      case 0x73: // SETITEM
        return this.setItems([this.pop(), this.pop()].reverse());
      case 0x75: // SETITEMS
        return this.setItems(this.popMark());
      default:
        return this.build(code);
    }
  }

  private build(code: number): undefined {
    const { reader } = this;
    switch (code) {
      case 0x63: // GLOBAL
        return this.push(new PickleGlobal(reader.line(), reader.line()));
      case 0x93: {
        // STACK_GLOBAL
        const name = this.pop();
        const module = this.pop();
        if (typeof name !== "string" || typeof module !== "string")
          throw new StillwaveError("pickle: a global whose name is not text");
        return this.push(new PickleGlobal(module, name));
      }
      case 0x52: // REDUCE
      case 0x81: {
        // NEWOBJ
        const args = this.pop();
        return this.push(construct(this.pop(), args));
      }
      case 0x92: {
        // NEWOBJ_EX
        const keywords = this.pop();
        const args = this.pop();
        const made = construct(this.pop(), args);
        if (made instanceof PickleRecord && keywords instanceof Map)
          for (const [key, value] of keywords) made.items.set(key, value);
        return this.push(made);
      }
      case 0x69: // INST
        return this.push(construct(new PickleGlobal(reader.line(), reader.line()), this.popMark()));
      case 0x6f: {
        // OBJ
        const [type, ...args] = this.popMark();
        return this.push(construct(type, args));
      }
      case 0x62: {
        // BUILD
        const state = this.pop();
        const target = this.top();
        if (target instanceof PickleRecord) target.state = mergeState(state);
        else if (
          !(target instanceof Map || Array.isArray(target) || target instanceof Set || target instanceof TorchTensor)
        )
          throw new StillwaveError("pickle: a state is set on something that is not an object");
        return;
      }
      case 0x50: // PERSID
        throw new StillwaveError("pickle: a persistent id that is not a torch storage");
      case 0x51: // BINPERSID
        return this.push(persistentLoad(this.pop()));
      default:
        throw new StillwaveError(
          `pickle: unknown or refused instruction 0x${code.toString(16).padStart(2, "0")} at byte ${reader.position - 1}`,
        );
    }
  }

  private append(items: unknown[]): undefined {
    const target = this.top();
    const list = target instanceof PickleRecord ? target.list : target;
    if (Array.isArray(list)) for (const item of items) list.push(item);
    else if (list instanceof Set) for (const item of items) list.add(item);
    else throw new StillwaveError("pickle: appends to something that is not a list");
  }

  private setItems(items: unknown[]): undefined {
    const target = this.top();
    const map = target instanceof PickleRecord ? target.items : target;
    if (!(map instanceof Map)) throw new StillwaveError("pickle: sets an item of something that is not a dict");
    if (items.length % 2) throw new StillwaveError("pickle: a key without a value");
    for (let i = 0; i < items.length; i += 2) map.set(items[i], items[i + 1]);
  }
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

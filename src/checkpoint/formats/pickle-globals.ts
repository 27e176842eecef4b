// What the unpickler makes of a callable in a pickle: a fixed table of data constructors; everything else stays inert.
import { StillwaveError } from "../../errors.ts";
import { brief, PickleGlobal, PickleRecord, TorchStorage, TorchTensor } from "./pickle.types.ts";

type Construct = (args: readonly unknown[]) => unknown;

const MAX_RANK = 32;

/** The value of `callable(*args)` in a pickle. Nothing is executed: known data types are built, others are recorded. */
export function construct(callable: unknown, args: unknown): unknown {
  if (!Array.isArray(args)) throw new StillwaveError("pickle: arguments of a constructor are not a tuple");
  if (!(callable instanceof PickleGlobal)) throw new StillwaveError("pickle: a value that is not a name is called");
  const known = constructors.get(callable.path);
  return known ? known(args) : new PickleRecord(callable.path, args);
}

const asMap: Construct = ([pairs]) => {
  if (pairs instanceof Map) return new Map(pairs);
  const list: unknown[] = Array.isArray(pairs) ? pairs : [];
  if (!list.every((pair): pair is [unknown, unknown] => Array.isArray(pair) && pair.length === 2))
    throw new StillwaveError("pickle: a dict is built from non-pairs");
  return new Map(list);
};
const asList: Construct = ([items]) => (items === undefined ? [] : iterable(items));
const asSet: Construct = ([items]) => new Set(items === undefined ? [] : iterable(items));

function iterable(items: unknown): unknown[] {
  if (Array.isArray(items)) return [...items];
  if (items instanceof Set || items instanceof Map) return [...items.keys()];
  throw new StillwaveError("pickle: a list is built from something that is not a list");
}

function wholeNumbers(value: unknown, what: string): number[] {
  if (Array.isArray(value) && value.length <= MAX_RANK && value.every((n) => Number.isSafeInteger(n) && n >= 0))
    return value as number[];
  const shown = Array.isArray(value) ? `[${value.slice(0, MAX_RANK).map(brief)}]` : brief(value);
  throw new StillwaveError(`pickle: a tensor with an impossible ${what} ${shown}`);
}

function tensor(args: readonly unknown[], dtype?: unknown): TorchTensor {
  const [storage, offset, size, stride] = args;
  if (!(storage instanceof TorchStorage)) throw new StillwaveError("pickle: a tensor without a storage");
  if (!Number.isSafeInteger(offset) || (offset as number) < 0)
    throw new StillwaveError(`pickle: a tensor with an impossible storage offset ${brief(offset)}`);
  const shape = wholeNumbers(size, "shape");
  const strides = wholeNumbers(stride, "stride");
  if (shape.length !== strides.length) throw new StillwaveError("pickle: a tensor with unlike shape and strides");
  return new TorchTensor(
    storage,
    offset as number,
    shape,
    strides,
    dtype instanceof PickleGlobal ? dtype.path : undefined,
  );
}

/** numpy scalars carry their bytes: floats and integers of a little-endian dtype are decoded, others stay records. */
const numpyScalar: Construct = (args) => {
  const [dtype, bytes] = args;
  const kind = dtype instanceof PickleRecord ? dtype.args[0] : undefined;
  if (bytes instanceof Uint8Array && typeof kind === "string") {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    if (kind === "f8" && bytes.length === 8) return view.getFloat64(0, true);
    if (kind === "f4" && bytes.length === 4) return view.getFloat32(0, true);
    if (kind === "i8" && bytes.length === 8) return Number(view.getBigInt64(0, true));
    if (kind === "i4" && bytes.length === 4) return view.getInt32(0, true);
    if (kind === "b1" && bytes.length === 1) return bytes[0] !== 0;
  }
  return new PickleRecord("numpy.scalar", args);
};

/** Protocols 0 and 1 name the class of an object in an argument. */
const reconstructed: Construct = (args) =>
  args[0] instanceof PickleGlobal ? construct(args[0], []) : new PickleRecord("copyreg._reconstructor", args);

const latin1: Construct = ([text, encoding]) => {
  if (typeof text !== "string" || (encoding !== undefined && encoding !== "latin1" && encoding !== "latin-1"))
    return new PickleRecord("_codecs.encode", [text, encoding]);
  return Uint8Array.from(text, (c) => c.charCodeAt(0));
};

const constructors: ReadonlyMap<string, Construct> = new Map<string, Construct>([
  ["collections.OrderedDict", asMap],
  ["collections.defaultdict", ([, pairs]) => asMap([pairs])],
  ["collections.Counter", asMap],
  ...["builtins", "__builtin__"].flatMap((module): [string, Construct][] => [
    [`${module}.dict`, asMap],
    [`${module}.list`, asList],
    [`${module}.tuple`, asList],
    [`${module}.bytes`, (args) => (args.length === 0 ? new Uint8Array(0) : new PickleRecord("builtins.bytes", args))],
    [`${module}.set`, asSet],
    [`${module}.frozenset`, asSet],
  ]),
  ...["copyreg", "copy_reg"].map((module): [string, Construct] => [`${module}._reconstructor`, reconstructed]),
  ["torch.Size", asList],
  ["torch._utils._rebuild_tensor", (args) => tensor(args)],
  ["torch._utils._rebuild_tensor_v2", (args) => tensor(args)],
  ["torch._utils._rebuild_tensor_v3", (args) => tensor(args, args[6])],
  ["torch._utils._rebuild_parameter", ([data]) => data],
  ["torch._utils._rebuild_parameter_with_state", ([data]) => data],
  [
    "torch._tensor._rebuild_from_type_v2",
    ([rebuild, , args]) =>
      rebuild instanceof PickleGlobal && /^torch\._utils\._rebuild_(tensor(_v[23])?|parameter)$/.test(rebuild.path)
        ? construct(rebuild, args)
        : new PickleRecord("torch._tensor._rebuild_from_type_v2", [rebuild, args]),
  ],
  ["_codecs.encode", latin1],
  ["numpy.core.multiarray.scalar", numpyScalar],
  ["numpy._core.multiarray.scalar", numpyScalar],
]);

/** torch's persistent ids: ("storage", type, key, location, elements[, view]). */
export function persistentLoad(id: unknown): unknown {
  if (!Array.isArray(id)) throw new StillwaveError("pickle: a persistent id that is not a torch storage");
  if (id[0] === "module") return id[1];
  const [kind, type, key, , elements, view] = id;
  if (kind !== "storage" || !(type instanceof PickleGlobal) || (typeof key !== "string" && typeof key !== "number"))
    throw new StillwaveError("pickle: a persistent id that is not a torch storage");
  if (!Number.isSafeInteger(elements) || (elements as number) < 0)
    throw new StillwaveError(`pickle: storage "${key}" with an impossible size ${brief(elements)}`);
  if (!Array.isArray(view)) return new TorchStorage(String(key), type.name, elements as number);
  const [, offset, size] = view;
  if (![offset, size].every((n) => Number.isSafeInteger(n) && n >= 0) || offset + size > (elements as number))
    throw new StillwaveError(`pickle: storage "${key}" with an impossible view`);
  return new TorchStorage(String(key), type.name, size, offset);
}

// A reader of ONNX bytes that knows the format from its specification alone (onnx.proto), and the checks of a valid model.

type Field = { readonly number: number; readonly value: bigint | Uint8Array | number };

/** The fields of one protobuf message, in order. Throws where the bytes do not end with a field. */
function fieldsOf(bytes: Uint8Array): Field[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  const varint = () => {
    let result = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = view.getUint8(at++);
      result |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return BigInt.asIntN(64, result);
    }
  };
  const fields: Field[] = [];
  while (at < bytes.length) {
    const tag = Number(varint());
    const [number, wire] = [tag >> 3, tag & 7];
    if (wire === 0) fields.push({ number, value: varint() });
    else if (wire === 5) {
      fields.push({ number, value: view.getFloat32(at, true) });
      at += 4;
    } else if (wire === 2) {
      const length = Number(varint());
      if (at + length > bytes.length) throw new Error(`field ${number} runs past the end`);
      fields.push({ number, value: bytes.subarray(at, at + length) });
      at += length;
    } else throw new Error(`wire type ${wire}`);
  }
  return fields;
}

type Kind = "int" | "float" | "text" | "bytes" | Schema | { readonly lazy: () => Schema };
/** Field number -> name and kind; a trailing `*` in the name is a repeated field. */
interface Schema {
  readonly [number: number]: readonly [string, Kind];
}
// biome-ignore lint/suspicious/noExplicitAny: a decoded message is read by field name
type Message = any;

const ENTRY: Schema = { 1: ["key", "text"], 2: ["value", "text"] };
const TENSOR: Schema = { 1: ["dims*", "int"], 2: ["dataType", "int"], 8: ["name", "text"], 9: ["raw", "bytes"], 13: ["external*", ENTRY], 14: ["location", "int"] }; // biome-ignore format: one line
const ATTRIBUTE: Schema = { 1: ["name", "text"], 2: ["f", "float"], 3: ["i", "int"], 4: ["s", "text"], 5: ["t", TENSOR], 6: ["g", { lazy: () => GRAPH }], 8: ["ints*", "int"], 20: ["type", "int"] }; // biome-ignore format: one line
const NODE: Schema = { 1: ["input*", "text"], 2: ["output*", "text"], 3: ["name", "text"], 4: ["opType", "text"], 5: ["attribute*", ATTRIBUTE], 7: ["domain", "text"] }; // biome-ignore format: one line
const SHAPE: Schema = { 1: ["dim*", { 1: ["value", "int"], 2: ["param", "text"] }] };
const VALUE: Schema = { 1: ["name", "text"], 2: ["type", { 1: ["tensor", { 1: ["elementType", "int"], 2: ["shape", SHAPE] }] }] }; // biome-ignore format: one line
const GRAPH: Schema = { 1: ["node*", NODE], 2: ["name", "text"], 5: ["initializer*", TENSOR], 11: ["input*", VALUE], 12: ["output*", VALUE] }; // biome-ignore format: one line
const OPSET: Schema = { 1: ["domain", "text"], 2: ["version", "int"] };
const MODEL: Schema = { 1: ["irVersion", "int"], 2: ["producer", "text"], 3: ["producerVersion", "text"], 7: ["graph", GRAPH], 8: ["opset*", OPSET], 14: ["metadata*", ENTRY] }; // biome-ignore format: one line

function decode(bytes: Uint8Array, schema: Schema): Message {
  const message: Message = {};
  for (const [name] of Object.values(schema)) if (name.endsWith("*")) message[name.slice(0, -1)] = [];
  for (const { number, value } of fieldsOf(bytes)) {
    const known = schema[number];
    if (!known) throw new Error(`unknown field ${number}`);
    const [name, kind] = known;
    const type = kind === "int" ? "bigint" : kind === "float" ? "number" : "object";
    if (typeof value !== type) throw new Error(`field ${number} (${name}) is encoded as ${typeof value}`);
    const read =
      kind === "text"
        ? new TextDecoder("utf-8", { fatal: true }).decode(value as Uint8Array)
        : typeof kind === "object"
          ? decode(value as Uint8Array, "lazy" in kind ? (kind.lazy as () => Schema)() : (kind as Schema))
          : value;
    if (name.endsWith("*")) message[name.slice(0, -1)].push(read);
    else if (name in message) throw new Error(`field ${number} (${name}) occurs twice`);
    else message[name] = read;
  }
  return message;
}

export const readModel = (bytes: Uint8Array): Message => decode(bytes, MODEL);

const BYTES_PER_ELEMENT: Record<string, number> = { 1: 4, 2: 1, 3: 1, 6: 4, 7: 8, 9: 1, 10: 2, 11: 8 };
const ATTRIBUTE_FIELD: Record<string, string> = { 1: "f", 2: "i", 3: "s", 4: "t", 5: "g", 7: "ints" };

type Check = (valid: boolean, problem: string) => void;

/** Checks a graph, or the body of a node, which may read the names of `around`. */
function checkGraph(
  graph: Message,
  domains: ReadonlyMap<string, bigint>,
  around: Iterable<string>,
  check: Check,
): void {
  const defined = new Set<string>(["", ...around]);
  const define = (name: string) => {
    check(!defined.has(name), `"${name}" is defined twice`);
    defined.add(name);
  };
  for (const { name } of graph.input) define(name);
  for (const { name, dims, dataType, raw } of graph.initializer) {
    define(name);
    const size = dims.reduce((a: number, b: bigint) => a * Number(b), 1) * BYTES_PER_ELEMENT[String(dataType)];
    check((raw?.length ?? 0) === size, `initializer "${name}" has ${raw?.length} bytes, not ${size}`);
  }
  const nodeNames = new Set<string>();
  for (const node of graph.node) {
    check(node.name !== undefined && !nodeNames.has(node.name), `node name "${node.name}" is missing or taken`);
    nodeNames.add(node.name);
    check(domains.has(node.domain ?? ""), `domain "${node.domain}" of ${node.name} is not imported`);
    for (const name of node.input) check(defined.has(name), `"${name}" is read by ${node.name} before it is defined`);
    check(node.output.length > 0, `${node.name} has no output`);
    const attributes = new Set(node.attribute.map((a: Message) => a.name));
    check(attributes.size === node.attribute.length, `${node.name} has an attribute twice`);
    for (const a of node.attribute) {
      check(a[ATTRIBUTE_FIELD[String(a.type)]] !== undefined, `${node.name}.${a.name} is not what its type says`);
      if (a.g) checkGraph(a.g, domains, defined, check);
    }
    for (const name of node.output) define(name);
  }
  const outputs = graph.output.map((o: Message) => o.name);
  check(new Set(outputs).size === outputs.length, "two outputs have one name");
  for (const name of outputs) check(defined.has(name), `output "${name}" is not defined`);
  for (const { name, type } of [...graph.input, ...graph.output])
    check(
      BYTES_PER_ELEMENT[String(type?.tensor?.elementType)] !== undefined && type.tensor.shape,
      `"${name}" has no type`,
    );
}

/** What the specification demands of a model; returns every violation. */
export function problemsOf(model: Message): string[] {
  const problems: string[] = [];
  const check: Check = (valid, problem) => {
    if (!valid) problems.push(problem);
  };
  const domains = new Map<string, bigint>(model.opset.map((o: Message) => [o.domain ?? "", o.version]));
  check(domains.size === model.opset.length, "an opset domain occurs twice");
  checkGraph(model.graph, domains, [], check);
  check([8n, 9n, 10n].includes(model.irVersion) && Boolean(model.graph.name), "no IR version or graph name");
  return problems;
}

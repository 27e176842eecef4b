// The instructions of a pickle that carry numbers, text and bytes.
import { StillwaveError } from "../../errors.ts";
import { type PickleReader, utf8 } from "./pickle-reader.ts";

const latin1 = (bytes: Uint8Array): string => Buffer.from(bytes).toString("latin1");
const viewOf = (bytes: Uint8Array) => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

const MAX_LONG_BYTES = 256;

function longLength(length: number): number {
  if (length > MAX_LONG_BYTES) throw new StillwaveError(`pickle: an integer of ${length} bytes`);
  return length;
}

function longFrom(bytes: Uint8Array): number | bigint {
  let value = 0n;
  for (let i = bytes.length - 1; i >= 0; i--) value = (value << 8n) | BigInt(bytes[i]);
  if (bytes.length > 0 && bytes[bytes.length - 1] & 0x80) value -= 1n << BigInt(bytes.length * 8);
  return smallest(value);
}

function smallest(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}

export function decimal(text: string): number | bigint {
  if (!/^[+-]?\d{1,600}L?$/.test(text)) throw new StillwaveError(`pickle: "${text.slice(0, 40)}" is not an integer`);
  return smallest(BigInt(text.replace(/L$/, "").replace(/^\+/, "")));
}

/** Protocol 0 writes booleans as integers with two digits. */
const integer = (text: string) => (text === "01" ? true : text === "00" ? false : decimal(text));

function float(text: string): number {
  if (!/^[+-]?(\d|\.|inf|nan)/i.test(text)) throw new StillwaveError("pickle: a float that is not a number");
  if (/inf/i.test(text)) return text[0] === "-" ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
  return Number(text);
}

/** Python's repr of a str, as protocol 0 stores it. Escapes other than the plain ones are kept as they are. */
function unquote(text: string): string {
  const quote = text[0];
  if (text.length < 2 || (quote !== "'" && quote !== '"') || text[text.length - 1] !== quote)
    throw new StillwaveError("pickle: a string without quotes");
  return text.slice(1, -1).replace(/\\(x[0-9a-fA-F]{2}|[\\'"nrt])/g, (_, e: string) => {
    if (e[0] === "x") return String.fromCharCode(Number.parseInt(e.slice(1), 16));
    return { n: "\n", r: "\r", t: "\t" }[e] ?? e;
  });
}

/** Python's raw-unicode-escape: Latin-1 with \\uXXXX and \\UXXXXXXXX. */
function rawUnicode(text: string): string {
  return text.replace(/\\(?:u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8}))/g, (_, short?: string, long?: string) => {
    const code = Number.parseInt(short ?? long ?? "", 16);
    if (code > 0x10ffff) throw new StillwaveError("pickle: a character that does not exist");
    return String.fromCodePoint(code);
  });
}

/** What the instructions push that carry a number, text or bytes, by their code. */
export const SCALARS = new Map<number, (reader: PickleReader) => unknown>([
  [0x4e, () => null], // NONE
  [0x88, () => true], // NEWTRUE
  [0x89, () => false], // NEWFALSE
  [0x4b, (r) => r.byte()], // BININT1
  [0x4d, (r) => r.uint(2)], // BININT2
  [0x4a, (r) => r.uint(4) | 0], // BININT
  [0x49, (r) => integer(r.line())], // INT
  [0x4c, (r) => decimal(r.line())], // LONG
  [0x8a, (r) => longFrom(r.take(r.byte()))], // LONG1
  [0x8b, (r) => longFrom(r.take(longLength(r.uint(4))))], // LONG4
  [0x47, (r) => viewOf(r.take(8)).getFloat64(0, false)], // BINFLOAT
  [0x46, (r) => float(r.line())], // FLOAT
  [0x53, (r) => unquote(r.line())], // STRING
  [0x54, (r) => latin1(r.take(r.uint(4)))], // BINSTRING
  [0x55, (r) => latin1(r.take(r.byte()))], // SHORT_BINSTRING
  [0x56, (r) => rawUnicode(latin1(r.lineBytes()))], // UNICODE
  [0x8c, (r) => utf8(r.take(r.byte()))], // SHORT_BINUNICODE
  [0x58, (r) => utf8(r.take(r.uint(4)))], // BINUNICODE
  [0x8d, (r) => utf8(r.take(r.uint(8)))], // BINUNICODE8
  [0x43, (r) => r.take(r.byte()).slice()], // SHORT_BINBYTES
  [0x42, (r) => r.take(r.uint(4)).slice()], // BINBYTES
  [0x8e, (r) => r.take(r.uint(8)).slice()], // BINBYTES8
  [0x96, (r) => r.take(r.uint(8)).slice()], // BYTEARRAY8
]);

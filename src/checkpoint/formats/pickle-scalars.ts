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

export const NONE = Symbol("not a scalar");

/** Numbers, text and bytes; `NONE` where the instruction is another. */
export function readScalar(code: number, reader: PickleReader): unknown {
  switch (code) {
    case 0x4e: // NONE
      return null;
    case 0x88: // NEWTRUE
      return true;
    case 0x89: // NEWFALSE
      return false;
    case 0x4b: // BININT1
      return reader.byte();
    case 0x4d: // BININT2
      return reader.uint(2);
    case 0x4a: // BININT
      return reader.uint(4) | 0;
    case 0x49: // INT
      return integer(reader.line());
    case 0x4c: // LONG
      return decimal(reader.line());
    case 0x8a: // LONG1
      return longFrom(reader.take(reader.byte()));
    case 0x8b: // LONG4
      return longFrom(reader.take(longLength(reader.uint(4))));
    case 0x47: // BINFLOAT
      return viewOf(reader.take(8)).getFloat64(0, false);
    case 0x46: // FLOAT
      return float(reader.line());
    default:
      return readText(code, reader);
  }
}

function readText(code: number, reader: PickleReader): unknown {
  switch (code) {
    case 0x53: // STRING
      return unquote(reader.line());
    case 0x54: // BINSTRING
      return latin1(reader.take(reader.uint(4)));
    case 0x55: // SHORT_BINSTRING
      return latin1(reader.take(reader.byte()));
    case 0x56: // UNICODE
      return rawUnicode(latin1(reader.lineBytes()));
    case 0x8c: // SHORT_BINUNICODE
      return utf8(reader.take(reader.byte()));
    case 0x58: // BINUNICODE
      return utf8(reader.take(reader.uint(4)));
    case 0x8d: // BINUNICODE8
      return utf8(reader.take(reader.uint(8)));
    case 0x43: // SHORT_BINBYTES
      return reader.take(reader.byte()).slice();
    case 0x42: // BINBYTES
      return reader.take(reader.uint(4)).slice();
    case 0x8e: // BINBYTES8
    case 0x96: // BYTEARRAY8
      return reader.take(reader.uint(8)).slice();
    default:
      return NONE;
  }
}

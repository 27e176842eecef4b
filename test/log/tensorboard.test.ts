// TensorBoard event files, read back by a parser that shares nothing with the writer.
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { openEventWriter } from "../../src/log/index.ts";
import { crc32c } from "../../src/log/tensorboard.ts";
import { trainRow, validationRow } from "./rows.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "stillwave-events-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

/** CRC-32C by polynomial division, most significant bit first, with the bits mirrored outside: another way to the same number. */
function crcByDivision(bytes: Uint8Array): number {
  const mirror = (value: bigint, bits: number) => {
    let out = 0n;
    for (let i = 0; i < bits; i++) out |= ((value >> BigInt(i)) & 1n) << BigInt(bits - 1 - i);
    return out;
  };
  let register = 0xffffffffn;
  for (const byte of bytes) {
    register ^= mirror(BigInt(byte), 8) << 24n;
    for (let bit = 0; bit < 8; bit++)
      register = register & 0x80000000n ? ((register << 1n) ^ 0x1edc6f41n) & 0xffffffffn : register << 1n;
  }
  return Number(mirror(register, 32) ^ 0xffffffffn);
}

function unmask(masked: number): number {
  const rotated = (masked - 0xa282ead8) >>> 0;
  return ((rotated >>> 17) | (rotated << 15)) >>> 0;
}

function records(bytes: Buffer): Buffer[] {
  const out: Buffer[] = [];
  for (let at = 0; at < bytes.length; ) {
    const length = Number(bytes.readBigUInt64LE(at));
    expect(unmask(bytes.readUInt32LE(at + 8))).toBe(crcByDivision(bytes.subarray(at, at + 8)));
    const data = bytes.subarray(at + 12, at + 12 + length);
    expect(data).toHaveLength(length);
    expect(unmask(bytes.readUInt32LE(at + 12 + length))).toBe(crcByDivision(data));
    out.push(data);
    at += 16 + length;
  }
  return out;
}

type Fields = Map<number, (bigint | Buffer)[]>;

/** Generic protobuf: field number -> values; varints as integers, everything else as bytes. */
function fields(bytes: Buffer): Fields {
  const out: Fields = new Map();
  let at = 0;
  const varint = () => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = bytes[at++];
      value |= BigInt(byte & 127) << shift;
      if (byte < 128) return value;
    }
  };
  while (at < bytes.length) {
    const tag = Number(varint());
    let value: bigint | Buffer;
    if ((tag & 7) === 0) value = varint();
    else {
      const length = { 1: 8, 5: 4 }[tag & 7] ?? Number(varint());
      value = bytes.subarray(at, at + length);
      at += length;
    }
    out.set(tag >> 3, [...(out.get(tag >> 3) ?? []), value]);
  }
  expect(at).toBe(bytes.length);
  return out;
}

function decode(record: Buffer) {
  const event = fields(record);
  const summary = event.get(5)?.[0] as Buffer | undefined;
  return {
    wallTime: (event.get(1)![0] as Buffer).readDoubleLE(0),
    step: event.get(2)![0] as bigint,
    version: event.get(3)?.[0]?.toString(),
    scalars: (summary ? (fields(summary).get(1) ?? []) : []).map((value): [string, number] => {
      const parts = fields(value as Buffer);
      return [parts.get(1)![0].toString(), (parts.get(2)![0] as Buffer).readFloatLE(0)];
    }),
    session: event.has(7) ? fields(event.get(7)![0] as Buffer).get(1) : undefined,
  };
}

describe("crc32c", () => {
  // Check value of the Rocksoft model "CRC-32/ISCSI" and the examples of RFC 3720 appendix B.4.
  const vectors: [string, Uint8Array, number][] = [
    ["123456789", Buffer.from("123456789"), 0xe3069283],
    ["nothing", new Uint8Array(0), 0],
    ["32 zeros", new Uint8Array(32), 0x8a9136aa],
    ["32 ones", new Uint8Array(32).fill(255), 0x62a8ab43],
    ["0..31", Uint8Array.from({ length: 32 }, (_, i) => i), 0x46dd794e],
    ["31..0", Uint8Array.from({ length: 32 }, (_, i) => 31 - i), 0x113fdb5c],
  ];
  test.each(vectors)("%s", (_, bytes, crc) => {
    expect(crc32c(bytes)).toBe(crc);
    expect(crcByDivision(bytes)).toBe(crc);
  });
});

describe("event files", () => {
  const read = (path: string) => records(readFileSync(path)).map(decode);

  test("name, version record, and every scalar of a training and a validation row", () => {
    const writer = openEventWriter(folder, { now: () => 1_700_000_000.25, host: "a b/c" });
    writer.write(trainRow(300, { loss: 0.5, learningRate: 2 ** -11, gradientNorm: Number.NaN }));
    writer.write(validationRow(300, { loss: 0.25, perLayer: [1, 2] }));
    writer.close();
    expect(basename(writer.path)).toBe("events.out.tfevents.1700000000.a_b_c");
    const [version, train, validation, ...rest] = read(writer.path);
    expect(rest).toEqual([]);
    expect(version).toMatchObject({ version: "brain.Event:2", step: 0n, wallTime: 1_700_000_000.25 });
    expect(train!.step).toBe(300n);
    const scalars = new Map(train!.scalars);
    expect([...scalars.keys()]).toEqual([
      "loss/total",
      "loss/hint_masked",
      "loss/hint_unmasked",
      "loss/last_masked",
      "loss/last_unmasked",
      "layer_masked/0",
      "layer_masked/1",
      "layer_masked/2",
      "layer_unmasked/0",
      "layer_unmasked/1",
      "layer_unmasked/2",
      "optim/learning_rate",
      "optim/gradient_norm",
      "speed/step_seconds",
      "speed/audio_seconds_per_second",
      "speed/wait_share",
      "speed/padded_fraction",
      "memory/rss_bytes",
    ]);
    expect(scalars.get("loss/total")).toBe(0.5);
    expect(scalars.get("optim/learning_rate")).toBe(2 ** -11);
    expect(scalars.get("optim/gradient_norm")).toBeNaN();
    expect(scalars.get("layer_unmasked/1")).toBe(Math.fround(trainRow(300).perLayerUnmasked[1]));
    expect(validation!.scalars).toEqual([
      ["validation/loss", 0.25],
      ["validation/layer_0", 1],
      ["validation/layer_1", 2],
    ]);
  });

  test("steps beyond 32 bits and tags beyond 127 bytes", () => {
    const writer = openEventWriter(folder);
    const tag = `long/${"é".repeat(100)}`;
    writer.scalars(2 ** 40 + 1, [[tag, -1]]);
    writer.close();
    expect(read(writer.path)[1]).toMatchObject({ step: 2n ** 40n + 1n, scalars: [[tag, -1]] });
  });

  test("each start makes a new file, also within a second; a resume says from which step on to forget", () => {
    const options = { now: () => 1_700_000_000, host: "host" };
    openEventWriter(folder, options).close();
    const resumed = openEventWriter(folder, { ...options, purgeStep: 201 });
    resumed.close();
    resumed.close();
    expect(() => resumed.scalars(1, [])).toThrow(/already closed/);
    expect(readdirSync(folder).sort()).toEqual([
      "events.out.tfevents.1700000000.host",
      "events.out.tfevents.1700000000.host.1",
    ]);
    const events = read(resumed.path);
    expect(events).toHaveLength(2);
    expect(events[1]).toMatchObject({ step: 201n, session: [1n] });
  });

  test("a folder that cannot be made is an error with its path", () => {
    const writer = openEventWriter(folder);
    writer.close();
    expect(() => openEventWriter(writer.path)).toThrow(`${writer.path}: something of that name is there (EEXIST)`);
  });
});

// Checkpoints made to mislead, exhaust memory or waste time: each ends in one clear error.
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { configFromFairseq, inspectCheckpoint, loadModel } from "../../src/checkpoint/index.ts";
import { fairseqName } from "../../src/checkpoint/read/names.ts";
import { StillwaveError } from "../../src/errors.ts";
import { sizeOf } from "../../src/graph/array.ts";
import { parameterSpecs } from "../../src/models/parameters.ts";
import {
  call,
  dict,
  global,
  type Pickled,
  persistent,
  pickle,
  raw,
  storedZip,
  tensor,
  tuple,
  type ZipLies,
} from "./formats/torch-fixture.ts";

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "stillwave-hostile-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const settings = {
  _name: "hubert",
  encoder_layers: 1,
  encoder_embed_dim: 4,
  encoder_ffn_embed_dim: 4,
  encoder_attention_heads: 2,
  conv_feature_layers: "[(4, 10, 5)]",
  conv_pos: 2,
  conv_pos_groups: 2,
};
const config = configFromFairseq(settings, "hubert");

interface Change {
  tensors?: Record<string, Pickled | undefined>;
  files?: Record<string, Uint8Array | undefined>;
  settings?: Record<string, Pickled>;
  entries?: Record<string, Pickled>;
  lies?: ZipLies;
}

/** A tiny fairseq HuBERT with something changed. */
function checkpoint(change: Change = {}): Uint8Array {
  const files: Record<string, Uint8Array> = { "x/data.pkl": new Uint8Array(0) };
  const tensors: Record<string, Pickled> = {};
  parameterSpecs(config).forEach(({ name, shape }, i) => {
    const count = shape.reduce((a, b) => a * b, 1);
    tensors[fairseqName(name, config)] = tensor(String(i), count, [...shape]);
    files[`x/data/${i}`] = new Uint8Array(Float32Array.from({ length: count }, () => i + 0.5).buffer);
  });
  for (const [name, value] of Object.entries(change.tensors ?? {}))
    if (value === undefined) delete tensors[name];
    else tensors[name] = value;
  for (const [name, value] of Object.entries(change.files ?? {}))
    if (value === undefined) delete files[name];
    else files[name] = value;
  const model = dict({ ...settings, ...change.settings });
  files["x/data.pkl"] =
    change.files?.["x/data.pkl"] ?? pickle(dict({ cfg: dict({ model }), model: dict(tensors), ...change.entries }));
  return storedZip(files, change.lies);
}

async function errorOf(bytes: Uint8Array): Promise<string> {
  const path = join(folder, "hostile.pt");
  await writeFile(path, bytes);
  const error = await loadModel(path).then(
    () => undefined,
    (e: unknown) => e,
  );
  expect(error).toBeInstanceOf(StillwaveError);
  expect((error as Error).message).toContain(path);
  return (error as Error).message;
}

const bias = "encoder.layers.0.fc1.bias";

describe("torch files", () => {
  test("the unchanged one loads", async () => {
    await writeFile(join(folder, "good.pt"), checkpoint());
    const { parameters } = await loadModel(join(folder, "good.pt"));
    expect([...parameters.values()].map(({ data }) => data[0])).toEqual(parameterSpecs(config).map((_, i) => i + 0.5));
  });

  test("names under DataParallel's module", async () => {
    const path = join(folder, "wrapped.pt");
    const names = parameterSpecs(config).map(({ name }) => fairseqName(name, config));
    const tensors = parameterSpecs(config).map(({ shape }, i) => tensor(String(i), sizeOf(shape), [...shape]));
    const wrapped = (count: number, prefix: string): Change => ({
      tensors: Object.fromEntries(
        names.slice(0, count).flatMap((name, i): [string, Pickled | undefined][] => [
          [name, undefined],
          [prefix + name, tensors[i]],
        ]),
      ),
    });
    for (const prefix of ["module.", "module.module."]) {
      await writeFile(path, checkpoint(wrapped(names.length, prefix)));
      const { parameters, info } = await loadModel(path);
      expect([...parameters.values()].map(({ data }) => data[0])).toEqual(
        parameterSpecs(config).map((_, i) => i + 0.5),
      );
      expect(info.ignored).toEqual([]);
    }
    await writeFile(path, checkpoint(wrapped(names.length - 1, "module.")));
    expect((await loadModel(path)).info.ignored).toEqual([]);
    const twice = checkpoint({ tensors: { "module.mask_emb": tensors[0] } });
    expect(await errorOf(twice)).toMatch(/"mask_emb" and "module.mask_emb" are both "mask_emb" without their wrappers/);
  });

  const cases: [string, Change, RegExp][] = [
    [
      "missing tensor",
      { tensors: { [bias]: undefined } },
      /"encoder.layers.0.feed_forward.intermediate_dense.bias" \[4\] is missing; closest names: /,
    ],
    [
      "wrong shape",
      { tensors: { [bias]: tensor("0", 4, [2, 2]) } },
      /stored as "encoder.layers.0.fc1.bias"\) has shape \[2,2\].*\[4\]/,
    ],
    [
      "extra layer",
      { tensors: { "encoder.layers.1.fc1.bias": tensor("0", 4, [4]) } },
      /"encoder.layers.1.fc1.bias" \[4\] has no place/,
    ],
    ...["Long", "Int", "Short", "Char", "Byte", "Bool"].map((type): [string, Change, RegExp] => [
      `${type} weights`,
      { tensors: { [bias]: tensor("0", 4, [4], { type: `${type}Storage` }) } },
      /"encoder.layers.0.fc1.bias"\) has type [IUB]\w+, but weights are floats/,
    ]),
    ["missing storage", { files: { "x/data/0": undefined } }, /storage "0" is missing/],
    ["short storage", { files: { "x/data/0": new Uint8Array(8) } }, /needs a storage of 4 numbers, but "0" holds 2/],
    ["beyond its storage", { tensors: { [bias]: tensor("0", 4, [4], { offset: 1 }) } }, /reaches beyond its storage/],
    ["huge stride", { tensors: { [bias]: tensor("0", 4, [4], { strides: [2 ** 52] }) } }, /reaches beyond its storage/],
    ["negative stride", { tensors: { [bias]: tensor("0", 4, [4], { strides: [-1] }) } }, /impossible stride/],
    ["negative offset", { tensors: { [bias]: tensor("0", 4, [4], { offset: -1 }) } }, /impossible storage offset/],
    ["negative shape", { tensors: { [bias]: tensor("0", 4, [-4]) } }, /impossible shape/],
    ["fractional shape", { tensors: { [bias]: tensor("0", 4, [0.5]) } }, /impossible shape/],
    ["absurd shape", { tensors: { [bias]: tensor("0", 4, [2 ** 40, 2 ** 12]) } }, /has shape/],
    [
      "repeated elements",
      { tensors: { [bias]: tensor("0", 1, [4], { strides: [0] }) }, files: { "x/data/0": new Uint8Array(4) } },
      /more elements than its storage|needs a storage/,
    ],
    [
      "unlike shape and strides",
      { tensors: { [bias]: tensor("0", 4, [4], { strides: [4, 1] }) } },
      /unlike shape and strides/,
    ],
    ["negative storage", { tensors: { [bias]: tensor("0", -4, [4]) } }, /impossible size/],
    [
      "unknown storage type",
      { tensors: { [bias]: tensor("0", 4, [4], { type: "QInt8Storage" }) } },
      /has type QInt8Storage/,
    ],
    [
      "weight that is a call",
      { tensors: { [bias]: call(global("os", "system"), "touch x") } },
      /"encoder.layers.0.fc1.bias" is a pickled os.system/,
    ],
    [
      "not finite",
      { files: { "x/data/0": new Uint8Array(Float32Array.of(1, Number.NaN, 2, 3).buffer) } },
      /"masked_spec_embed" holds NaN at element 1/,
    ],
    ["layers beyond reason", { settings: { encoder_layers: 2 ** 30 } }, /encoder_layers must be an integer in 1..256/],
    ["text as a size", { settings: { encoder_embed_dim: "4" } }, /encoder_embed_dim must be an integer/],
    [
      "code as a setting",
      { settings: { conv_feature_layers: "__import__('os').system('true')" } },
      /conv_feature_layers: unexpected/,
    ],
    [
      "another architecture",
      { settings: { activation_fn: "relu" } },
      /activation_fn is "relu", which is not supported; supported: "gelu"/,
    ],
    ["unknown model", { settings: { _name: "data2vec_audio" } }, /"data2vec_audio" is not supported/],
    ["heads that do not divide", { settings: { encoder_attention_heads: 3 } }, /not divisible by 3 heads/],
    ["big-endian", { files: { "x/byteorder": Buffer.from("big") } }, /big-endian/],
    ["two pickles", { files: { "y/data.pkl": pickle(null) } }, /2 data.pkl/],
    ["empty pickle", { files: { "x/data.pkl": new Uint8Array(0) } }, /ends early/],
  ];
  for (const [name, change, message] of cases)
    test(name, async () => {
      expect(await errorOf(checkpoint(change))).toMatch(message);
    });

  test("one storage as every weight, where that makes more than the file holds", async () => {
    const wide = { encoder_embed_dim: 256, encoder_ffn_embed_dim: 1024, encoder_layers: 4 };
    const big = configFromFairseq({ ...settings, ...wide }, "hubert");
    const tensors: Record<string, Pickled | undefined> = {};
    for (const { name, shape } of parameterSpecs(big))
      tensors[fairseqName(name, big)] = tensor("0", 2 ** 18, [...shape]);
    const files = { "x/data/0": new Uint8Array(2 ** 20) };
    expect(await errorOf(checkpoint({ tensors, files, settings: wide }))).toMatch(
      /parameters cannot come from \d+ bytes/,
    );
  });
});

describe("zip archives", () => {
  const lie = (
    change: (fields: { method: number; packed: number; unpacked: number; offset: number }) => void,
    name = "x/data/0",
  ) => checkpoint({ lies: { directory: (entry, fields) => entry === name && change(fields) } });
  const cases: [string, () => Uint8Array, RegExp][] = [
    [
      "compressed pickle",
      () =>
        lie((f) => {
          f.method = 8;
        }, "x/data.pkl"),
      /"x\/data.pkl" is compressed/,
    ],
    [
      "compressed storage",
      () =>
        lie((f) => {
          f.method = 8;
        }),
      /"x\/data\/0" is compressed/,
    ],
    [
      "sizes that disagree",
      () =>
        lie((f) => {
          f.unpacked = 2 ** 31;
        }),
      /declares 2147483648 bytes but stores 16/,
    ],
    [
      "entry beyond the end",
      () =>
        lie((f) => {
          f.packed = f.unpacked = 2 ** 31;
        }),
      /lies outside the file/,
    ],
    [
      "offset beyond the end",
      () =>
        lie((f) => {
          f.offset = 2 ** 31;
        }),
      /lies outside the file/,
    ],
    [
      "overlapping entries",
      () =>
        lie((f) => {
          f.offset -= 20;
        }),
      /overlaps|is broken/,
    ],
    [
      "offset at no entry",
      () =>
        lie((f) => {
          f.offset += 1;
          f.packed = f.unpacked = 4;
        }),
      /is broken/,
    ],
    ["too many entries", () => checkpoint({ lies: { count: 60_000 } }), /directory entry \d+ is broken/],
    ["no end record", () => checkpoint().slice(0, -30), /no end record/],
    ["only the magic", () => Buffer.from("PK\x03\x04 and then nothing of the kind"), /no end record/],
  ];
  for (const [name, make, message] of cases)
    test(name, async () => {
      expect(await errorOf(make())).toMatch(message);
    });

  test("every truncation is an error", async () => {
    const whole = checkpoint();
    for (let length = 0; length < whole.length; length += 131) await errorOf(whole.slice(0, length));
  });
});

describe("pickles", () => {
  const load = (pickled: Uint8Array) => errorOf(storedZip({ "x/data.pkl": pickled }));
  const bytes = (...parts: (number[] | string)[]) =>
    Uint8Array.from([
      0x80,
      2,
      ...parts.flatMap((part) => (typeof part === "string" ? [...Buffer.from(part)] : part)),
      0x2e,
    ]);

  test("900,000 lists in each other", async () => {
    const deep = new Uint8Array(1_800_004).fill(0x5d, 2, 900_002).fill(0x61, 900_002, 1_800_001);
    deep.set([0x80, 2]);
    deep[1_800_001] = 0x2e;
    expect(await load(deep)).toMatch(/no dict/);
    const body = deep.slice(2, 1_800_001);
    const model = dict({ cfg: raw(0x4e), model: dict({ a: tensor("0", 1, [1]) }), deep: raw(0x4e) });
    const text = Buffer.from(pickle(model));
    const at = text.lastIndexOf(0x4e);
    expect(await load(Buffer.concat([text.subarray(0, at), body, text.subarray(at + 1)]))).toMatch(
      /neither cfg.model nor args/,
    );
  });

  test("settings that unfold to more than they hold", async () => {
    // d = {}; 31 times: d = {"a": d, "b": d}
    const parts: number[] = [0x7d];
    for (let i = 0; i < 31; i++)
      parts.push(0x71, 0, 0x30, 0x7d, 0x28, 0x58, 1, 0, 0, 0, 97, 0x68, 0, 0x58, 1, 0, 0, 0, 98, 0x68, 0, 0x75);
    const text = pickle(dict({ cfg: raw(...parts), model: dict({ a: tensor("0", 1, [1]) }) }));
    expect(await load(text)).toMatch(/more than 200000 values/);
  });

  test("settings that contain themselves", async () => {
    // d = {}; d["model"] = d
    const cyclic = raw(0x7d, 0x71, 0, 0x58, 5, 0, 0, 0, ...Buffer.from("model"), 0x68, 0, 0x73);
    expect(await load(pickle(dict({ cfg: cyclic, model: dict({ a: tensor("0", 1, [1]) }) })))).toMatch(/cfg.model/);
  });

  const cases: [string, Uint8Array, RegExp][] = [
    ["integer of 2 GB", bytes([0x8b, 0, 0, 0, 0x7f]), /an integer of 2130706432 bytes/],
    ["text of 4 GB", bytes([0x58, 255, 255, 255, 255]), /longer than|ends early/],
    ["text of 2^63 bytes", bytes([0x8d, 255, 255, 255, 255, 255, 255, 255, 127]), /impossible length/],
    ["number of a million digits", bytes("L", "9".repeat(1_000_000), "L\n"), /is not an integer/],
    ["endless line", bytes("S'", "x".repeat(2_000_000)), /a line without an end/],
    ["memo never stored", bytes([0x6a, 255, 255, 255, 255]), /memo 4294967295 was never stored/],
    ["empty stack", bytes([0x85]), /empty stack/],
    ["no mark", bytes([0x74]), /a mark is missing/],
    ["odd dict", bytes([0x7d, 0x28, 0x4e, 0x75]), /a key without a value/],
    ["append to a number", bytes([0x4b, 1, 0x4b, 2, 0x61]), /not a list/],
    ["extension code", bytes([0x82, 1]), /refused instruction 0x82/],
    ["out-of-band buffer", bytes([0x97]), /refused instruction 0x97/],
    ["protocol 9", Uint8Array.of(0x80, 9, 0x2e), /protocol newer than 5/],
    ["call of a number", bytes([0x4b, 1, 0x29, 0x52]), /not a name is called/],
    ["foreign persistent id", pickle(persistent(tuple("file", "/etc/passwd"))), /persistent id/],
    ["persistent id in text", bytes("P/etc/passwd\n"), /persistent id/],
    [
      "tensor without storage",
      pickle(call(global("torch._utils", "_rebuild_tensor_v2"), 1, 0, tuple(1), tuple(1))),
      /without a storage/,
    ],
    ["nothing but a number", pickle(7), /no dict/],
  ];
  for (const [name, pickled, message] of cases)
    test(name, async () => {
      expect(await load(pickled)).toMatch(message);
    });
});

describe("inspectCheckpoint", () => {
  test("inspectCheckpoint names objects that Python would build by running code", async () => {
    const system = call(global("posix", "system"), "touch pwned");
    const entries = { hook: system, name: global("os", "getcwd"), steps: 7, text: "plain", state: dict({ inner: 1 }) };
    const path = join(folder, "objects.pt");
    await writeFile(path, checkpoint({ entries, tensors: { callback: system, version: 3 } }));
    expect((await inspectCheckpoint(path)).ignored).toEqual([
      "callback (a pickled posix.system, never executed)",
      "version",
      "hook (a pickled posix.system, never executed)",
      "name (a pickled os.getcwd, never executed)",
    ]);
    const args = call(global("argparse", "Namespace"));
    await writeFile(path, checkpoint({ entries: { args } }));
    expect((await inspectCheckpoint(path)).ignored).toEqual(["args (a pickled argparse.Namespace, never executed)"]);
  });

  test("reports a model that does not fit, with what is in the file", async () => {
    await writeFile(
      join(folder, "unfit.pt"),
      checkpoint({ tensors: { [bias]: undefined, extra: tensor("0", 4, [4]) } }),
    );
    const report = await inspectCheckpoint(join(folder, "unfit.pt"));
    expect(report.config).toBeNull();
    expect(report.problem).toMatch(/is missing/);
    expect(report.tensors.map(({ name }) => name)).toContain("extra");
  });

  test("reports parameters and what would be ignored", async () => {
    await writeFile(join(folder, "fit.pt"), checkpoint({ tensors: { extra: tensor("0", 4, [4]) } }));
    const report = await inspectCheckpoint(join(folder, "fit.pt"));
    expect(report).toMatchObject({ format: "fairseq-zip", problem: null, ignored: ["extra"], config });
    expect(report.parameters).toBe(
      parameterSpecs(config).reduce((n, { shape }) => n + shape.reduce((a, b) => a * b, 1), 0),
    );
    expect(report.tensors.find(({ name }) => name === "extra")).toMatchObject({
      dtype: "F32",
      shape: [4],
      used: false,
    });
  });
});

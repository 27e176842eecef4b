// Every verb on every kind of bad file: exit code 1 (2 for misuse), one clear message that names the file, no stack, soon.
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { deflateRawSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { writeLightning, writeModelFolder } from "../../src/checkpoint/index.ts";
import { main } from "../../src/cli/main.ts";
import { type ModelConfig, noReuse } from "../../src/models/config.ts";
import { initParameters } from "../../src/models/init.ts";
import { call, dict, global, pickle, storedZip, tensor, tuple } from "../checkpoint/formats/torch-fixture.ts";
import { stillwave } from "./run.ts";
import { silentOutput } from "./silent-output.ts";

const config: ModelConfig = {
  family: "student",
  conv: [
    { channels: 8, kernel: 10, stride: 5 },
    { channels: 8, kernel: 3, stride: 2 },
  ],
  convNorm: "group",
  convBias: false,
  featureProjection: false,
  dim: 8,
  layers: 2,
  heads: 2,
  ffnDim: 8,
  posConv: { kernel: 4, groups: 2 },
  normFirst: false,
  normalizeWaveform: false,
  layerNormEps: 1e-5,
  relativePosition: null,
  attentionFrom: [0, 0],
  reuse: "exact",
  frameRule: "conv",
  headDim: 6,
  headLayers: noReuse(2),
};

const root = mkdtempSync(join(tmpdir(), "stillwave-bad-"));
const at = (name: string) => join(root, name);
const evidence = at("executed");

/** A safetensors file with this header and so many bytes of data. */
function safetensors(header: object, dataBytes: number): Uint8Array {
  const json = Buffer.from(JSON.stringify(header));
  const bytes = Buffer.alloc(8 + json.length + dataBytes);
  bytes.writeBigUInt64LE(BigInt(json.length));
  json.copy(bytes, 8);
  return bytes;
}

/** What would run a command, were the pickle trusted. */
const exploit = call(global("posix", "system"), `touch ${evidence}`);

beforeAll(async () => {
  const parameters = initParameters(config, { seed: 0 });
  await writeModelFolder(at("good"), { config, parameters });
  const write = (name: string, bytes: Uint8Array | string) => writeFileSync(at(name), bytes);
  write("empty.pt", "");
  write(
    "random.bin",
    Uint8Array.from({ length: 5000 }, (_, i) => (i * 2654435761) >>> 13),
  );
  write("text.safetensors", "this is no checkpoint, whatever its name says\n".repeat(50));
  mkdirSync(at("folder"));
  mkdirSync(at("half-folder"));
  write("half-folder/config.json", '{"model_type": "hubert"}');
  await writeModelFolder(at("truncated"), { config, parameters });
  truncateSync(at("truncated/model.safetensors"), 3000);
  await writeModelFolder(at("broken-json"), { config, parameters });
  write("broken-json/config.json", '{"model_type": ');
  await writeModelFolder(at("foreign"), { config, parameters });
  write("foreign/config.json", '{"model_type": "bert", "hidden_size": 768}');
  await writeLightning(at("cut-ckpt"), { config, parameters });
  truncateSync(at("cut-ckpt/checkpoint.ckpt"), 4000);
  // 64 MiB of zeros in 64 KiB, and an entry that declares 8 EiB.
  const bomb = deflateRawSync(Buffer.alloc(64 * 2 ** 20));
  write(
    "bomb.pt",
    storedZip(
      { "archive/data.pkl": bomb },
      { directory: (_, fields) => Object.assign(fields, { method: 8, unpacked: 64 * 2 ** 20 }) },
    ),
  );
  write(
    "lying.pt",
    storedZip(
      { "archive/data.pkl": pickle(null) },
      { directory: (_, fields) => Object.assign(fields, { packed: 0xfffffff0, unpacked: 0xfffffff0 }) },
    ),
  );
  write("exploit.pt", storedZip({ "archive/data.pkl": pickle(exploit), "archive/version": Buffer.from("3\n") }));
  const state = dict({ "encoder.layers.0.fc1.weight": exploit, mask_emb: tensor("0", 4, [4]) });
  write(
    "inner-exploit.pt",
    storedZip({
      "archive/data.pkl": pickle(dict({ model: state, cfg: tuple(exploit) })),
      "archive/data/0": new Uint8Array(16),
    }),
  );
  const huge = dict({
    state_dict: dict({ "student_model.mask_emb": tensor("0", 4, [2 ** 30, 2 ** 30]) }),
    hyper_parameters: dict({ distiller: dict({}) }),
  });
  write("huge.ckpt", storedZip({ "archive/data.pkl": pickle(huge), "archive/data/0": new Uint8Array(16) }));
  const entry = (begin: number, end: number) => ({
    dtype: "F32",
    shape: [(end - begin) / 4],
    data_offsets: [begin, end],
  });
  write("overlap.safetensors", safetensors({ a: entry(0, 16), b: entry(8, 24) }, 24));
  write(
    "absurd.safetensors",
    safetensors({ a: { dtype: "F32", shape: [2 ** 40, 2 ** 40], data_offsets: [0, 16] } }, 16),
  );
  write(
    "long-header.safetensors",
    Buffer.concat([Buffer.from([0, 0, 0, 0, 1, 0, 0, 0]), Buffer.from("{".repeat(100))]),
  );
  symlinkSync(at("loop"), at("loop"));
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

const badModels = [
  "missing.pt",
  "empty.pt",
  "random.bin",
  "text.safetensors",
  "folder",
  "half-folder",
  "truncated",
  "broken-json",
  "foreign",
  "cut-ckpt",
  "bomb.pt",
  "lying.pt",
  "exploit.pt",
  "inner-exploit.pt",
  "huge.ckpt",
  "overlap.safetensors",
  "absurd.safetensors",
  "long-header.safetensors",
  "loop",
];

/** Verbs that take a model, with everything else in order. */
const verbs: Record<string, (file: string) => string[]> = {
  inspect: (file) => ["inspect", file],
  "inspect --json": (file) => ["inspect", file, "--json"],
  convert: (file) => ["convert", file, at("converted")],
  "convert to lightning": (file) => ["convert", file, at("converted"), "--format", "lightning"],
  extract: (file) => ["extract", file, goodAudio, "--out", at("features")],
  export: (file) => ["export", file, "--out", at("model.onnx")],
  verify: (file) => ["verify", file],
  report: (file) => ["report", file],
  distill: (file) => ["distill", "quickstart", "--set", `teacher=${JSON.stringify(file)}`, "--out", at("run")],
};
const goodAudio = join(import.meta.dirname, "../../examples/speech/dev/121/121726/121-121726-0005.flac");

/** Runs a verb in this process and collects what it prints. */
async function run(args: string[]) {
  let [stdout, stderr] = ["", ""];
  const add = (text: string) => {
    stdout += `${text}\n`;
  };
  const tell = (text: string) => {
    stderr += `${text}\n`;
  };
  const code = await main(args, {
    ...silentOutput,
    print: add,
    note: tell,
    error: tell,
    json: (value) => add(JSON.stringify(value)),
    jsonLine: (value) => add(JSON.stringify(value)),
  });
  return { code, stdout, stderr };
}

const clear = (stderr: string) => {
  expect(stderr).toMatch(/^stillwave: \S/m);
  expect(stderr).not.toMatch(/^\s+at |internal:|This is a bug|undefined|\[object/m);
  expect(stderr.length).toBeLessThan(3000);
};

describe("bad models", () => {
  for (const [verb, args] of Object.entries(verbs))
    test(verb, { timeout: 120_000 }, async () => {
      for (const name of badModels) {
        const memory = process.memoryUsage().rss;
        const { code, stdout, stderr } = await run(args(at(name)));
        expect([name, code, stderr]).toEqual([name, 1, expect.stringContaining(root)]);
        clear(stderr);
        if (verb.endsWith("--json")) expect(JSON.parse(stdout)).toMatchObject({ error: { kind: "failed" } });
        expect(process.memoryUsage().rss - memory).toBeLessThan(512 * 2 ** 20);
        expect(existsSync(evidence)).toBe(false);
      }
      for (const output of ["converted", "features", "model.onnx"]) expect(existsSync(at(output))).toBe(false);
    });

  test("a file that opens but holds no model: what is in it is shown before the error", async () => {
    const { code, stdout, stderr } = await run(["inspect", at("foreign")]);
    expect([code, stderr]).toEqual([1, expect.stringMatching(/^stillwave: unknown model_type of .* "bert"/)]);
    expect(stdout).toMatch(/^tensor +type +shape$/m);
    expect(stdout).toMatch(/^feature_extractor\.conv_layers\.1\.conv\.weight +F32 +\[8, 8, 3\]$/m);
  });
});

describe("bad audio", () => {
  const audio: [string, string | Uint8Array | null][] = [
    ["missing.wav", null],
    ["empty.wav", ""],
    ["text.flac", "no audio"],
    ["random.mp3", Uint8Array.from({ length: 4000 }, (_, i) => (i * 48271) >>> 3)],
    ["zip.wav", storedZip({ "a.wav": new Uint8Array(10) })],
    ["header.wav", Buffer.from("RIFF\xff\xff\xff\xffWAVEfmt ", "latin1")],
  ];
  test("extract, alone and in a folder", async () => {
    const folder = at("audio");
    mkdirSync(folder);
    for (const [name, content] of audio) if (content !== null) writeFileSync(join(folder, name), content);
    for (const [name] of audio) {
      const { code, stdout, stderr } = await run(["extract", at("good"), join(folder, name), "--out", at("features")]);
      expect([name, code, stdout, stderr]).toEqual([name, 1, "", expect.stringContaining(name)]);
      clear(stderr);
    }
    const all = await run(["extract", at("good"), folder, "--out", at("features")]);
    expect([all.code, all.stderr]).toEqual([1, expect.stringMatching(/5 of 5 audio files cannot be used/)]);
    const skipping = await run(["extract", at("good"), folder, "--out", at("features"), "--on-bad-file", "skip"]);
    expect([skipping.code, skipping.stderr]).toEqual([1, expect.stringMatching(/none of its 5 audio files/)]);
    expect(existsSync(at("features"))).toBe(false);
  });
});

describe("bad cases", () => {
  const files: Record<string, Record<string, string | Uint8Array>> = {
    "empty step": { "data.safetensors": "", "config.json": "{}" },
    "step without settings": { "data.safetensors": safetensors({}, 0) },
    "step with foreign settings": { "data.safetensors": safetensors({}, 0), "config.json": '{"student": 3}' },
    "step with broken settings": { "data.safetensors": safetensors({}, 0), "config.json": '{"student"' },
    "checkpoint without a model": { "expected.safetensors": safetensors({}, 0) },
    "cut expectations": {
      "expected.safetensors": safetensors({ a: { dtype: "F32", shape: [4], data_offsets: [0, 16] } }, 8),
    },
    "output without audio": { "a.L3.npy": "" },
    "output of bad audio": { "a.L1.npy": "", "a.flac": "" },
  };
  test.each(Object.keys(files))("verify: %s", async (name) => {
    mkdirSync(at(name));
    for (const [file, content] of Object.entries(files[name])) writeFileSync(join(at(name), file), content);
    const { code, stdout, stderr } = await run([
      "verify",
      at(name),
      ...(name.startsWith("output") ? ["--model", at("good")] : []),
    ]);
    expect([code, stdout, stderr]).toEqual([1, "", expect.stringContaining(at(name))]);
    clear(stderr);
  });
});

describe("misuse", () => {
  test.each<[string[], RegExp]>([
    [["convert", "a"], /missing required argument 'folder'/],
    [["convert", "a", "b", "--dtype", "int4"], /Allowed choices are float32, float16/],
    [["convert", "a", "b", "--format", "tar"], /Allowed choices are huggingface, lightning/],
    [["convert", "a", "b", "--teacher-heads", "0"], /expected a positive integer/],
    [["extract", "a", "b"], /required option '--out <dir>' not specified/],
    [["extract", "a", "--out", "c"], /missing required argument 'audio'/],
    [["extract", "a", "b", "--out", "c", "--layers", "x"], /expected all or numbers such as 0,6,12/],
    [["extract", "a", "b", "--out", "c", "--batch-seconds", "-1"], /expected a number of seconds, 0 or more/],
    [["extract", "a", "b", "--out", "c", "--format", "csv"], /Allowed choices are npy, safetensors/],
    [["extract", "GOOD", goodAudio, "--out", "c", "--layers", "7"], /no hidden state 7; valid: 0, 1, 2/],
    [["verify", root, "--model", "x"], /model: none of these cases is a published output/],
    [["verify"], /missing required argument 'case-folder'/],
  ])("%j", async (args, message) => {
    const { code, stdout, stderr } = await run(args.map((arg) => (arg === "GOOD" ? at("good") : arg)));
    expect(stderr).toMatch(message);
    expect([code, stdout]).toEqual([2, ""]);
  });
});

test("as a process: the exit code arrives, and nothing is left behind", async () => {
  const { code, stderr } = await stillwave(["convert", at("inner-exploit.pt"), at("out")]);
  expect(code).toBe(1);
  clear(stderr);
  expect(readdirSync(root)).not.toContain("out");
  expect(existsSync(evidence)).toBe(false);
});

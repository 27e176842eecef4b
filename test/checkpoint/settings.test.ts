// Settings written as text, and folders that hold something else than a model.
import { execFileSync } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { loadModel } from "../../src/checkpoint/index.ts";
import { parseLiteral } from "../../src/checkpoint/read/config/literal.ts";
import { StillwaveError } from "../../src/errors.ts";

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "stillwave-settings-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe("settings in text", () => {
  test("settings in text are parsed, not evaluated", () => {
    expect(parseLiteral("[(512,10,5)] + [(512,3,2)] * 2 + 2 * [(1,2,3)]", "x")).toEqual([
      [512, 10, 5],
      [512, 3, 2],
      [512, 3, 2],
      [1, 2, 3],
      [1, 2, 3],
    ]);
    expect(parseLiteral("[True, False, None, -1, 2.5, 'a', (1,), ()]", "x")).toEqual([
      true,
      false,
      null,
      -1,
      2.5,
      "a",
      [1],
      [],
    ]);
    expect(parseLiteral("((2 + 3) * 4)", "x")).toBe(20);
  });

  for (const text of [
    "",
    "[",
    "[1",
    "(1, 2",
    "[1 2]",
    "1 +",
    "[1] + 2",
    "[1] * 99999999",
    "[1] * [2]",
    "x",
    "f(1)",
    "[x for x in y]",
    "[1] * 9999 * 9999",
    "'open",
    `${"(".repeat(5000)}1${")".repeat(5000)}`,
    "__import__('os')",
    "[1].append(2)",
    "[,]",
    "1".repeat(30_000),
  ])
    test(`${text.slice(0, 30)} is refused`, () => {
      expect(() => parseLiteral(text, "reuse_pattern")).toThrow(StillwaveError);
    });
});

describe("folders", () => {
  const cases: [string, Record<string, string>, RegExp][] = [
    ["empty", {}, /no model here/],
    ["no weights", { "config.json": "{}" }, /config.json without weights/],
    ["config that is no JSON", { "config.json": "{", "model.safetensors": "" }, /not valid JSON|truncated/],
    [
      "weights that are text",
      { "config.json": "{}", "model.safetensors": "hello, this is text" },
      /neither a safetensors file nor/,
    ],
    [
      "shards outside the folder",
      { "config.json": "{}", "model.safetensors.index.json": '{"weight_map":{"a":"../../etc/passwd"}}' },
      /not a file name in this folder/,
    ],
    [
      "missing shard",
      { "config.json": "{}", "model.safetensors.index.json": '{"weight_map":{"a":"b.safetensors"}}' },
      /b.safetensors: no such file/,
    ],
    [
      "a pointer in place of the weights",
      { "config.json": "{}", "model.safetensors": "version https://git-lfs.github.com/spec/v1\n" },
      /neither a safetensors file nor a torch checkpoint; it is a Git LFS pointer.*git lfs pull/,
    ],
  ];
  for (const [name, files, message] of cases)
    test(name, async () => {
      const path = join(folder, name.replaceAll(" ", "-"));
      await mkdir(path, { recursive: true });
      for (const [file, text] of Object.entries(files)) await writeFile(join(path, file), text);
      const error = await loadModel(path).catch((e: unknown) => e);
      expect(error).toBeInstanceOf(StillwaveError);
      expect((error as Error).message).toMatch(message);
    });

  const others: [string, string | Uint8Array, RegExp][] = [
    [
      "pointer.pt",
      `version https://git-lfs.github.com/spec/v1\noid sha256:${"0".repeat(64)}\nsize 9\n`,
      /a Git LFS pointer/,
    ],
    ["page.pt", "\n<!DOCTYPE html>\n<html><head>", /it is an HTML page/],
    ["page.safetensors", "<html lang='en'>", /it is an HTML page/],
    ["foreign.onnx", Uint8Array.from([8, 7, 18, 7, ...Buffer.from("pytorch")]), /it is an ONNX graph/],
    ["renamed.bin", Uint8Array.from([8, 8, 58, 200, 1, 10, 2, 120, 121]), /it is an ONNX graph/],
    ["empty.pt", "", /it is empty/],
    ["text.pt", "<p>html", /it is truncated, corrupt or something else/],
  ];
  for (const [name, content, message] of others)
    test(`a folder says what it is: ${name}`, async () => {
      const path = join(folder, name);
      await writeFile(path, content);
      const error = await loadModel(path).catch((e: unknown) => e);
      expect(error).toBeInstanceOf(StillwaveError);
      expect((error as Error).message).toContain(`${path}: neither a safetensors file nor a torch checkpoint; it is `);
      expect((error as Error).message).toMatch(message);
    });

  test.skipIf(process.platform === "win32")("pipes and devices, without waiting for them", async () => {
    const pipes = join(folder, "pipes");
    await mkdir(join(pipes, "model"), { recursive: true });
    const [lone, config, weights] = ["lone.pt", "model/config.json", "model/model.safetensors"].map((name) =>
      join(pipes, name),
    ) as [string, string, string];
    execFileSync("mkfifo", [lone, config]);
    await expect(loadModel(lone)).rejects.toThrow(`${lone}: is a named pipe, not a regular file`);
    await writeFile(weights, "");
    await expect(loadModel(join(pipes, "model"))).rejects.toThrow(`${config}: not a regular file`);
    await rm(config);
    await writeFile(config, "{}");
    for (const name of ["model.safetensors", "pytorch_model.bin"]) {
      const path = join(pipes, "model", name);
      await rm(weights, { force: true });
      execFileSync("mkfifo", [path]);
      await expect(loadModel(join(pipes, "model"))).rejects.toThrow(`${path}: is a named pipe`);
    }
    await expect(loadModel("/dev/zero")).rejects.toThrow("/dev/zero: is a device");
  });

  test("paths that are not there", async () => {
    await expect(loadModel(join(folder, "nowhere"))).rejects.toThrow("no such file or folder");
    await expect(loadModel("/dev/null")).rejects.toBeInstanceOf(StillwaveError);
  });
});

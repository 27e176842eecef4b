// Compiled programs on the disk: loaded where all is the same, made anew where a file is damaged or refused, listed by use.
import { createHash } from "node:crypto";
import { readdirSync, readFileSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import type { Handle, PjrtClient } from "../../../src/runtime/xla/client.ts";
import { compileKept, listPrograms, programFolder } from "../../../src/runtime/xla/kept-programs.ts";
import { temporaryFolder } from "../../data/corpora.ts";
import { describeWithPlugin } from "./plugin.ts";

test("programs lie in the user's cache", () => {
  vi.stubEnv("STILLWAVE_CACHE", "/big");
  expect(programFolder()).toBe(join("/big", "xla", "programs"));
  vi.stubEnv("STILLWAVE_CACHE", "");
  vi.stubEnv("XDG_CACHE_HOME", "/x");
  expect(programFolder()).toBe(join("/x", "stillwave", "xla", "programs"));
  vi.unstubAllEnvs();
  expect(programFolder("/other")).toBe(join("/other", "xla", "programs"));
});

describeWithPlugin("compiled programs on the disk", (openClient) => {
  let client: PjrtClient;
  beforeAll(() => {
    client = openClient(2);
  });
  afterAll(async () => {
    expect(client.alive).toEqual({ buffers: 0, programs: 0, events: 0 });
    await client.close();
  });

  const times = (factor: number) =>
    `module @m { func.func public @main(%x: tensor<2xf32>) -> tensor<2xf32> { %c = stablehlo.constant dense<${factor}.0> : tensor<2xf32> %y = stablehlo.multiply %x, %c : tensor<2xf32> return %y : tensor<2xf32> } }`;

  async function run(program: Handle): Promise<number[]> {
    const x = client.upload(new Uint8Array(Float32Array.of(1, 2).buffer), [2], "f32");
    const { results } = await client.start(program, [[x]], 1);
    const target = new Float32Array(2);
    await client.download(results[0][0], new Uint8Array(target.buffer));
    for (const handle of [x, results[0][0]]) client.freeBuffer(handle);
    client.freeProgram(program);
    return [...target];
  }

  test("are loaded instead of compiled, per text, replicas and flags", async () => {
    const folder = temporaryFolder();
    const compile = vi.spyOn(client, "compile");
    const options = { folder, keptFromMs: 0 };
    expect(await run(await compileKept(client, times(3), options))).toEqual([3, 6]);
    expect(await run(await compileKept(client, times(3), options))).toEqual([3, 6]);
    expect(compile).toHaveBeenCalledTimes(1);
    expect(await run(await compileKept(client, times(5), options))).toEqual([5, 10]);
    vi.stubEnv("XLA_FLAGS", "--xla_cpu_enable_fast_math=false");
    client.freeProgram(await compileKept(client, times(3), options));
    vi.unstubAllEnvs();
    expect(compile).toHaveBeenCalledTimes(3);
    expect(readdirSync(folder)).toHaveLength(3);
    compile.mockRestore();
  });

  test("a program that compiles at once is not kept", async () => {
    const folder = temporaryFolder();
    client.freeProgram(await compileKept(client, times(3), { folder, keptFromMs: 60_000 }));
    expect(readdirSync(folder)).toEqual([]);
  });

  test.each([
    ["cut off", (file: Buffer) => file.subarray(0, file.length / 2)],
    ["empty", () => Buffer.alloc(0)],
    ["changed in one byte", (file: Buffer) => Buffer.from(file).fill(1, 100, 101)],
    [
      "whole, but none of this plugin's",
      () => Buffer.concat([createHash("sha256").update("no program").digest(), Buffer.from("no program")]),
    ],
  ])("a file that is %s is replaced", async (_, damage) => {
    const folder = temporaryFolder();
    client.freeProgram(await compileKept(client, times(3), { folder, keptFromMs: 0 }));
    const [path] = readdirSync(folder).map((name) => join(folder, name));
    const whole = readFileSync(path);
    writeFileSync(path, damage(whole));
    expect(await run(await compileKept(client, times(3), { folder, keptFromMs: 0 }))).toEqual([3, 6]);
    const now = readFileSync(path);
    expect(now.subarray(0, 32)).toEqual(createHash("sha256").update(now.subarray(32)).digest());
    expect(Math.abs(now.length - whole.length)).toBeLessThan(1000);
  });

  test("a folder that cannot be written is told once, and costs nothing else", async () => {
    const folder = join(temporaryFolder(), "file");
    writeFileSync(folder, "");
    const write = vi.spyOn(process.stderr, "write").mockReturnValue(true);
    for (let i = 0; i < 2; i++)
      expect(await run(await compileKept(client, times(3), { folder, keptFromMs: 0 }))).toEqual([3, 6]);
    const said = write.mock.calls.map(([text]) => String(text)).filter((text) => text.startsWith("stillwave"));
    write.mockRestore();
    expect(said).toEqual([expect.stringMatching(/compiled programs are not kept: .*file: a file, where a folder/)]);
  });

  test("are listed by their last use, which is that of reading", async () => {
    const folder = temporaryFolder();
    const options = { folder, keptFromMs: 0 };
    client.freeProgram(await compileKept(client, times(3), options));
    const [old] = readdirSync(folder).map((name) => join(folder, name));
    utimesSync(old, new Date(0), new Date(0));
    client.freeProgram(await compileKept(client, times(5), options));
    const listed = await listPrograms(folder);
    expect(listed).toHaveLength(2);
    expect(listed[0]).toEqual({ path: old, bytes: statSync(old).size, lastUse: new Date(0).toISOString() });
    client.freeProgram(await compileKept(client, times(3), options));
    expect((await listPrograms(folder))[1].path).toBe(old);
    expect(await listPrograms(join(folder, "none"))).toEqual([]);
  });
});

// The client of a PJRT plugin: every element type, executions that are not waited for, donation, several devices, and
// nothing left behind.
import { spawnSync } from "node:child_process";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { InternalError, StillwaveError } from "../../../src/errors.ts";
import type { Handle, PjrtClient } from "../../../src/runtime/xla/client.ts";
import { type BufferElement, ELEMENTS } from "../../../src/runtime/xla/layout.ts";
import { compileOptions } from "../../../src/runtime/xla/options.ts";
import { describeWithPlugin } from "./plugin.ts";

const bytes = (...values: number[]) => new Uint8Array(Float32Array.from(values).buffer);

/** One function of one argument `%x`, the last line being the result. */
const program = (type: string, lines: readonly string[], { argument = "", module = "" } = {}) =>
  `module @m ${module} { func.func public @main(%x: tensor<${type}> ${argument}) -> tensor<${type}> {\n${lines.join("\n")}\n} }`;

const DOUBLE = ["%y = stablehlo.add %x, %x : tensor<4xf32>", "return %y : tensor<4xf32>"];

/** So many products of 500 x 500 matrices, one after the other: about 10 ms each on one core. */
const products = (count: number) => {
  const lines = Array.from({ length: count }, (_, i) => {
    const from = i === 0 ? "%x" : `%p${i - 1}`;
    return `%p${i} = stablehlo.dot_general ${from}, %x, contracting_dims = [1] x [0] : (tensor<500x500xf32>, tensor<500x500xf32>) -> tensor<500x500xf32>`;
  });
  return program("500x500xf32", [...lines, `return %p${count - 1} : tensor<500x500xf32>`]);
};

describe("options of a compilation", () => {
  test("are a CompileOptionsProto", () => {
    expect([...compileOptions([0])]).toEqual([0x1a, 4, 0x20, 1, 0x28, 1]);
    const two = [0x1a, 16, 0x20, 2, 0x28, 1, 0x4a, 10, 8, 2, 0x10, 1, 0x1a, 4, 0x0a, 2, 0, 1];
    expect([...compileOptions([0, 1])]).toEqual(two);
    // ids above 127 take two bytes each
    expect([...compileOptions([0, 300])].slice(-7)).toEqual([0x1a, 5, 0x0a, 3, 0, 0xac, 2]);
  });
});

describeWithPlugin("a client of an XLA plugin", (openClient) => {
  let client: PjrtClient;
  beforeAll(() => {
    client = openClient(2);
  });
  afterAll(async () => {
    expect(client.alive).toEqual({ buffers: 0, programs: 0, events: 0 });
    await client.close();
  });

  async function download(buffer: Handle, size: number): Promise<Uint8Array> {
    const target = new Uint8Array(size);
    await client.download(buffer, target);
    return target;
  }
  const floats = async (buffer: Handle, count: number) => [
    ...new Float32Array((await download(buffer, 4 * count)).buffer),
  ];

  test.each(Object.keys(ELEMENTS) as BufferElement[])("%s goes up, through a program, and comes back", async (type) => {
    const { bytes: size } = ELEMENTS[type];
    const data = Uint8Array.from({ length: 6 * size }, (_, i) => (type === "i1" ? i % 2 : 7 * i + 1));
    const executable = await client.compile(program(`2x3x${type}`, [`return %x : tensor<2x3x${type}>`]));
    const buffer = client.upload(data, [2, 3], type);
    const { results, finished } = await client.start(executable, [[buffer]], 1);
    await finished;
    expect(await download(results[0][0], data.length)).toEqual(data);
    for (const handle of [buffer, results[0][0]]) client.freeBuffer(handle);
    client.freeProgram(executable);
  });

  test("a scalar and an empty array", async () => {
    const [scalar, empty] = [client.upload(bytes(3), [], "f32"), client.upload(bytes(), [0, 4], "f32")];
    expect(await floats(scalar, 1)).toEqual([3]);
    expect(await floats(empty, 0)).toEqual([]);
    for (const handle of [scalar, empty]) client.freeBuffer(handle);
  });

  test("bytes that do not fill the shape, or an element that is none, never reach the plugin", () => {
    expect(() => client.upload(bytes(1, 2), [3], "f32")).toThrow("8 bytes are no f32[3]");
    expect(() => client.upload(bytes(1), [1], "i4" as BufferElement)).toThrow(InternalError);
  });

  test("executions start without blocking the event loop, in the order of calls", async () => {
    const executable = await client.compile(products(20));
    const x = client.upload(new Uint8Array(4 * 500 * 500), [500, 500], "f32");
    let ticks = 0;
    const timer = setInterval(() => ticks++, 1);
    const finished: number[] = [];
    const started = await Promise.all([1, 2, 3].map(() => client.start(executable, [[x]], 1)));
    await Promise.all(started.map((one, i) => one.finished.then(() => finished.push(i))));
    clearInterval(timer);
    expect(finished).toEqual([0, 1, 2]);
    expect(ticks).toBeGreaterThan(5);
    for (const { results } of started) client.freeBuffer(results[0][0]);
    client.freeBuffer(x);
    client.freeProgram(executable);
  });

  test("results are used before they are there, and what nobody waits for leaves nothing", async () => {
    const executable = await client.compile(program("4xf32", DOUBLE));
    let x = client.upload(bytes(1, 2, 3, 4), [4], "f32");
    for (let step = 0; step < 10; step++) {
      const { results } = await client.start(executable, [[x]], 1);
      client.freeBuffer(x);
      [[x]] = results;
    }
    expect(await floats(x, 4)).toEqual([1024, 2048, 3072, 4096]);
    client.freeBuffer(x);
    client.freeProgram(executable);
  });

  test("a donated argument is dead, but its handle is freed as any other", async () => {
    const executable = await client.compile(program("4xf32", DOUBLE, { argument: "{tf.aliasing_output = 0 : i32}" }));
    const x = client.upload(bytes(1, 2, 3, 4), [4], "f32");
    const { results, finished } = await client.start(executable, [[x]], 1);
    await finished;
    expect(await floats(results[0][0], 4)).toEqual([2, 4, 6, 8]);
    await expect(client.download(x, new Uint8Array(16))).rejects.toThrow(/deleted or donated/);
    await expect(client.start(executable, [[x]], 1)).rejects.toThrow(StillwaveError);
    for (const handle of [x, results[0][0]]) client.freeBuffer(handle);
    client.freeProgram(executable);
  });

  test("an upload that is not waited for", async () => {
    const data = bytes(...Array.from({ length: 100_000 }, (_, i) => i));
    const { buffer, copied } = client.uploadLater(data, [100_000], "f32");
    await copied;
    data.fill(0xff);
    expect(await floats(buffer, 100_000)).toEqual(Array.from({ length: 100_000 }, (_, i) => i));
    client.freeBuffer(buffer);
  });

  test("a program on two devices sums over them", async () => {
    const module = "attributes {mhlo.num_replicas = 2 : i32, mhlo.num_partitions = 1 : i32}";
    const sum = `%y = "stablehlo.all_reduce"(%x) ({ ^bb0(%a: tensor<f32>, %b: tensor<f32>): %c = "stablehlo.add"(%a, %b) : (tensor<f32>, tensor<f32>) -> tensor<f32> "stablehlo.return"(%c) : (tensor<f32>) -> () }) {replica_groups = dense<[[0, 1]]> : tensor<1x2xi64>, channel_handle = #stablehlo.channel_handle<handle = 1, type = 1>} : (tensor<4xf32>) -> tensor<4xf32>`;
    const text = program("4xf32", [sum, "return %y : tensor<4xf32>"], { module });
    const executable = await client.compile(text, { replicas: 2 });
    const inputs = client.devices.map((device, i) =>
      client.upload(bytes(1 + i, 2 + i, 3 + i, 4 + i), [4], "f32", device),
    );
    const { results, finished } = await client.start(
      executable,
      inputs.map((input) => [input]),
      1,
    );
    await finished;
    for (const [result] of results) expect(await floats(result, 4)).toEqual([3, 5, 7, 9]);
    for (const handle of [...inputs, ...results.flat()]) client.freeBuffer(handle);
    client.freeProgram(executable);
    await expect(client.compile(text, { replicas: 3 })).rejects.toThrow("a program for 3 of 2 devices");
  });

  test("a program as bytes and back", async () => {
    const executable = await client.compile(program("4xf32", DOUBLE));
    const written = await client.serialize(executable);
    client.freeProgram(executable);
    if (!written) return console.log("this plugin does not serialise programs");
    const loaded = await client.load(written);
    const x = client.upload(bytes(1, 2, 3, 4), [4], "f32");
    const { results } = await client.start(loaded, [[x]], 1);
    expect(await floats(results[0][0], 4)).toEqual([2, 4, 6, 8]);
    for (const handle of [x, results[0][0]]) client.freeBuffer(handle);
    client.freeProgram(loaded);
    await expect(client.load(Buffer.from("nonsense"))).rejects.toThrow(StillwaveError);
  });

  test("what was freed is not used or freed again", async () => {
    const executable = await client.compile(program("4xf32", DOUBLE));
    const x = client.upload(bytes(1, 2, 3, 4), [4], "f32");
    client.freeBuffer(x);
    expect(() => client.freeBuffer(x)).toThrow(InternalError);
    await expect(client.download(x, new Uint8Array(16))).rejects.toThrow(InternalError);
    await expect(client.start(executable, [[x]], 1)).rejects.toThrow(InternalError);
    await expect(client.start(executable, [[], [x]], 1)).rejects.toThrow(InternalError);
    client.freeProgram(executable);
    expect(() => client.freeProgram(executable)).toThrow(InternalError);
    await expect(client.start(executable, [[]], 1)).rejects.toThrow(InternalError);
  });

  test("a plugin stays loaded when everything that can be collected is", () => {
    const module = new URL("../../../src/runtime/xla/index.ts", import.meta.url).href;
    const text = `const { openXla } = await import("${module}");
const { client } = await openXla();
for (let i = 0; i < 20; i++) {
  gc();
  await new Promise((resolve) => setTimeout(resolve, 10));
  client.freeBuffer(client.upload(new Uint8Array(16), [4], "f32"));
}
console.log("alive");`;
    const args = ["--expose-gc", "--import", "tsx", "--input-type=module", "-e", text];
    const { stdout, signal } = spawnSync(process.execPath, args, { encoding: "utf8" });
    expect({ stdout, signal }).toEqual({ stdout: "alive\n", signal: null });
  });

  test("a CPU plugin counts no memory", () => {
    expect(client.memory()).toBeUndefined();
  });

  test("a wrong program, and options that are unknown, are told in the plugin's words", async () => {
    await expect(client.compile("module { nonsense }")).rejects.toThrow(/PJRT_Client_Compile: .+/);
  });
});

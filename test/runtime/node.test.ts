// The runtime of Node: devices, feeds, results in place, several sizes in one session, bitwise repetition.
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { gradients } from "../../src/autodiff/gradient.ts";
import { decodeInto } from "../../src/checkpoint/formats/dtypes.ts";
import { InternalError, StillwaveError, UsageError } from "../../src/errors.ts";
import { addDims, floorDivDim, mulDims, symbol } from "../../src/graph/dim.ts";
import * as g from "../../src/graph/ops.ts";
import type { Value } from "../../src/graph/value.ts";
import { constant, input } from "../../src/graph/value.ts";
import { Random } from "../../src/random.ts";
import { createRuntime, listDevices } from "../../src/runtime/node/index.ts";
import { inWords } from "../../src/runtime/node/probe.ts";
import type { Executable, Feed, Runtime } from "../../src/runtime/runtime.ts";

const [B, T] = [symbol("batch"), symbol("time")];
const graphOf = (outputs: Record<string, Value>) => ({ name: "g", outputs: new Map(Object.entries(outputs)) });
const zeros = (...shape: number[]): Feed => ({ shape, data: new Float32Array(shape.reduce((a, b) => a * b, 1)) });
function noise(seed: number, ...shape: number[]): Feed {
  const random = new Random(seed);
  const feed = zeros(...shape);
  (feed.data as Float32Array).forEach((_, i, data) => {
    data[i] = random.normal();
  });
  return feed;
}

let runtime: Runtime;
beforeAll(async () => {
  runtime = await createRuntime({ threads: 1 });
});

describe("devices", () => {
  test("cpu is the default and says ONNX Runtime's version", () => {
    expect(runtime.device).toBe("cpu");
    expect(runtime.version).toMatch(/^\d+\.\d+\.\d+$/);
  });

  test("auto takes the best device that works, and a device that does not is an error with the remedy", async () => {
    const working = await listDevices();
    expect(working).toContain("cpu");
    const best = (["cuda", "webgpu", "cpu"] as const).find((device) => working.includes(device));
    expect((await createRuntime({ device: "auto" })).device).toBe(best);
    for (const device of ["cuda", "webgpu"] as const) {
      if (working.includes(device)) {
        console.log(`${device} works here: its error is not tested`);
        continue;
      }
      const error = await createRuntime({ device }).catch((caught: unknown) => caught as Error);
      expect(error).toBeInstanceOf(StillwaveError);
      expect((error as Error).message).toContain(`device "${device}" is not available: `);
      expect((error as Error).message).toContain(`Available here: ${working.join(", ")}.`);
      expect((error as Error).message).toContain(device === "cuda" ? "`stillwave devices add cuda`" : "adapter");
    }
  });

  test("an engine that does not exist is misuse", async () => {
    vi.stubEnv("STILLWAVE_ENGINE", "fast");
    vi.resetModules();
    const { createRuntime: create } = await import("../../src/runtime/node/index.ts");
    await expect(create()).rejects.toThrow('unknown STILLWAVE_ENGINE "fast"; valid: native, wasm');
    vi.unstubAllEnvs();
  });

  test("unknown devices and impossible thread counts are misuse", async () => {
    await expect(createRuntime({ device: "xpu" as never })).rejects.toThrow(UsageError);
    await expect(createRuntime({ device: "xpu" as never })).rejects.toThrow(
      'unknown device "xpu"; valid: cpu, cuda, webgpu, xla, xla:cpu, xla:cuda, xla:rocm, xla:tpu, auto',
    );
    for (const threads of [0, -1, 1.5, Number.NaN])
      await expect(createRuntime({ threads })).rejects.toThrow(UsageError);
  });
});

describe("feeds", () => {
  let executable: Executable;
  const good = { x: zeros(2, 5, 3), n: { shape: [4], data: BigInt64Array.of(0n, 1n, 2n, 3n) } };
  beforeAll(async () => {
    const x = input("x", [B, T, 3]);
    const n = input("n", [addDims(T, -1)], "int64");
    executable = await runtime.compile(graphOf({ y: g.gather(g.transpose(x, [1, 0, 2]), n) }));
  });
  afterAll(() => executable.dispose());

  test.each<[string, Record<string, Feed>, string]>([
    ["missing", { x: good.x }, 'input "n" was not fed'],
    ["another rank", { ...good, x: zeros(2, 5) }, 'input "x" is float32[batch, time, 3], fed [2,5] with 10 values'],
    ["data of another length", { ...good, x: { shape: [2, 5, 3], data: new Float32Array(29) } }, "with 29 values"],
    ["a wrong fixed axis", { ...good, x: zeros(2, 5, 4) }, "fed [2,5,4], expected [2,5,3]"],
    ["a size that another input contradicts", { ...good, x: zeros(2, 7, 3) }, 'input "n" is int64[-1+time], fed [4], expected [6]'], // biome-ignore format: one line
    ["another type", { ...good, n: zeros(4) }, 'input "n" is int64[-1+time], fed a Float32Array'],
  ])("%s", async (_, feeds, text) => {
    await expect(executable.run(feeds)).rejects.toThrow(InternalError);
    await expect(executable.run(feeds)).rejects.toThrow(text);
  });

  test("memory shared between threads", async () => {
    const shared = { shape: [2, 5, 3], data: new Float32Array(new SharedArrayBuffer(120)) };
    await expect(executable.run({ ...good, x: shared })).rejects.toThrow('input "x" lies in a SharedArrayBuffer');
  });

  test("an index out of range is an error, and the session survives it", async () => {
    const feeds = { ...good, n: { shape: [4], data: BigInt64Array.of(0n, 1n, 2n, 30n) } };
    await expect(executable.run(feeds)).rejects.toThrow(/out of (data )?bounds/);
    expect((await executable.run(good)).y!.shape).toEqual([4, 2, 3]);
  });

  test("views into one buffer are read where they are, and changes between runs are seen", async () => {
    const flat = Float32Array.from({ length: 8 }, (_, i) => i);
    const [x, y] = [input("x", [3]), input("y", [3])];
    const sum = await runtime.compile(graphOf({ sum: g.add(x, y) }));
    const feeds = { x: { shape: [3], data: flat.subarray(1, 4) }, y: { shape: [3], data: flat.subarray(5, 8) } };
    expect([...(await sum.run(feeds)).sum!.data]).toEqual([6, 8, 10]);
    flat[1] = 100;
    expect([...(await sum.run(feeds)).sum!.data]).toEqual([105, 8, 10]);
    await sum.dispose();
  });
});

test("every half comes back as the number it is: subnormal, infinite, negative zero, not a number", async () => {
  const executable = await runtime.compile(graphOf({ y: g.cast(input("x", [T], "float16"), "float32") }));
  const patterns = Uint16Array.from({ length: 2 ** 16 }, (_, i) => i);
  const { y } = await executable.run({ x: { shape: [patterns.length], data: patterns } });
  const expected = new Float32Array(patterns.length);
  decodeInto(expected, 0, new Uint8Array(patterns.buffer), "F16");
  expect(y!.data.findIndex((value, i) => !Object.is(value, expected[i]))).toBe(-1);
  const message = 'input "x" is float16[time], fed a Float32Array';
  await expect(executable.run({ x: zeros(3) })).rejects.toThrow(message);
  await executable.dispose();
});

describe("results in place", () => {
  const x = input("x", [B, 2]);
  const outputs = { double: g.mul(x, 2), rows: g.sum(x, [0]), total: g.sumAll(x) };
  const feeds = { x: { shape: [2, 2], data: Float32Array.of(1, 2, 3, 4) } };

  test("sub-arrays of one flat buffer are written, what lies between them is not", async () => {
    const executable = await runtime.compile(graphOf(outputs));
    const flat = new Float32Array(9).fill(-1);
    const into = { double: flat.subarray(1, 5), total: flat.subarray(8, 9) };
    for (let run = 0; run < 3; run++) {
      const results = await executable.run(feeds, into);
      expect([...flat]).toEqual([-1, 2, 4, 6, 8, -1, -1, -1, 10]);
      expect([...results.rows!.data]).toEqual([4, 6]);
      expect(results.double!.data).toBe(into.double);
      expect(results.double!.shape).toEqual([2, 2]);
      flat.fill(-1);
    }
    await executable.dispose();
  });

  test("memory of another length, or for no output, is an error", async () => {
    const executable = await runtime.compile(graphOf(outputs));
    await expect(executable.run(feeds, { double: new Float32Array(5) })).rejects.toThrow(
      'output "double" is float32[2,2], cannot go into 5 floats',
    );
    await expect(executable.run(feeds, { twice: new Float32Array(4) })).rejects.toThrow(
      'unknown output "twice"; valid: double, rows, total',
    );
    await executable.dispose();
  });

  test("results of one run are not overwritten by the next", async () => {
    const executable = await runtime.compile(graphOf(outputs));
    const first = await executable.run(feeds);
    await executable.run({ x: zeros(2, 2) });
    expect([...first.double!.data]).toEqual([2, 4, 6, 8]);
    await executable.dispose();
  });
});

test("one session runs growing and shrinking sizes, and dimensions follow", async () => {
  const x = input("x", [B, T]);
  const frames = floorDivDim(addDims(T, -3), 2);
  const y = g.reshape(g.slice(x, 1, 0, mulDims(2, frames)), [B, frames, 2]);
  const outputs = graphOf({ y: g.mul(g.sum(y, [2]), g.dimension(frames)), n: g.cast(g.iota(frames), "float32") });
  const executable = await runtime.compile(outputs);
  for (const [batch, time] of [
    [2, 9],
    [5, 40],
    [1, 5],
    [2, 9],
  ] as const) {
    // biome-ignore format: one line
    const data = Float32Array.from({ length: batch * time }, (_, i) => i);
    const results = await executable.run({ x: { shape: [batch, time], data } });
    const count = Math.floor((time - 3) / 2);
    expect(results.y!.shape).toEqual([batch, count]);
    const expected = Array.from({ length: batch * count }, (_, i) => {
      const start = Math.floor(i / count) * time + 2 * (i % count);
      return (2 * start + 1) * count;
    });
    expect([...results.y!.data]).toEqual(expected);
    expect([...results.n!.data]).toEqual([...Array(count).keys()]);
  }
  await executable.dispose();
});

test("an axis that is a multiple of a symbol gives its size, and one that is not a multiple is refused", async () => {
  const blocks = symbol("blocks");
  const x = input("x", [mulDims(16, blocks), 2]);
  const executable = await runtime.compile(graphOf({ y: g.add(g.sum(x, [0]), g.dimension(addDims(blocks, 1))) }));
  for (const count of [1, 3]) expect([...(await executable.run({ x: zeros(16 * count, 2) })).y!.data]).toEqual([count + 1, count + 1]); // biome-ignore format: one line
  await expect(executable.run({ x: zeros(20, 2) })).rejects.toThrow("fed [20,2], expected [16,2]");
  await executable.dispose();
});

test("axes of size 0, known or not, stay what they are through reshapes, sums and products", async () => {
  const [x, empty, w] = [input("x", [B, T, 2]), input("empty", [0, 4]), input("w", [2, 3])];
  const rows = g.reshape(x, [mulDims(B, T), 2]);
  const swapped = g.reshape(x, [T, B, 2]);
  const outputs = { swapped, product: g.gemm(rows, w), sums: g.sum(x, [1]), split: g.reshape(empty, [2, 0, 2]) };
  const executable = await runtime.compile(graphOf(outputs));
  const results = await executable.run({ x: zeros(3, 0, 2), empty: zeros(0, 4), w: noise(1, 2, 3) });
  const shapes = Object.fromEntries(Object.entries(results).map(([name, { shape }]) => [name, shape]));
  expect(shapes).toEqual({ swapped: [0, 3, 2], product: [0, 3], sums: [3, 2], split: [2, 0, 2] });
  expect([...results.sums!.data]).toEqual([0, 0, 0, 0, 0, 0]);
  await executable.dispose();
});

describe("repetition", () => {
  /** Large enough products for ONNX Runtime to split them among threads. */
  function step() {
    const [x, w, v] = [input("x", [300, 256]), input("w", [256, 512]), input("v", [512, 256])];
    const hidden = g.gelu(g.gemm(x, w));
    const heads = g.reshape(g.gemm(hidden, v), [4, 300, 64]);
    const rows = g.softmax(g.matmul(heads, heads, { transB: true, alpha: 0.1 }));
    const loss = g.sumAll(g.mul(g.matmul(rows, heads), 0.01));
    const [dx, dw, dv] = gradients(loss, [x, w, v]) as [Value, Value, Value];
    return graphOf({ loss, dx, dw, dv });
  }
  const feeds = { x: noise(1, 300, 256), w: noise(2, 256, 512), v: noise(3, 512, 256) };

  test("gradients are bitwise equal from run to run, session to session, and for 1 or 2 threads", async () => {
    const results: Record<string, { data: Float32Array }>[] = [];
    for (const threads of [1, 2, 2]) {
      const executable = await (await createRuntime({ threads })).compile(step());
      for (let run = 0; run < 2; run++) results.push(await executable.run(feeds));
      await executable.dispose();
    }
    const bits = (r: Record<string, { data: Float32Array }>) =>
      Object.values(r).map(({ data }) => Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString("base64"));
    const first = bits(results[0]);
    expect(results[0].dw!.data.some((value) => value !== 0)).toBe(true);
    for (const other of results.slice(1))
      expect(bits(other).map((b, i) => b === first[i])).toEqual(Array(4).fill(true));
  });

  test("the graph rewritten by ONNX Runtime gives the same numbers within float32", async () => {
    const plain = await (await createRuntime({ threads: 2 })).compile(step());
    const optimized = await (await createRuntime({ threads: 2, optimize: "all" })).compile(step());
    const [a, b] = [await plain.run(feeds), await optimized.run(feeds)];
    for (const name of ["loss", "dx", "dw", "dv"]) {
      const largest = a[name].data.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
      const apart = a[name].data.reduce((most, value, i) => Math.max(most, Math.abs(value - b[name].data[i])), 0);
      expect(apart / largest, name).toBeLessThan(1e-5);
    }
    await plain.dispose();
    await optimized.dispose();
  });
});

// ONNX leaves duplicates in ScatterND with `add` defined, but implementations may update in parallel without atomics, so
// scatterAddRows (and the gradient of gather) promise unique indices. This records what the runtime under test does with
// repeated ones, on one thread: they are summed. Nothing relies on it.
test("scattered rows with repeated indices are summed by this runtime on one thread", async () => {
  const rows = constant({ shape: [4], data: BigInt64Array.of(1n, 1n, 0n, 1n) });
  const executable = await runtime.compile(graphOf({ y: g.scatterAddRows(rows, input("x", [4, 2]), 3) }));
  const data = Float32Array.of(1, 2, 10, 20, 5, 6, 100, 200);
  expect([...(await executable.run({ x: { shape: [4, 2], data } })).y!.data]).toEqual([5, 6, 111, 222, 0, 0]);
  await executable.dispose();
});

test("a device that is not there is our message alone: no line of a driver, no place in ONNX Runtime's source", async () => {
  const working = await listDevices();
  const index = fileURLToPath(new URL("../../src/runtime/node/index.ts", import.meta.url));
  const program = `import { createRuntime } from ${JSON.stringify(index)};
createRuntime({ device: process.argv[1] }).catch((error) => console.error(error.message));`;
  for (const device of ["cuda", "webgpu"] as const) {
    if (working.includes(device)) {
      console.log(`${device} works here: its absence is not tested`);
      continue;
    }
    const args = ["--import", "tsx", "--input-type=module", "-e", program, device];
    const { stdout, stderr } = spawnSync(process.execPath, args, { encoding: "utf8" });
    expect(stdout).toBe("");
    expect(stderr.trim().split("\n")).toHaveLength(1);
    expect(stderr).toMatch(new RegExp(`^device "${device}" is not available: [A-Z]`));
    expect(stderr).not.toContain("onnxruntime_src");
  }
});

test("messages of ONNX Runtime without their place", () => {
  const place =
    "/onnxruntime_src/onnxruntime/core/providers/webgpu/webgpu_context.cc:136 onnxruntime::webgpu::Context(const C&)";
  const condition = "::<lambda()> adapter_result.status == wgpu::Status::Success was false.";
  expect(inWords(`${place}${condition} Failed to get a WebGPU adapter: No supported adapters.\nmore`)).toBe(
    "Failed to get a WebGPU adapter: No supported adapters.",
  );
  expect(inWords("Failed to load shared library")).toBe("Failed to load shared library");
});

// The op table through an XLA plugin, where STILLWAVE_XLA_PLUGIN names one; programs, errors and what is left behind.
import { beforeAll, describe, expect, test, vi } from "vitest";
import { symbol } from "../../src/graph/dim.ts";
import * as g from "../../src/graph/ops.ts";
import { input } from "../../src/graph/value.ts";
import { createRuntime } from "../../src/runtime/node/index.ts";
import { openXla, type XlaRuntime } from "../../src/runtime/xla/index.ts";
import { PjrtPlugin } from "../../src/runtime/xla/plugin.ts";
import { temporaryFolder } from "../data/corpora.ts";
import { runOpCases } from "./op-conformance.ts";
import { describeWithPlugin } from "./xla/plugin.ts";

describeWithPlugin("XLA", () => {
  // what is compiled for tests is of no use to anybody else
  beforeAll(() => void vi.stubEnv("STILLWAVE_CACHE", temporaryFolder()));

  // XLA's erf and exp are right to two units in the last place, ONNX Runtime's to one
  runOpCases("XLA", () => createRuntime({ device: "xla" }), { value: 2e-6, gradient: 1e-5 });

  describe("a runtime of XLA", () => {
    let runtime: XlaRuntime;
    beforeAll(async () => {
      runtime = await openXla();
    });
    const x = input("x", [symbol("batch"), 3]);
    const graph = { name: "double", outputs: new Map([["y", g.mul(x, 2)]]) };

    test("frees every buffer and program", async () => {
      const before = runtime.client.alive;
      const executable = await runtime.compile(graph);
      for (let batch = 1; batch <= 3; batch++) {
        const { y } = await executable.run({ x: { shape: [batch, 3], data: new Float32Array(3 * batch).fill(0.5) } });
        expect(y).toEqual({ shape: [batch, 3], data: new Float32Array(3 * batch).fill(1) });
      }
      expect(runtime.client.alive).toEqual({ ...before, programs: before.programs + 3 });
      await executable.dispose();
      expect(runtime.client.alive).toEqual(before);
    });

    test("writes outputs in place, and keeps nothing of a run that fails", async () => {
      const executable = await runtime.compile(graph);
      const target = new Float32Array(3);
      const feed = { x: { shape: [1, 3], data: Float32Array.of(1, 2, 3) } };
      await executable.run(feed, { y: target });
      expect([...target]).toEqual([2, 4, 6]);
      const before = runtime.client.alive;
      await expect(executable.run(feed, { y: new Float32Array(2) })).rejects.toThrow("cannot go into 2 floats");
      expect(runtime.client.alive).toEqual(before);
      await executable.dispose();
    });

    test("an error of the plugin is told in its words", async () => {
      await expect(runtime.client.compile("module { nonsense }")).rejects.toThrow(/PJRT_Client_Compile: .+/);
    });
  });
});

describe("a plugin", () => {
  test("that is no library, or a library without PJRT, is named", () => {
    expect(() => new PjrtPlugin("/nowhere/plugin.so")).toThrow(
      /\/nowhere\/plugin\.so: cannot be loaded as a PJRT plugin/,
    );
    const libc = process.report?.getReport() as { sharedObjects?: string[] } | undefined;
    const library = libc?.sharedObjects?.find((name) => /libm\.so|libm-/.test(name));
    if (!library) return console.log("a library without PJRT is not tested: libm is not among the shared objects here");
    expect(() => new PjrtPlugin(library)).toThrow("no PJRT plugin");
  });
});

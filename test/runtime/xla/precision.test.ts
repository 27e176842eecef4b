// What run.precision comes to: on which devices and processors there are halves.
import { describe, expect, test } from "vitest";
import { createRuntime } from "../../../src/runtime/node/index.ts";
import { bestPrecision, choosePrecision, hasBf16Instructions } from "../../../src/runtime/xla/precision.ts";
import { describeWithPlugin } from "./plugin.ts";

const processor = (flags: string) =>
  `processor\t: 0\nmodel name\t: made up\nflags\t\t: fpu sse4_2 ${flags}\nbugs\t\t: spectre\n\n`;

describe("processors", () => {
  test.each([
    ["amx_bf16 amx_tile", true],
    ["avx512f avx512_bf16 avx512vl", true],
    ["avx512f avx512bw avx512_vnni", false],
    ["amx_tile amx_int8", false],
    ["not_avx512_bf16", false],
  ])("with %s: %s", (flags, there) => {
    expect(hasBf16Instructions(processor(flags))).toBe(there);
  });

  test("that differ have them where all do", () => {
    expect(hasBf16Instructions(processor("amx_bf16") + processor("avx512_bf16"))).toBe(true);
    expect(hasBf16Instructions(processor("amx_bf16") + processor("avx2"))).toBe(false);
  });

  test("of which nothing is known have none", () => {
    for (const text of ["", "processor : 0\nFeatures : fp asimd bf16\n", "model name : amx_bf16\n"])
      expect(hasBf16Instructions(text)).toBe(false);
  });
});

describe("auto", () => {
  test.each(["NVIDIA H100 80GB HBM3", "NVIDIA H200", "NVIDIA A100-SXM4-40GB", "NVIDIA L4", "NVIDIA RTX A6000"])(
    "is bf16 on %s",
    (kind) => expect(bestPrecision("xla:cuda", kind, false)).toBe("bf16"),
  );
  test.each(["NVIDIA GeForce RTX 3090", "NVIDIA GeForce RTX 4090", "NVIDIA B200", "NVIDIA A10G"])(
    "is bf16 on %s, whose name is near an older one's",
    (kind) => expect(bestPrecision("xla:cuda", kind, false)).toBe("bf16"),
  );
  test.each([
    ...(["Tesla V100-SXM2-16GB", "Tesla T4", "NVIDIA T4", "Tesla P100-PCIE-16GB", "NVIDIA T1000 8GB"] as const),
    ...(["NVIDIA GeForce GTX 1080 Ti", "NVIDIA GeForce RTX 2080 Ti", "NVIDIA TITAN RTX", "Quadro RTX 8000"] as const),
  ])("is float32 on %s", (kind) => expect(bestPrecision("xla:cuda", kind, true)).toBe("float32"));

  test("is bf16 on TPUs and AMD's cards, and on processors that have it, on XLA", () => {
    expect(bestPrecision("xla:tpu", "TPU v5e", false)).toBe("bf16");
    expect(bestPrecision("xla:rocm", "AMD Instinct MI300X", false)).toBe("bf16");
    expect(bestPrecision("xla:cpu", "cpu", true)).toBe("bf16");
    expect(bestPrecision("xla:cpu", "cpu", false)).toBe("float32");
    for (const device of ["cpu", "cuda", "webgpu", "wasm"] as const)
      expect(bestPrecision(device, "cpu", true)).toBe("float32");
  });
});

test("ONNX Runtime trains in float32, and says who does in others", async () => {
  const runtime = await createRuntime({ threads: 1 });
  expect(choosePrecision(runtime, "auto")).toBe("float32");
  expect(choosePrecision(runtime, "float32")).toBe("float32");
  for (const wanted of ["bf16", "fp16", "tf32"] as const)
    expect(() => choosePrecision(runtime, wanted)).toThrow(
      new RegExp(`^run\\.precision: ${wanted} needs an XLA device, and "cpu" is ONNX Runtime's`),
    );
});

describeWithPlugin("on the CPU plugin", () => {
  test("all formats are taken", async () => {
    const runtime = await createRuntime({ device: "xla:cpu", threads: 1 });
    for (const wanted of ["float32", "bf16", "fp16", "tf32"] as const)
      expect(choosePrecision(runtime, wanted)).toBe(wanted);
    expect(["float32", "bf16"]).toContain(choosePrecision(runtime, "auto"));
  });
});

// XLA devices by name: what each comes to, and what is said of those that are not there.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, test, vi } from "vitest";
import { StillwaveError, UsageError } from "../../../src/errors.ts";
import { DEVICE_CHOICES } from "../../../src/runtime/device.ts";
import { createRuntime, listDevices } from "../../../src/runtime/node/index.ts";
import { processorHasBf16 } from "../../../src/runtime/xla/precision.ts";
import { probePlugin } from "../../../src/runtime/xla/probe.ts";
import { temporaryFolder } from "../../data/corpora.ts";
import { describeWithPlugin } from "./plugin.ts";

afterEach(() => vi.unstubAllEnvs());

const found = (path: string) =>
  ({ path, platform: "cpu", source: "environment", site: undefined, version: undefined }) as const;

describe("without a plugin", () => {
  /** No plugin is found, whatever is installed here. */
  const hideAll = () => {
    vi.stubEnv("STILLWAVE_XLA_PLUGIN", "");
    vi.stubEnv("STILLWAVE_CACHE", temporaryFolder());
    vi.stubEnv("VIRTUAL_ENV", "");
    vi.stubEnv("PATH", "/nowhere");
  };

  test.each([
    ["xla", "no PJRT plugin was found", "devices add cpu` fetches a plugin (or cuda, rocm, tpu)"],
    ["xla:cpu", "no PJRT plugin for cpu was found", "`stillwave devices add cpu`"],
    ["xla:tpu", "no PJRT plugin for tpu was found", "`stillwave devices add tpu`"],
  ] as const)("%s says what there is and what to do", async (device, problem, remedy) => {
    hideAll();
    const error = await createRuntime({ device }).catch((caught: unknown) => caught as Error);
    expect(error).toBeInstanceOf(StillwaveError);
    expect((error as Error).message).toContain(`device "${device}" is not available: ${problem}`);
    expect((error as Error).message).toContain("Available here: cpu");
    expect((error as Error).message).toContain(remedy);
  });

  test("auto is ONNX Runtime's", async () => {
    hideAll();
    expect((await createRuntime({ device: "auto" })).device).not.toContain("xla");
  });

  test("an unknown name is misuse, and all names are told", async () => {
    const error = await createRuntime({ device: "xla:gpu" as never }).catch((caught: unknown) => caught as Error);
    expect(error).toBeInstanceOf(UsageError);
    expect((error as Error).message).toBe(`unknown device "xla:gpu"; valid: ${DEVICE_CHOICES.join(", ")}`);
  });
});

test("a file that is no plugin, or ends the process, is a problem in words", async () => {
  const path = join(temporaryFolder(), "cpu.so");
  writeFileSync(path, "no library");
  expect(await probePlugin(found(path))).toMatch(/cpu\.so: cannot be loaded as a PJRT plugin/);
  vi.stubEnv("STILLWAVE_XLA_PLUGIN", path);
  const error = await createRuntime({ device: "xla:cpu" }).catch((caught: unknown) => caught as Error);
  expect((error as Error).message).toMatch(/^device "xla:cpu" is not available: .*cpu\.so: cannot be loaded/);
});

describeWithPlugin("with the CPU plugin", () => {
  test("xla and xla:cpu are it, and say so", async () => {
    for (const device of ["xla", "xla:cpu"] as const) {
      const runtime = await createRuntime({ device, threads: 1 });
      expect(runtime.device).toBe("xla:cpu");
      expect(runtime.version).toMatch(/^PJRT 0\.\d+ cpu cpu$/);
    }
    expect(await listDevices()).toEqual(expect.arrayContaining(["cpu", "xla", "xla:cpu"]));
  });

  test("other platforms are not, and auto does not take it", async () => {
    await expect(createRuntime({ device: "xla:cuda" })).rejects.toThrow(
      /which STILLWAVE_XLA_PLUGIN names, is for cpu\./,
    );
    expect((await createRuntime({ device: "auto" })).device).not.toContain("xla");
  });

  test("auto takes it for trainings in bf16 where the processor has that", async () => {
    const others = (await listDevices()).filter((device) => device === "cuda" || device === "webgpu");
    const expected = others[0] ?? (processorHasBf16() ? "xla:cpu" : "cpu");
    expect((await createRuntime({ device: "auto", trainsInBf16: true })).device).toBe(expected);
  });

  test("its facts are asked in another process", async () => {
    const facts = await probePlugin(found(process.env.STILLWAVE_XLA_PLUGIN ?? ""));
    expect(facts).toMatchObject({ platform: "cpu", devices: [{ kind: "cpu" }] });
    vi.stubEnv("STILLWAVE_XLA_DEVICES", "3");
    expect(await probePlugin(found(process.env.STILLWAVE_XLA_PLUGIN ?? ""))).toMatchObject({
      devices: [{ kind: "cpu" }, { kind: "cpu" }, { kind: "cpu" }],
    });
    vi.stubEnv("STILLWAVE_XLA_DEVICES", "many");
    expect(await probePlugin(found(process.env.STILLWAVE_XLA_PLUGIN ?? ""))).toContain("STILLWAVE_XLA_DEVICES=many");
  });
});

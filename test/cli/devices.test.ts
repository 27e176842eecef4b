// stillwave devices: what it lists and adds, for people and for programs.
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { temporaryFolder } from "../data/corpora.ts";
import { type FakeIndex, offering, serve, zipOf } from "../devices/fake-index.ts";
import { stillwave } from "./run.ts";

const root = temporaryFolder();
let index: FakeIndex;

beforeAll(async () => {
  const machine = process.arch === "arm64" ? "aarch64" : "x86_64";
  const wheel = zipOf([
    { name: "lammps_jax_pjrt_cpu/pjrt_c_api_cpu_plugin.so", data: "no library" },
    { name: "lammps_jax_pjrt_cpu-0.11.2.dist-info/METADATA" },
  ]);
  const filename = `lammps_jax_pjrt_cpu-0.11.2-py3-none-manylinux_2_27_${machine}.whl`;
  index = await serve(offering("lammps-jax-pjrt-cpu", [{ filename, data: wheel }]));
  vi.stubEnv("PIP_INDEX_URL", `${index.url}/simple`);
  vi.stubEnv("STILLWAVE_CACHE", root);
  vi.stubEnv("STILLWAVE_XLA_PLUGIN", "");
});
afterAll(async () => {
  vi.unstubAllEnvs();
  await index.close();
});

describe("stillwave devices", () => {
  test("lists what works, and of the rest what is wrong and what to do", async () => {
    const { code, stdout } = await stillwave(["devices"]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^device +kind +memory +trains in +engine +plugin\ncpu .* float32 +onnxruntime \d/);
    expect(stdout).toMatch(/\nxla:tpu: no PJRT plugin for tpu was found.*\n {2}`stillwave devices add tpu`/);
    const { devices } = JSON.parse((await stillwave(["devices", "--json"])).stdout);
    expect(devices.map(({ device }: { device: string }) => device)).toEqual([
      ...["cpu", "cuda", "webgpu", "xla:cpu", "xla:cuda", "xla:rocm", "xla:tpu"],
    ]);
    expect(devices[0]).toMatchObject({ problem: null, remedy: null, precision: "float32", plugin: null });
  });

  test("adds a plugin from the package index; one that is no library is listed as such", async () => {
    const { code, stdout, stderr } = await stillwave(["devices", "add", "cpu"]);
    expect(stderr).toMatch(/^1 package, \d+ B to fetch/);
    expect(stdout).toMatch(/pjrt_c_api_cpu_plugin\.so: added, version 0\.11\.2\n$/);
    expect(code).toBe(0);
    expect(readdirSync(join(root, "xla", "plugins"))).toEqual(["cpu"]);
    const again = await stillwave(["devices", "add", "cpu", "--json"]);
    expect(JSON.parse(again.stdout)).toMatchObject({ kind: "done", already: true, plugin: { platform: "cpu" } });
    expect((await stillwave(["devices"])).stdout).toMatch(/xla:cpu: .*cannot be loaded as a PJRT plugin/);
  });

  test("a package that is not to be had fails, a platform that is none is misuse", async () => {
    const missing = await stillwave(["devices", "add", "tpu"]);
    expect(missing.stderr).toMatch(/^stillwave: libtpu: the package index has no such package\n/);
    expect(missing.code).toBe(1);
    const none = await stillwave(["devices", "add", "gpu"]);
    expect(none.stderr).toContain("Allowed choices are cuda, rocm, tpu, cpu");
    expect(none.code).toBe(2);
  });
});

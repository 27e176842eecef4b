// Where plugins are looked for, the first hit of all: the environment, the cache, Python's packages.
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { addedFolder, type findPlugin, platformOfName } from "../../../src/runtime/xla/find.ts";
import { temporaryFolder } from "../../data/corpora.ts";

let find: typeof findPlugin;
let root: string;

/** Empty files, with the folders above them. */
function make(folder: string, ...paths: string[]): void {
  for (const path of paths) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), "");
  }
}

/** A `python3` that says where its packages are. */
function makePython(bin: string, sites: readonly string[]): void {
  mkdirSync(bin, { recursive: true });
  writeFileSync(join(bin, "python3"), `#!/bin/sh\necho '${JSON.stringify(sites)}'\n`);
  chmodSync(join(bin, "python3"), 0o755);
}

beforeEach(async () => {
  root = temporaryFolder();
  vi.stubEnv("STILLWAVE_XLA_PLUGIN", undefined);
  vi.stubEnv("STILLWAVE_CACHE", join(root, "cache"));
  vi.stubEnv("VIRTUAL_ENV", undefined);
  vi.stubEnv("PATH", `${join(root, "bin")}:/usr/bin:/bin`);
  makePython(join(root, "bin"), [join(root, "python"), join(root, "not there")]);
  vi.resetModules();
  ({ findPlugin: find } = await import("../../../src/runtime/xla/find.ts"));
});
afterEach(() => vi.unstubAllEnvs());

describe("a plugin", () => {
  test("is nowhere", async () => {
    expect(await find()).toBeUndefined();
    expect(await find("cuda")).toBeUndefined();
  });

  test("that the environment names comes first and alone; its name tells its platform", async () => {
    make(addedFolder("cuda"), "jax_plugins/xla_cuda13/xla_cuda_plugin.so");
    vi.stubEnv("STILLWAVE_XLA_PLUGIN", "/opt/pjrt_c_api_cpu_plugin.so");
    const named = { path: "/opt/pjrt_c_api_cpu_plugin.so", platform: "cpu", source: "environment" };
    expect(await find()).toMatchObject(named);
    expect(await find("cuda")).toMatchObject(named);
    expect(platformOfName("/cuda/plugin.so")).toBeUndefined();
    expect(platformOfName("/opt/libtpu.so")).toBe("tpu");
  });

  test("in the cache comes before Python's, GPUs before CPUs, later CUDA first", async () => {
    make(join(root, "python"), "jax_plugins/xla_cuda13/xla_cuda_plugin.so");
    make(addedFolder("cpu"), "lammps_jax_pjrt_cpu/pjrt_c_api_cpu_plugin.so");
    expect(await find()).toMatchObject({ platform: "cpu", source: "cache", site: addedFolder("cpu") });
    expect(await find("cuda")).toMatchObject({ source: "python" });
    make(
      addedFolder("cuda"),
      "jax_plugins/xla_cuda12/xla_cuda_plugin.so",
      "jax_plugins/xla_cuda13/xla_cuda_plugin.so",
      "jax_cuda12_pjrt-0.10.0.dist-info/METADATA",
      "jax_cuda13_pjrt-0.11.2.dist-info/METADATA",
    );
    expect(await find()).toEqual({
      path: join(addedFolder("cuda"), "jax_plugins", "xla_cuda13", "xla_cuda_plugin.so"),
      platform: "cuda",
      source: "cache",
      site: addedFolder("cuda"),
      version: "0.11.2",
    });
  });

  test.each([
    ["cuda", "jax_plugins/xla_cuda12/xla_cuda_plugin.so", "jax_cuda12_pjrt-0.12.0.1.dist-info", "0.12.0.1"],
    ["rocm", "jax_plugins/xla_rocm7/xla_rocm_plugin.so", "jax_rocm7_pjrt-0.12.0.dist-info", "0.12.0"],
    ["tpu", "libtpu/libtpu.so", "libtpu-0.0.30.dist-info", "0.0.30"],
    ["cpu", "fastatomstruct_xla_cpu/libpjrt_cpu.so", "fastatomstruct_xla_cpu-2026.6.23.dist-info", "2026.6.23"],
  ] as const)("for %s in a Python environment, the active one first", async (platform, path, info, version) => {
    make(join(root, "python"), path);
    expect(await find(platform)).toMatchObject({ path: join(root, "python", path), version: undefined });
    const site = join(root, "venv", "lib", "python3.12", "site-packages");
    make(site, path, `${info}/METADATA`);
    vi.stubEnv("VIRTUAL_ENV", join(root, "venv"));
    expect(await find(platform)).toEqual({ path: join(site, path), platform, source: "python", site, version });
  });

  test("is not found by a Python that fails or answers nonsense", async () => {
    for (const program of ["exit 3", "echo nonsense", "echo '{}'"]) {
      writeFileSync(join(root, "bin", "python3"), `#!/bin/sh\n${program}\n`);
      vi.resetModules();
      const { findPlugin } = await import("../../../src/runtime/xla/find.ts");
      expect(await findPlugin()).toBeUndefined();
    }
  });
});

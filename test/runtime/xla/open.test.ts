// What is said to the libraries of a plugin before they are loaded, and where they may be.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { Worker } from "node:worker_threads";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { XlaPlatform } from "../../../src/runtime/device.ts";
import { openClient } from "../../../src/runtime/xla/open.ts";
import { temporaryFolder } from "../../data/corpora.ts";

let site: string;
beforeEach(() => {
  site = temporaryFolder();
  for (const name of ["XLA_FLAGS", "TF_CPP_MIN_LOG_LEVEL", "NPROC"]) vi.stubEnv(name, undefined);
});
afterEach(() => vi.unstubAllEnvs());

/** Opens what is no plugin: the environment is prepared, then it fails. */
function open(platform: XlaPlatform, threads?: number): void {
  const path = join(site, `${platform}.so`);
  writeFileSync(path, "no library");
  const found = { path, platform, source: "cache", site, version: undefined } as const;
  expect(() => openClient(found, threads)).toThrow("cannot be loaded as a PJRT plugin");
}

/** What every plugin is told, and CUDA's beside it. */
const [ALL, CUDA] = ["--xla_allow_excess_precision=false", "--xla_gpu_enable_triton_gemm=false"];

describe("the environment of a plugin", () => {
  test.each(["nvidia/cu13", "nvidia/cuda_nvcc"])("names CUDA's compiler where it lies in %s", (folder) => {
    mkdirSync(join(site, folder, "nvvm"), { recursive: true });
    open("cuda");
    expect(process.env.XLA_FLAGS).toBe(`${ALL} ${CUDA} --xla_gpu_cuda_data_dir=${join(site, folder)}`);
    expect(process.env.TF_CPP_MIN_LOG_LEVEL).toBe("2");
  });

  test("does not take a folder without a compiler for CUDA's", () => {
    mkdirSync(join(site, "nvidia", "cu13"), { recursive: true });
    open("cuda");
    expect(process.env.XLA_FLAGS).toBe(`${ALL} ${CUDA}`);
  });

  test("is the user's where the user has said it", () => {
    mkdirSync(join(site, "nvidia", "cu13", "nvvm"), { recursive: true });
    vi.stubEnv("TF_CPP_MIN_LOG_LEVEL", "0");
    const mine = "--xla_gpu_cuda_data_dir=/mine --xla_allow_excess_precision=true --xla_gpu_enable_triton_gemm=true";
    vi.stubEnv("XLA_FLAGS", mine);
    open("cuda");
    expect(process.env.XLA_FLAGS).toBe(mine);
    expect(process.env.TF_CPP_MIN_LOG_LEVEL).toBe("0");
    vi.stubEnv("XLA_FLAGS", "--xla_dump_to=/dump");
    open("cuda");
    const data = `--xla_gpu_cuda_data_dir=${join(site, "nvidia", "cu13")}`;
    expect(process.env.XLA_FLAGS).toBe(`--xla_dump_to=/dump ${ALL} ${CUDA} ${data}`);
  });

  test("says nothing of CUDA to others, and threads to the CPU's alone", () => {
    mkdirSync(join(site, "nvidia", "cu13", "nvvm"), { recursive: true });
    open("rocm", 3);
    expect(process.env.NPROC).toBeUndefined();
    open("cpu", 3);
    expect(process.env.XLA_FLAGS).toBe(ALL);
    expect(process.env.NPROC).toBe("3");
  });
});

test("a worker thread does not load a plugin", async () => {
  const module = pathToFileURL(fileURLToPath(new URL("../../../src/runtime/xla/library.ts", import.meta.url))).href;
  const preload = new URL("../../../src/typescript-in-threads.js", import.meta.url).href;
  const program = `import("${preload}").then(() => import("${module}")).then(({ openLibrary }) => openLibrary("/plugin.so")).catch((error) => require("node:worker_threads").parentPort.postMessage(error.message));`;
  const worker = new Worker(program, { eval: true });
  const said = await new Promise((resolve, reject) => worker.on("message", resolve).on("error", reject));
  await worker.terminate();
  expect(said).toBe("/plugin.so: XLA devices work in a process's main thread, not in its workers");
});

// A machine without any build of ONNX Runtime: XLA devices serve it, the CPU says what to install.
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { root } from "../sources.ts";

const folder = mkdtempSync(join(tmpdir(), "stillwave-no-engine-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** Makes `require` find no package of ONNX Runtime. */
const HOOK = `
const Module = require("node:module");
const resolve = Module._resolveFilename;
Module._resolveFilename = function (name, ...rest) {
  if (/^onnxruntime-(node|web)/.test(name))
    throw Object.assign(new Error("Cannot find module '" + name + "'"), { code: "MODULE_NOT_FOUND" });
  return resolve.call(this, name, ...rest);
};`;
const SCRIPT = `
import { createRuntime, listDevices } from "${root}/src/runtime/node/index.ts";
import { environment } from "${root}/src/training/environment.ts";
const failed = (error: Error) => error.constructor.name + ": " + error.message;
const cpu = await createRuntime().then(() => "made", failed);
const nowhere = await createRuntime({ device: "xla:tpu" }).then(() => "made", failed);
console.log(JSON.stringify({ cpu, nowhere, devices: await listDevices(), recorded: environment().onnxruntime }));
`;

test("without ONNX Runtime the CPU says what to install, an XLA device what it lacks, and records say none", () => {
  const [hook, script] = [join(folder, "hook.cjs"), join(folder, "script.mts")];
  writeFileSync(hook, HOOK);
  writeFileSync(script, SCRIPT);
  const env = { ...process.env, STILLWAVE_XLA_PLUGIN: "", STILLWAVE_CACHE: folder, STILLWAVE_ENGINE: "" };
  const args = ["--require", hook, "--import", join(root, "node_modules/tsx/dist/esm/index.mjs"), script];
  const { stdout, stderr } = spawnSync(process.execPath, args, { encoding: "utf8", env, cwd: root });
  expect(stderr).toBe("");
  const found = JSON.parse(stdout) as { cpu: string; nowhere: string; devices: string[]; recorded: string };
  expect(found.cpu).toBe("StillwaveError: ONNX Runtime is not installed: npm install onnxruntime-node");
  expect(found.nowhere).toContain('device "xla:tpu" is not available: no PJRT plugin for tpu');
  expect(found.devices).not.toContain("cpu");
  expect(found.recorded).toBe("none");
});

// What was written is compared with what was meant: damaged numbers and changed configurations are found.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { differentField, writeLightning, writeModelFolder } from "../../../src/checkpoint/index.ts";
import { compareWithWritten } from "../../../src/checkpoint/write/read-back.ts";
import { InternalError, StillwaveError } from "../../../src/errors.ts";
import type { ModelConfig } from "../../../src/models/config.ts";
import { initParameters } from "../../../src/models/init.ts";
import { smallStudent } from "../students.ts";

const config = smallStudent();
const parameters = initParameters(config, { seed: 1 });
const root = mkdtempSync(join(tmpdir(), "stillwave-read-back-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

/** Turns one bit of the byte at `at`. */
function damage(path: string, at: number): void {
  const bytes = readFileSync(path);
  bytes[at] ^= 0x40;
  writeFileSync(path, bytes);
}

const failure = (promise: Promise<unknown>) =>
  promise.then(
    () => undefined,
    (error: unknown) => error as Error,
  );

test.each(["float32", "float16"] as const)("a model folder in %s", async (dtype) => {
  const folder = join(root, dtype);
  await writeModelFolder(folder, { config, parameters, dtype });
  await compareWithWritten(folder, { config, parameters, dtype });
  const weights = join(folder, "model.safetensors");
  damage(weights, readFileSync(weights).length - 1);
  const error = await failure(compareWithWritten(folder, { config, parameters, dtype }));
  expect(error).toBeInstanceOf(StillwaveError);
  expect(error!.message).toMatch(
    /"heads.1.bias" was not stored faithfully \(element 9: .* became .*\); check the disk/,
  );
});

test("another configuration", async () => {
  const folder = join(root, "config");
  await writeModelFolder(folder, { config, parameters });
  const meant: ModelConfig = { ...config, posConv: { groups: 2, kernel: 4 }, layerNormEps: 1e-6 };
  const error = await failure(compareWithWritten(folder, { config: meant, parameters, dtype: "float32" }));
  expect(error).toBeInstanceOf(InternalError);
  expect(error!.message).toContain("layerNormEps changed");
});

test("a Lightning checkpoint", async () => {
  const { checkpoint } = await writeLightning(join(root, "lightning"), { config, parameters });
  const bytes = readFileSync(checkpoint);
  const first = parameters.get("encoder.layers.0.final_layer_norm.weight")!.data;
  const at = bytes.indexOf(Buffer.from(first.buffer, first.byteOffset, first.byteLength));
  expect(at).toBeGreaterThan(0);
  damage(checkpoint, at + 2);
  const error = await failure(compareWithWritten(checkpoint, { config, parameters, dtype: "float32" }));
  expect(error!.message).toMatch(/was not stored faithfully/);
});

test("a field that only one configuration has is a difference", () => {
  expect(differentField(config, config)).toBeUndefined();
  expect(differentField(config, { ...config, channelScale: true })).toBe("channelScale");
  expect(differentField({ ...config, channelScale: true }, config)).toBe("channelScale");
});

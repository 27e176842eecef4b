// verify: exit codes and output, on a recorded case and on the same case with one number changed.
import { existsSync } from "node:fs";
import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { stillwave } from "./run.ts";

const recorded = fileURLToPath(new URL("../../../shared/oracle/checkpoints/hf_hubert_base", import.meta.url));

describe("verify", () => {
  test("a folder without a case fails", async () => {
    const { code, stderr } = await stillwave(["verify", "/nonexistent"]);
    expect(code).toBe(1);
    expect(stderr).toMatch(/^stillwave: \/nonexistent: no recorded case; expected data\.safetensors/);
  });

  test("a recorded case passes; with one value changed it fails", async (context) => {
    if (!existsSync(recorded)) {
      console.log("skipped: no recorded checkpoints beside the repository");
      return context.skip();
    }
    const passing = await stillwave(["verify", recorded]);
    expect(passing.code).toBe(0);
    expect(passing.stdout).toMatch(/hidden states +\d+ +\d\.\d+e-\d+ +\d\.\d+e-\d+ +2e-5/);
    expect(passing.stdout).toMatch(/\n1 passed, 0 failed\n$/);

    const folder = await mkdtemp(join(tmpdir(), "stillwave-verify-"));
    try {
      await cp(recorded, folder, { recursive: true });
      const path = join(folder, "expected.safetensors");
      await writeFile(path, changeHiddenState(await readFile(path)));
      const failing = await stillwave(["verify", folder, recorded]);
      expect(failing.code).toBe(1);
      expect(failing.stdout).toMatch(/: FAILED\n/);
      expect(failing.stdout).toMatch(/\n1 passed, 1 failed\n$/);
      const json = await stillwave(["verify", folder, "--json"]);
      expect(json.code).toBe(1);
      expect(JSON.parse(json.stdout)).toMatchObject({ passed: false, cases: [{ passed: false, folder }] });
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
});

/** Adds 1 to the first value of the first recorded hidden state of a safetensors file. */
function changeHiddenState(bytes: Buffer): Buffer {
  const headerBytes = Number(bytes.readBigUInt64LE(0));
  const header = JSON.parse(bytes.toString("utf8", 8, 8 + headerBytes)) as Record<
    string,
    { data_offsets: number[]; dtype: string }
  >;
  const [, entry] = Object.entries(header).find(([name]) => name.includes("hidden_states"))!;
  expect(entry.dtype).toBe("F32");
  const offset = 8 + headerBytes + entry.data_offsets[0];
  const changed = Buffer.from(bytes);
  changed.writeFloatLE(changed.readFloatLE(offset) + 1, offset);
  return changed;
}

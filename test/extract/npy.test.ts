// .npy files: read by NumPy as written, refused where they are broken.
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { encodeNpy, readNpy } from "../../src/extract/npy.ts";

let root = "";
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), "stillwave-npy-"));
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

const python = ["python3", "/usr/bin/python3"].find(
  (name) => spawnSync(name, ["-c", "import numpy"], { stdio: "ignore" }).status === 0,
);

describe("NumPy", () => {
  test.each(["float32", "float16"] as const)("NumPy reads what is written: %s", (dtype) => {
    if (!python) return console.log("skipped: no Python with numpy on this machine");
    const data = Float32Array.from({ length: 24 }, (_, i) => Math.sin(i) * 3 ** (i - 14));
    for (const shape of [[24], [2, 3, 4], [1, 24, 1], [24, 1]]) {
      const path = join(root, `${dtype}-${shape.join("x")}.npy`);
      writeFileSync(path, encodeNpy({ shape, data }, dtype));
      const script =
        "import json, sys, numpy as np\na = np.load(sys.argv[1], allow_pickle=False)\n" +
        "json.dump([list(a.shape), str(a.dtype), bool(a.flags['C_CONTIGUOUS']), a.astype(float).flatten().tolist()], sys.stdout)";
      const [read, type, rowMajor, values] = JSON.parse(
        execFileSync(python, ["-c", script, path], { encoding: "utf8" }),
      );
      expect([read, type, rowMajor]).toEqual([shape, dtype, true]);
      if (dtype === "float32") expect(Float32Array.from(values)).toEqual(data);
      else
        for (const [i, value] of values.entries())
          expect(Math.abs(value - data[i])).toBeLessThanOrEqual(Math.abs(data[i]) / 2048 + 1e-7);
    }
  });

  test("what it writes is read", async () => {
    if (!python) return console.log("skipped: no Python with numpy on this machine");
    const script =
      "import sys, numpy as np\na = np.arange(12).reshape(3, 4) / 8\n" +
      "for t in ('<f2', '<f4', '<f8'): np.save(sys.argv[1] + t[1:] + '.npy', a.astype(t))\n" +
      "np.save(sys.argv[1] + 'i.npy', a.astype('<i4')); np.save(sys.argv[1] + 'F.npy', np.asfortranarray(a))";
    execFileSync(python, ["-c", script, join(root, "numpy-")]);
    for (const type of ["f2", "f4", "f8"]) {
      const { shape, data } = await readNpy(join(root, `numpy-${type}.npy`));
      expect(shape).toEqual([3, 4]);
      expect([...data]).toEqual(Array.from({ length: 12 }, (_, i) => i / 8));
    }
    await expect(readNpy(join(root, "numpy-i.npy"))).rejects.toThrow(/numbers of type <i4/);
    await expect(readNpy(join(root, "numpy-F.npy"))).rejects.toThrow(/column-major/);
  });
});

describe("broken files", () => {
  test("any truncation or flipped byte is an error or a float array, never a crash", async () => {
    const good = encodeNpy({ shape: [3, 5], data: Float32Array.from({ length: 15 }, (_, i) => i) });
    await fc.assert(
      fc.asyncProperty(fc.nat(good.length - 1), fc.nat(255), fc.boolean(), async (at, byte, cut) => {
        const bytes = cut ? good.slice(0, at) : Uint8Array.from(good, (value, i) => (i === at ? byte : value));
        const path = join(root, "broken.npy");
        writeFileSync(path, bytes);
        try {
          const { shape, data } = await readNpy(path);
          expect(cut).toBe(false);
          expect(shape.reduce((product, dim) => product * dim, 1)).toBe(data.length);
        } catch (error) {
          expect((error as Error).message).toMatch(/broken\.npy: not a usable \.npy file/);
        }
      }),
      { numRuns: 150 },
    );
  });
});

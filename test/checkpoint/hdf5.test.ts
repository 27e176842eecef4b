// HDF5 files: read back by the HDF5 library through Python where it is installed, and byte for byte as it read them once.
import { execFileSync, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { hdf5File } from "../../src/checkpoint/formats/hdf5.ts";
import { UsageError } from "../../src/errors.ts";
import { temporaryFolder } from "../data/corpora.ts";

const thirds = { shape: [5, 2], data: Float32Array.from({ length: 10 }, (_, i) => i / 3) };

test("a file is the one that h5py 3.16 read", () => {
  const file = hdf5File("T_hat", thirds);
  expect(createHash("sha256").update(file).digest("hex").slice(0, 16)).toBe("2fcde0a092ac6ed9");
  expect(() => hdf5File("a/b", thirds)).toThrow(UsageError);
  expect(() => hdf5File("a", { ...thirds, shape: [3] })).toThrow('"a" of [3]');
});

const python = ["python3", "/usr/bin/python3"].find((name) => spawnSync(name, ["-c", "import h5py"]).status === 0);
if (!python) console.warn("skipped: no python3 that imports h5py (Debian: python3-h5py)");

test.skipIf(!python)("h5py reads what was written", () => {
  const folder = temporaryFolder();
  const script = "import h5py, json, sys; a = h5py.File(sys.argv[1])[sys.argv[2]]; print(json.dumps([list(a.shape), str(a.dtype), a[:].flatten().tolist()]))"; // biome-ignore format: one line
  const cases = [
    ["T_hat", thirds],
    ["none", { shape: [0, 2], data: new Float32Array(0) }],
    [
      "a longer name of a dataset",
      { shape: [2, 3, 4], data: Float32Array.from({ length: 24 }, (_, i) => -(2 ** (i - 60))) },
    ],
    ["big", { shape: [40_000, 2], data: new Float32Array(80_000).fill(0.25) }],
  ] as const;
  for (const [name, array] of cases) {
    const file = join(folder, "a.h5");
    writeFileSync(file, hdf5File(name, array));
    const found = JSON.parse(
      execFileSync(python ?? "", ["-c", script, file, name], { encoding: "utf8", maxBuffer: 2 ** 26 }),
    );
    expect(found).toEqual([array.shape, "float32", Array.from(array.data)]);
  }
});

// The restricted unpickler against Python's own pickler, and against pickles made to run commands.
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readPickle } from "../../../src/checkpoint/formats/pickle.ts";
import { PickleRecord, plain } from "../../../src/checkpoint/formats/pickle.types.ts";
import { loadModel } from "../../../src/checkpoint/index.ts";
import { StillwaveError } from "../../../src/errors.ts";
import { storedZip } from "./torch-fixture.ts";

const script = fileURLToPath(new URL("make_pickles.py", import.meta.url));
let python = true;
try {
  execFileSync("python3", ["--version"], { stdio: "ignore" });
} catch {
  python = false;
  console.warn("skipped: no python3");
}
const run = (...args: string[]): Record<string, never> =>
  JSON.parse(execFileSync("python3", [script, ...args], { maxBuffer: 2 ** 28 }).toString());

const unpickle = (bytes: Uint8Array): unknown =>
  readPickle((offset, length) => bytes.subarray(offset, offset + length)).value;

/** Bits of a float as Python's float.hex writes them, so that -0 and subnormals count. */
function hex(value: number): string {
  if (Number.isNaN(value)) return "nan";
  if (!Number.isFinite(value)) return value > 0 ? "inf" : "-inf";
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, value);
  const bits = view.getBigUint64(0);
  const exponent = Number((bits >> 52n) & 2047n);
  const fraction = (bits & ((1n << 52n) - 1n)).toString(16).padStart(13, "0");
  const sign = bits >> 63n ? "-" : "";
  if (value === 0) return `${sign}0x0.0p+0`;
  const power = exponent === 0 ? -1022 : exponent - 1023;
  return `${sign}0x${exponent === 0 ? 0 : 1}.${fraction}p${power < 0 ? "" : "+"}${power}`;
}

/** The value in the form that the Python script writes. Whole floats cannot be told from integers here. */
function shown(value: unknown, like: unknown): unknown {
  const list = (wanted: unknown): unknown[] => (wanted as { list?: unknown[] })?.list ?? [];
  if (typeof value === "number" && typeof (like as { float?: unknown })?.float === "string")
    return { float: hex(value) };
  if (typeof value === "bigint") return { int: String(value) };
  if (typeof value === "number" && typeof (like as { int?: unknown })?.int === "string")
    return { int: BigInt(value).toString() };
  if (value instanceof Uint8Array) return { bytes: Buffer.from(value).toString("hex") };
  if (Array.isArray(value)) return { list: value.map((item, i) => shown(item, list(like)[i])) };
  if (value instanceof Set) return { set: [...value].map((item) => JSON.stringify(item)).sort() };
  if (value instanceof Map) {
    const wanted = (like as { dict?: unknown[][] })?.dict ?? [];
    return { dict: [...value].map(([key, item], i) => [shown(key, wanted[i]?.[0]), shown(item, wanted[i]?.[1])]) };
  }
  if (value instanceof PickleRecord)
    return { record: value.type, state: shown(value.state, (like as { state?: unknown })?.state) };
  return value;
}

describe.skipIf(!python)("pickles of Python", () => {
  const cases = python ? (run() as Record<string, { value: unknown; pickles: string[] }>) : {};
  for (const [name, { value, pickles }] of Object.entries(cases))
    test(name, () => {
      pickles.forEach((pickle, protocol) => {
        const own = unpickle(Buffer.from(pickle, "base64"));
        // bytes and bytearrays of protocols 0 to 2 are built by functions; bytearrays stay records.
        if (name === "bytes" && protocol < 5) (own as unknown[]).pop();
        const wanted =
          name === "bytes" && protocol < 5 ? { list: (value as { list: unknown[] }).list.slice(0, -1) } : value;
        expect(shown(own, wanted), `protocol ${protocol}`).toEqual(wanted);
      });
    });

  test("pickles of Python keep what is shared shared, and cycles finite", () => {
    const shared = unpickle(Buffer.from(cases.shared!.pickles[2], "base64")) as [
      unknown,
      unknown,
      Map<string, unknown>,
    ];
    expect(shared[0]).toBe(shared[1]);
    expect(shared[2].get("s")).toBe(shared[0]);
    // x = []; x.append(x)
    const cyclic = unpickle(Buffer.from("\x80\x02]q\x00h\x00a.", "latin1"));
    expect((cyclic as unknown[])[0]).toBe(cyclic);
    plain(cyclic);
  });

  test("Namespaces of Python are read as plain settings", () => {
    const value = unpickle(Buffer.from(cases.namespace!.pickles[2], "base64"));
    expect(plain(value)).toEqual({ layers: 12, conv: "[(1,2,3)]", nested: { x: 1 } });
  });
});

describe.skipIf(!python)("pickles that call", () => {
  let folder = "";
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "stillwave-exploit-"));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  test("pickles that call run nothing, in no form and at no place", async () => {
    const marker = join(folder, "marker");
    const pickles = run("exploits", marker) as Record<string, string>;
    // The pickles are real: Python itself runs one.
    execFileSync("python3", [
      "-c",
      `import pickle,base64; pickle.loads(base64.b64decode("${pickles["os.system 2"]}"))`,
    ]);
    expect(existsSync(marker)).toBe(true);
    await rm(marker);
    for (const [name, base64] of Object.entries(pickles)) {
      const bytes = Buffer.from(base64, "base64");
      try {
        const value = unpickle(bytes);
        expect(value instanceof PickleRecord || value instanceof Map, name).toBe(true);
      } catch (error) {
        expect(error, name).toBeInstanceOf(StillwaveError);
      }
      const path = join(folder, "evil.pt");
      await writeFile(path, storedZip({ "x/data.pkl": bytes, "x/version": Buffer.from("3\n") }));
      await expect(loadModel(path), name).rejects.toBeInstanceOf(StillwaveError);
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(existsSync(marker)).toBe(false);
    expect(Object.keys(pickles).length).toBeGreaterThan(30);
  });
});

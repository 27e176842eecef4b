// Plugins from a package index: a good one, and every way in which one can be missing, damaged or hostile.
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import type { RequestListener } from "node:http";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { type AddEvent, addPlugin } from "../../src/devices/add.ts";
import { findWheel, indexUrl } from "../../src/devices/python-index.ts";
import { unpackWheel } from "../../src/devices/wheel.ts";
import { StillwaveError } from "../../src/errors.ts";
import { addedFolder } from "../../src/runtime/xla/find.ts";
import { temporaryFolder } from "../data/corpora.ts";
import { type FakeFile, type FakeIndex, type Offer, offering, serve, zipOf } from "./fake-index.ts";

const NAME = "lammps-jax-pjrt-cpu";
const MACHINE = process.arch === "arm64" ? "aarch64" : "x86_64";
const FILE = `lammps_jax_pjrt_cpu-0.11.2-py3-none-manylinux_2_27_${MACHINE}.whl`;
const PLUGIN = "lammps_jax_pjrt_cpu/pjrt_c_api_cpu_plugin.so";
const CONTENTS: readonly FakeFile[] = [
  { name: PLUGIN, data: "a plugin ".repeat(1000), mode: 0o755 },
  { name: "lammps_jax_pjrt_cpu/__init__.py" },
  { name: "lammps_jax_pjrt_cpu-0.11.2.data/platlib/nvidia/lib/libx.so", data: "beside it" },
  { name: "lammps_jax_pjrt_cpu-0.11.2.dist-info/METADATA", data: "Name: lammps-jax-pjrt-cpu\n" },
];
const WHEEL = zipOf(CONTENTS);
const GOOD: Offer = { filename: FILE, data: WHEEL };

let root: string;
let index: FakeIndex | undefined;

async function useIndex(answer: RequestListener): Promise<FakeIndex> {
  index = await serve(answer);
  vi.stubEnv("PIP_INDEX_URL", `${index.url}/simple`);
  return index;
}

beforeEach(() => {
  root = temporaryFolder();
  vi.stubEnv("STILLWAVE_CACHE", root);
  vi.stubEnv("STILLWAVE_XLA_PLUGIN", "");
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await index?.close();
  index = undefined;
});

const failure = (promise: Promise<unknown>) =>
  promise.then(
    () => expect.fail("it did not fail"),
    (error: unknown) => error as Error,
  );
/** What is left of a failed try: no plugin, no staging. */
const leftovers = () => (existsSync(join(root, "xla", "plugins")) ? readdirSync(join(root, "xla", "plugins")) : []);
const downloads = () => (existsSync(join(root, "xla", "downloads")) ? readdirSync(join(root, "xla", "downloads")) : []);

describe("a plugin is added", () => {
  test.each(["json", "html"] as const)("from an index that answers in %s", async (format) => {
    const { asked } = await useIndex(offering(NAME, [GOOD], format));
    const events: AddEvent[] = [];
    const plugin = await addPlugin("cpu", (event) => events.push(event));
    const folder = addedFolder("cpu");
    expect(plugin).toEqual({
      path: join(folder, PLUGIN),
      platform: "cpu",
      source: "cache",
      site: folder,
      version: "0.11.2",
    });
    expect(readFileSync(plugin.path, "utf8")).toBe("a plugin ".repeat(1000));
    expect(statSync(plugin.path).mode & 0o111).not.toBe(0);
    expect(readFileSync(join(folder, "nvidia", "lib", "libx.so"), "utf8")).toBe("beside it");
    expect(leftovers()).toEqual(["cpu"]);
    expect(downloads()).toEqual([]);
    expect(events[0]).toMatchObject({ kind: "start", bytes: format === "json" ? WHEEL.length : 0 });
    expect(events.filter(({ kind }) => kind === "bytes").at(-1)).toMatchObject({ bytes: WHEEL.length });
    expect(events.at(-1)).toMatchObject({ kind: "done", already: false });

    const before = asked.length;
    await addPlugin("cpu", (event) => events.push(event));
    expect(events.at(-1)).toMatchObject({ kind: "done", already: true });
    expect(asked).toHaveLength(before);
  });

  test("over another version, and over what a killed try left", async () => {
    await useIndex(offering(NAME, [GOOD]));
    const plugins = join(root, "xla", "plugins");
    mkdirSync(join(plugins, "cpu", "lammps_jax_pjrt_cpu-0.9.0.dist-info"), { recursive: true });
    // no process has this number
    mkdirSync(join(plugins, ".cpu.999999999.tmp"));
    await addPlugin("cpu");
    expect(leftovers()).toEqual(["cpu"]);
    expect(readdirSync(addedFolder("cpu"))).not.toContain("lammps_jax_pjrt_cpu-0.9.0.dist-info");
  });

  test("where an earlier try was cut short, from there", async () => {
    const { asked } = await useIndex(offering(NAME, [GOOD]));
    mkdirSync(join(root, "xla", "downloads"), { recursive: true });
    writeFileSync(join(root, "xla", "downloads", `${FILE}.part`), WHEEL.subarray(0, 100));
    await addPlugin("cpu");
    expect(asked).toContain(`/files/${FILE} bytes=100-`);
  });

  test("of wheels for many machines, this one's; Python's version does not matter", async () => {
    const of = (tag: string): Offer => ({ filename: `lammps_jax_pjrt_cpu-0.11.2-${tag}.whl`, data: WHEEL });
    const tags = ["py3-none-macosx_11_0_arm64", "py3-none-manylinux_2_27_riscv64", "py3-none-manylinux_9_1_x86_64"];
    const mine = of(`cp312-cp312-manylinux2014_${MACHINE}.manylinux_2_17_${MACHINE}`);
    await useIndex(offering(NAME, [...tags.map(of), mine, of("py3-none-win_amd64")]));
    expect(await findWheel(await indexUrl(), { name: NAME, version: "0.11.2" })).toMatchObject({
      filename: mine.filename,
    });
  });
});

describe("nothing is added, and what is wrong is said,", () => {
  const replaced = (changes: Partial<Offer>) => offering(NAME, [{ ...GOOD, ...changes }]);
  test.each<[string, RequestListener, RegExp]>([
    ["where the hash is another", replaced({ hash: "0".repeat(64) }), /\.whl: what arrived is damaged \(its SHA-256/],
    ["where there is no hash", replaced({ hash: null }), /gives no SHA-256 of it/],
    ["where there is no hash in HTML", offering(NAME, [{ ...GOOD, hash: null }], "html"), /gives no SHA-256 of it/],
    ["of an unknown package", offering("other", [GOOD]), /lammps-jax-pjrt-cpu: the package index has no such package/],
    [
      "without the version",
      offering(NAME, [{ ...GOOD, filename: FILE.replace("0.11.2", "0.11.20") }]),
      /0\.11\.2: .* has no wheel of it for \w+ on \w+$/,
    ],
    [
      "without a wheel for this machine",
      offering(NAME, [{ ...GOOD, filename: "lammps_jax_pjrt_cpu-0.11.2-py3-none-win_arm.whl" }]),
      /only lammps_jax_pjrt_cpu-0\.11\.2-py3-none-win_arm\.whl/,
    ],
    ["where the index fails", (_, response) => void response.writeHead(503).end(), /the package index answers 503/],
    [
      "where the index talks nonsense",
      (_, response) => void response.writeHead(200, { "content-type": "application/json" }).end("{"),
      /what the package index says cannot be read/,
    ],
    [
      "from a page of anything",
      (_, response) => void response.writeHead(200, { "content-type": "text/html" }).end("<a>hello</a>"),
      /has no wheel of it/,
    ],
    ["of a wheel without a plugin", replaced({ data: zipOf([{ name: "a/b.py" }]) }), /no plugin for cpu lies in it/],
    ["of what is no archive", replaced({ data: Buffer.from("hello".repeat(100)) }), /not a valid zip archive/],
  ])("%s", async (_, answer, message) => {
    // biome-ignore format: one line
    await useIndex(answer);
    const error = await failure(addPlugin("cpu"));
    expect(error).toBeInstanceOf(StillwaveError);
    expect(error.message).toMatch(message);
    expect(leftovers()).toEqual([]);
    expect(downloads().filter((name) => name.endsWith(".part"))).toEqual([]);
  });

  test("where it is cut short, and the next try goes on from there", async () => {
    let cut = true;
    const whole = offering(NAME, [GOOD]);
    await useIndex((request, response) => {
      if (!cut || !request.url?.startsWith("/files/")) return whole(request, response);
      response.writeHead(200, { "content-length": WHEEL.length });
      response.write(WHEEL.subarray(0, 50));
      setTimeout(() => response.destroy(), 200);
    });
    const error = await failure(addPlugin("cpu"));
    expect(error).toBeInstanceOf(StillwaveError);
    expect(error.message).toMatch(/try again, which goes on from there/);
    expect(leftovers()).toEqual([]);
    cut = false;
    await addPlugin("cpu");
    expect(index?.asked.at(-1)).toBe(`/files/${FILE} bytes=50-`);
  });

  test("where the server ends early without an error", async () => {
    await useIndex(offering(NAME, [{ ...GOOD, size: WHEEL.length + 7 }]));
    expect((await failure(addPlugin("cpu"))).message).toMatch(/\d+ of \d+ bytes arrived; try again/);
  });

  test("where nobody answers", async () => {
    vi.stubEnv("PIP_INDEX_URL", "http://127.0.0.1:9/simple");
    const error = await failure(addPlugin("cpu"));
    expect(error).toBeInstanceOf(StillwaveError);
    expect(error.message).toMatch(/^127\.0\.0\.1:9 does not answer \(.+\); check the network/);
  });

  test.each(["ftp://somewhere/simple", "/a/folder", "https://", "simple"])("by the address %s", async (address) => {
    vi.stubEnv("PIP_INDEX_URL", address);
    expect((await failure(addPlugin("cpu"))).message).toContain("PIP_INDEX_URL: ");
  });

  test("without pip and without an address", async () => {
    for (const name of ["PIP_INDEX_URL", "UV_INDEX_URL", "UV_DEFAULT_INDEX"]) vi.stubEnv(name, "");
    vi.stubEnv("PATH", "/nowhere");
    expect((await failure(addPlugin("cpu"))).message).toMatch(/no Python package index is known: .* PIP_INDEX_URL/);
  });
});

describe("an archive", () => {
  test.each([
    "../outside",
    "a/../../outside",
    "/etc/outside",
    "a//b",
    "a/./b",
    "..\\outside",
    "C:/outside",
    "a.data/platlib/../outside",
  ])("with the place %s is refused", async (name) => {
    const path = join(root, "hostile.whl");
    writeFileSync(path, zipOf([{ name: "good.py" }, { name, data: "evil" }]));
    const target = join(root, "inside");
    expect((await failure(unpackWheel(path, target))).message).toContain("is no place inside a package");
    expect(readdirSync(root).sort()).toEqual(expect.arrayContaining(["hostile.whl"]));
    expect(existsSync(join(root, "outside"))).toBe(false);
  });

  test("that holds more or less than it declares is refused", async () => {
    for (const declares of [10, 10_000_000]) {
      const path = join(root, "bomb.whl");
      writeFileSync(path, zipOf([{ name: "bomb", data: Buffer.alloc(1_000_000), declares }]));
      expect((await failure(unpackWheel(path, join(root, "inside")))).message).toContain("declares");
    }
    const path = join(root, "huge.whl");
    writeFileSync(path, zipOf(Array.from({ length: 5 }, (_, i) => ({ name: `${i}`, declares: 0xfffffffe }))));
    expect((await failure(unpackWheel(path, join(root, "inside")))).message).toContain("it would unpack to");
  });

  test("that is damaged anywhere is an error of the user's kind, or unpacks", async () => {
    let run = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.nat(WHEEL.length - 1), fc.integer({ min: 0, max: 255 })), { maxLength: 8 }),
        fc.nat(WHEEL.length),
        async (changes, length) => {
          const damaged = Buffer.from(WHEEL);
          for (const [at, value] of changes) damaged[at] = value;
          const path = join(root, "damaged.whl");
          writeFileSync(path, length % 3 === 0 ? damaged.subarray(0, length) : damaged);
          const error = await unpackWheel(path, join(root, `damaged-${run++}`)).catch((caught: unknown) => caught);
          if (error !== undefined) expect(error).toBeInstanceOf(StillwaveError);
        },
      ),
      { numRuns: 150 },
    );
  });
});

test("names and passwords in an address go into a header", async () => {
  const seen: (string | undefined)[] = [];
  const answer = offering(NAME, [GOOD]);
  const { url } = await useIndex((request, response) => {
    seen.push(request.headers.authorization);
    answer(request, response);
  });
  vi.stubEnv("PIP_INDEX_URL", `${url.replace("//", "//me:p%40ss@")}/simple/`);
  await findWheel(await indexUrl(), { name: NAME, version: "0.11.2" });
  expect(seen).toEqual([`Basic ${Buffer.from("me:p@ss").toString("base64")}`]);
});

// stillwave cache: what it lists and removes, for people and for programs.
import { cpSync, existsSync, mkdirSync, readdirSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { temporaryFolder } from "../data/corpora.ts";
import { speechCorpus } from "../superb/speech.ts";
import { stillwave } from "./run.ts";

const root = temporaryFolder();
const cache = join(root, "cache");
let folder = "";

beforeAll(async () => {
  const args = ["superb", "pr", "--upstream", "fbank", "--data", speechCorpus(), "--cache", cache, "--steps", "1"];
  expect((await stillwave([...args, "--threads", "1", "--out", join(root, "run")])).code).toBe(0);
  const [name] = readdirSync(cache);
  folder = join(cache, name!);
  const old = new Date(Date.now() - 40 * 86_400_000);
  utimesSync(join(folder, "cache.json"), old, old);
});

describe("stillwave cache", () => {
  test("lists caches with size, upstream and last use, also as JSON", async () => {
    const { code, stdout } = await stillwave(["cache", "--cache", cache]);
    expect(code).toBe(0);
    expect(stdout).toMatch(
      /^cache +size +last use \(UTC\) +files +type +upstream +recordings in\n[0-9a-f]{16} .* fbank /,
    );
    expect(stdout).toMatch(/B in all\n$/);
    const json = JSON.parse((await stillwave(["cache", "list", "--cache", cache, "--json"])).stdout);
    expect(json).toMatchObject({ root: cache, caches: [{ folder, upstream: { kind: "fbank" }, users: [] }] });
    expect(json.bytes).toBe(json.caches[0].bytes);
    expect((await stillwave(["cache", "--cache", join(root, "none")])).stdout).toBe(
      `${join(root, "none")}: no caches\n`,
    );
  });

  test("prunes by age and size; a dry run only says so", async () => {
    const prune = (...args: string[]) => stillwave(["cache", "prune", "--cache", cache, ...args]);
    expect((await prune("--older-than", "50d")).stdout).toMatch(/: 0 of 1 caches removed, 0 B; .* are left\n$/);
    expect((await prune("--larger-than", "1TB")).stdout).toContain("0 of 1 caches removed");
    expect((await prune("--keep", "1GiB")).stdout).toContain("0 of 1 caches removed");
    expect((await prune("--older-than", "30d", "--dry-run")).stdout).toContain("1 of 1 caches would be removed");
    expect(existsSync(folder)).toBe(true);
    cpSync(folder, join(root, "copy"), { recursive: true });
    const json = JSON.parse((await prune("--keep", "0B", "--json")).stdout);
    expect(json).toMatchObject({ dryRun: false, removed: [{ folder }], kept: [] });
    expect(readdirSync(cache)).toEqual([]);
    mkdirSync(folder);
    cpSync(join(root, "copy"), folder, { recursive: true });
    expect((await prune("--all")).stdout).toContain("1 of 1 caches removed");
    expect(readdirSync(cache)).toEqual([]);
  });

  test("lists and prunes compiled programs with the rest", async () => {
    const programs = join(root, "other", "xla", "programs");
    mkdirSync(programs, { recursive: true });
    for (const [name, days] of [
      ["a.pjrt", 40],
      ["b.pjrt", 1],
    ] as const) {
      writeFileSync(join(programs, name), "1234");
      const used = new Date(Date.now() - days * 86_400_000);
      utimesSync(join(programs, name), used, used);
    }
    const run = (...args: string[]) => stillwave(["cache", ...args, "--cache", join(root, "other")]);
    expect((await run()).stdout).toMatch(/programs: 2 compiled programs, 8 B, last used 20\d\d-/);
    expect(JSON.parse((await run("list", "--json")).stdout)).toMatchObject({
      programFolder: programs,
      programs: [{ path: join(programs, "a.pjrt"), bytes: 4 }, { path: join(programs, "b.pjrt") }],
    });
    expect((await run("prune", "--older-than", "30d")).stdout).toMatch(
      /0 of 0 caches and 1 of 2 compiled programs removed, 4 B; 4 B are left\n$/,
    );
    expect(readdirSync(programs)).toEqual(["b.pjrt"]);
    expect((await run("prune", "--all")).stdout).toContain("and 1 of 1 compiled programs removed");
    expect(readdirSync(programs)).toEqual([]);
  });

  test.each([
    [[], /say which: --older-than, --larger-than and --keep, or --all alone/],
    [["--all", "--keep", "1GB"], /or --all alone/],
    [["--older-than", "soon"], /expected an age such as 30d, 12h or 2w/],
    [["--keep", "20 apples"], /expected a size such as 500MB or 20GB/],
  ])("prune %j is misuse", async (args, message) => {
    const { code, stderr } = await stillwave(["cache", "prune", "--cache", cache, ...args]);
    expect(stderr).toMatch(message);
    expect(code).toBe(2);
  });
});

// The command as a whole: exit codes, help, suggestions, errors for people and for programs.
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import packageJson from "../../package.json" with { type: "json" };
import { reportFailure } from "../../src/cli/failure.ts";
import { main } from "../../src/cli/main.ts";
import type { Output } from "../../src/cli/output.ts";
import { InternalError, StillwaveError, UsageError } from "../../src/errors.ts";
import { bin, command, repository, stillwave } from "./run.ts";
import { silentOutput } from "./silent-output.ts";

const badRecipe = `teacher: x
student:
  layers: 0
  dim: 96
  ffnDim: 96
  heads: 6
data: {train: {path: x}}
run: {steps: 1}
`;
const verbs = ["distill", "inspect", "maps", "verify", "convert", "extract", "export", "report", "cache"];

describe("help and version", () => {
  test("--version", async () => {
    expect(await stillwave(["--version"])).toEqual({ code: 0, stdout: `${packageJson.version}\n`, stderr: "" });
  });

  test("--help lists the verbs with an example", async () => {
    const { code, stdout, stderr } = await stillwave(["--help"]);
    expect([code, stderr]).toEqual([0, ""]);
    for (const verb of verbs) expect(stdout).toMatch(new RegExp(`^  ${verb} `, "m"));
    expect(stdout).toContain("$ stillwave distill quickstart");
  });

  test.each(verbs)("%s --help has an example", async (verb) => {
    const { code, stdout } = await stillwave([verb, "--help"]);
    expect(code).toBe(0);
    expect(stdout).toMatch(new RegExp(`Examples?:\n  \\$ stillwave ${verb} `));
  });
});

describe("--threads", () => {
  const computing: [string, ...string[]][] = [
    ["distill", "quickstart"],
    ["extract", "model", "a.wav", "--out", "x"],
    ["transcribe", "run", "a.wav"],
    ["export", "model"],
    ["verify", "case"],
    ["report", "run"],
    ["superb", "pr", "--upstream", "fbank", "--data", "x"],
  ];
  test.each(computing)("%s has the same --threads as all others, and checks it", async (...args) => {
    const verb = args.slice(0, args[0] === "superb" ? 2 : 1);
    const { stdout } = await stillwave([...verb, "--help"]);
    expect(stdout.replace(/\s+/g, " ")).toContain("--threads <n> threads inside one operation (default: all cores)");
    const { code, stderr } = await stillwave([...args, "--threads", "0"]);
    expect(stderr).toMatch(/threads/);
    expect(code).toBe(2);
    // within this process, which starts sooner
    for (const value of ["-1", "1.5", "x", "1025", ""]) {
      const said: string[] = [];
      const note = (text: string) => void said.push(text);
      expect(await main([...args, "--threads", value], { ...silentOutput, note, error: note })).toBe(2);
      expect(said.join("\n")).toMatch(/threads/);
    }
  });
});

describe("misuse ends with exit code 2", () => {
  test.each<[string[], RegExp]>([
    [[], /Usage: stillwave/],
    [["distil"], /unknown command 'distil'\n\(Did you mean distill\?\)/],
    [["inspect", "quickstart", "--secnds", "3"], /unknown option '--secnds'\n\(Did you mean --seconds\?\)/],
    [["inspect", "armhubert-960", "--seconds", "-1"], /expected a number of seconds above 0/],
    [["inspect", "armhubert-960", "--seconds", "1e9"], /seconds must be at least 0\.025 .* at most 3600/],
    [["distill"], /missing required argument 'recipe'/],
    [["distill", "a", "b"], /too many arguments/],
    [["distill", "quickstart", "--set", "student.dmi=3"], /unknown key "dmi" in student; did you mean "dim"\?/],
    [["distill", "quickstart", "--set", "student.dim=97"], /^stillwave: --set student\.dim=97: student\.dim: /],
    [["inspect", "facebook/hubert-base-ls960", "--set", "x=1"], /--set changes recipes/],
  ])("%j", async (args, message) => {
    const { code, stdout, stderr } = await stillwave(args);
    expect(stderr).toMatch(message);
    expect([code, stdout]).toEqual([2, ""]);
  });
});

describe("bad input ends with exit code 1", () => {
  let folder = "";
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "stillwave-cli-"));
    await writeFile(join(folder, "bad.yaml"), badRecipe);
    await writeFile(join(folder, "empty.safetensors"), "");
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  test.each<[string[], RegExp]>([
    [["distill", "quikstart"], /no such recipe file; did you mean "quickstart"\?/],
    [["distill", "bad.yaml"], /^stillwave: bad\.yaml:3:11 student\.layers: too small: at least 1, got 0$/m],
    [["inspect", "bad.yaml"], /^stillwave: bad\.yaml:3:11 student\.layers: too small/],
    [["inspect", "nothing-here"], /nothing-here: no such file or folder/],
    [["inspect", "armhubert-960", "--set", "teacher=me/mine"], /teacher me\/mine: not on this machine/],
    [["inspect", "empty.safetensors"], /empty\.safetensors/],
    [["inspect", "."], /^stillwave: \./],
  ])("%j", async (args, message) => {
    const { code, stdout, stderr } = await stillwave(args, { cwd: folder });
    expect(stderr).toMatch(message);
    expect(stderr).not.toMatch(/^\s+at /m);
    expect([code, stdout]).toEqual([1, ""]);
  });

  test("STILLWAVE_DEBUG=1 shows the stack", async () => {
    const { stderr } = await stillwave(["inspect", "nothing-here"], { debug: true });
    expect(stderr).toMatch(/^\s+at /m);
  });

  test("--json puts errors on stdout as JSON, too", async () => {
    const failed = await stillwave(["inspect", "nothing-here", "--json"]);
    expect(failed.code).toBe(1);
    expect(JSON.parse(failed.stdout)).toMatchObject({ error: { kind: "failed" } });
    expect(JSON.parse(failed.stdout).error.message).toMatch(/^nothing-here: /);
    const misused = await stillwave(["inspect", "--json"]);
    expect(misused.code).toBe(2);
    expect(JSON.parse(misused.stdout)).toEqual({
      error: { kind: "misused", message: "missing required argument 'recipe|model'" },
    });
  });
});

describe("from anywhere", () => {
  test("another folder, by path", async () => {
    const { code, stdout } = await stillwave(["inspect", "armhubert-s-960"], { cwd: tmpdir() });
    expect(code).toBe(0);
    expect(stdout).toContain("22,394,080 in total");
  });

  test("npx in a checkout, without the network", async (context) => {
    const npx = await command("npx", ["--offline", "stillwave", "--version"], { cwd: repository }).catch(() => null);
    if (!npx) {
      console.log("skipped: no npx on this machine");
      return context.skip();
    }
    expect([npx.code, npx.stdout.trim()]).toEqual([0, packageJson.version]);
  });

  test("a reader that goes away is no error", async () => {
    const script = `set -o pipefail; "${process.execPath}" "${bin}" inspect armhubert-960 --json | head -n 1`;
    const { code, stdout, stderr } = await command("bash", ["-c", script], { cwd: repository });
    expect([code, stdout, stderr]).toEqual([0, "{\n", ""]);
  });
});

describe("what an error is", () => {
  function reported(error: unknown): { code: number; notes: string } {
    const notes: string[] = [];
    const output: Output = {
      ...silentOutput,
      error: (text) => notes.push(text),
    };
    return { code: reportFailure(error, output, false), notes: notes.join("\n") };
  }

  test("failed, misused, ours", () => {
    expect(reported(new StillwaveError("x.yaml: bad"))).toEqual({ code: 1, notes: "stillwave: x.yaml: bad" });
    expect(reported(new UsageError("no"))).toEqual({ code: 2, notes: "stillwave: no" });
    const internal = reported(new InternalError("lost count"));
    expect(internal.code).toBe(1);
    expect(internal.notes).toMatch(/^stillwave: internal: lost count\nThis is a bug in Stillwave/);
    const unexpected = reported(new TypeError("x is not a function"));
    expect(unexpected.notes).toMatch(/internal: this error was not expected\nThis is a bug/);
  });
});

// What a person sees: colors where the terminal has them and nobody objects, and under --quiet results and errors alone.
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { wantsColors } from "../../src/log/colors.ts";
import { temporaryFolder } from "../data/corpora.ts";
import { bin, command, repository } from "./run.ts";

const ESCAPE = String.fromCharCode(27);

/** `stillwave ...args` with variables of its own, in no terminal. */
function run(args: readonly string[], variables: Record<string, string>) {
  const { NO_COLOR: _, FORCE_COLOR: __, CI: ___, ...env } = process.env;
  return command(process.execPath, [bin, ...args], { cwd: repository, env: { ...env, COLUMNS: "100", ...variables } });
}

describe("colors", () => {
  test.each<[boolean, Record<string, string>, boolean]>([
    [true, { TERM: "xterm" }, true],
    [true, {}, true],
    [false, { TERM: "xterm" }, false],
    [true, { TERM: "dumb" }, false],
    [true, { TERM: "xterm", NO_COLOR: "1" }, false],
    [true, { TERM: "xterm", NO_COLOR: "" }, true],
    [false, { FORCE_COLOR: "1" }, true],
    [false, { FORCE_COLOR: "1", TERM: "dumb" }, true],
    [true, { FORCE_COLOR: "0" }, false],
    [false, { FORCE_COLOR: "" }, false],
    [true, { FORCE_COLOR: "1", NO_COLOR: "1" }, false],
  ])("terminal %j, %j: %j", (isTTY, environment, wanted) => {
    expect(wantsColors({ isTTY }, environment)).toBe(wanted);
  });

  test("of an error, a table's head and help, where they are asked for", async () => {
    const failed = await run(["inspect", "nothing-here"], { FORCE_COLOR: "1" });
    expect(failed.stderr).toContain(`${ESCAPE}[1m${ESCAPE}[31mstillwave:${ESCAPE}[39m${ESCAPE}[22m nothing-here: `);
    const { stdout } = await run(["inspect", "armhubert-960"], { FORCE_COLOR: "1" });
    expect(stdout).toContain(`${ESCAPE}[1mblock `);
    expect((await run(["help", "report"], { FORCE_COLOR: "1" })).stdout).toContain(`${ESCAPE}[1mUsage:${ESCAPE}[22m`);
  });

  test("not where they are not, and never in JSON", async () => {
    const objections: Record<string, string>[] = [{}, { NO_COLOR: "1", FORCE_COLOR: "1" }, { FORCE_COLOR: "0" }];
    for (const variables of objections) {
      const { stdout, stderr } = await run(["inspect", "armhubert-960"], variables);
      expect(stdout + stderr).not.toContain(ESCAPE);
    }
    const failed = await run(["inspect", "nothing-here", "--json"], { FORCE_COLOR: "1" });
    expect(failed.stdout).not.toContain(ESCAPE);
    expect(JSON.parse(failed.stdout).error.message).toMatch(/^nothing-here: /);
    const { stdout } = await run(["inspect", "armhubert-960", "--json"], { FORCE_COLOR: "1" });
    expect(stdout).not.toContain(ESCAPE);
  });

  test("what a name would do to the terminal is shown, not done, with colors too", async () => {
    const { stderr } = await run(["inspect", `no${ESCAPE}[2Jthing`], { FORCE_COLOR: "1" });
    expect(stderr).toContain("no\\x1b[2Jthing");
  });
});

describe("--quiet", () => {
  const out = join(temporaryFolder(), "run");
  const tiny = [
    "--set",
    "run.steps=2",
    "--set",
    "run.validateEverySteps=2",
    "--set",
    "data.validation=null",
    "--threads",
    "1",
  ];

  test("leaves a training its results", async () => {
    const { code, stdout, stderr } = await run(["distill", "quickstart", ...tiny, "--out", out, "--quiet"], {});
    expect([code, stderr]).toEqual([0, ""]);
    expect(stdout).toMatch(/: done, 2 steps in /);
    expect(stdout).toMatch(/^report {11}.*report\.html$/m);
  });

  test("stands before the verb too, and leaves errors and JSON as they are", async () => {
    const failed = await run(["-q", "distill", "quickstart", ...tiny, "--out", out], {});
    expect([failed.code, failed.stdout]).toEqual([1, ""]);
    expect(failed.stderr).toMatch(/^stillwave: .*--resume/);
    const { code, stdout, stderr } = await run(
      ["distill", "quickstart", ...tiny, "--out", out, "--resume", "-q", "--json"],
      {},
    );
    expect([code, stderr]).toEqual([0, ""]);
    expect(
      stdout
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line).kind),
    ).toContain("done");
    expect((await run(["distil", "-q"], {})).stderr).toMatch(/unknown command 'distil'/);
  });
});

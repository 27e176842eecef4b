// Help: of every verb, before and after its name, in groups; exit codes; every environment variable that the sources read.
import type { Command } from "commander";
import ts from "typescript";
import { describe, expect, test } from "vitest";
import { ENVIRONMENT } from "../../src/cli/help/environment.ts";
import { headingOf } from "../../src/cli/help/groups.ts";
import { filled } from "../../src/cli/help/later.ts";
import { createProgram } from "../../src/cli/main.ts";
import { readSources, visitNodes } from "../sources.ts";
import { stillwave } from "./run.ts";
import { silentOutput } from "./silent-output.ts";

describe("the help of a verb", () => {
  test("is the same before and after its name, and under help", async () => {
    const after = await stillwave(["distill", "--help"]);
    expect(after.code).toBe(0);
    expect(await stillwave(["--help", "distill"])).toEqual(after);
    expect(await stillwave(["-h", "distill"])).toEqual(after);
    expect(await stillwave(["help", "distill"])).toEqual(after);
    const below = await stillwave(["superb", "make", "trials", "--help"]);
    expect(await stillwave(["help", "superb", "make", "trials"])).toEqual(below);
    expect(below.stdout).toContain("Usage: stillwave superb make trials");
    expect(await stillwave(["help"])).toEqual(await stillwave(["--help"]));
  });

  test("of none that there is", async () => {
    const { code, stdout, stderr } = await stillwave(["help", "distil"]);
    expect([code, stdout]).toEqual([2, ""]);
    expect(stderr).toMatch(/^stillwave: unknown command 'distil'; did you mean "distill"\?/);
    const below = await stillwave(["--help", "superb", "xx"]);
    expect([below.code, below.stderr]).toEqual([2, expect.stringMatching(/'superb xx'; valid: pr, asr, /)]);
  });

  test("lists its options in groups", async () => {
    const { stdout } = await stillwave(["superb", "asr", "--help"]);
    const headings = [...stdout.matchAll(/^([A-Z][a-z ]+):$/gm)].map(([, heading]) => heading);
    expect(headings).toEqual([
      ...["Arguments", "Upstream", "Hidden states", "Data", "Head", "Training", "Decoding", "Run", "Computing"],
      ...["Output", "Example"],
    ]);
    expect(stdout).toMatch(/^Training:\n {2}--lr /m);
    expect(stdout).toMatch(/^Output:\n {2}--json .*\n {2}-q, --quiet /m);
  });
});

/** The program and every verb below it. */
async function allVerbs(command: Command): Promise<Command[]> {
  await filled(command);
  const below = await Promise.all(command.commands.map(allVerbs));
  return [command, ...below.flat()];
}

test("every verb with more than six options has them in more than one group", async () => {
  const verbs = await allVerbs(createProgram(silentOutput, () => {}));
  expect(verbs.length).toBeGreaterThan(30);
  for (const verb of verbs) {
    const headings = new Set([...verb.options.map(headingOf), "Output:"]);
    if (verb.options.length > 6) expect(headings.size, verb.name()).toBeGreaterThan(2);
  }
});

describe("the help of the program", () => {
  test("tells the exit codes, and no verb the whole of it", async () => {
    const { stdout } = await stillwave(["--help"]);
    expect(stdout).toMatch(/^Exit codes:\n {2}0 {4}done\n {2}1 .*\n {2}2 .*\n {2}130 /m);
    const { stdout: verb } = await stillwave(["report", "--help"]);
    expect(verb).toContain("Exit codes and environment variables: stillwave --help");
    expect(verb).not.toContain("STILLWAVE_CACHE");
  });

  test("lists every environment variable that the sources read, and no other", async () => {
    const listed = Object.values(ENVIRONMENT).flatMap((variables) =>
      Object.keys(variables).flatMap((names) => names.split(", ")),
    );
    expect(new Set(listed).size).toBe(listed.length);
    const read = variablesOfSources();
    expect([...read].sort()).toEqual([...listed].sort());
    const { stdout } = await stillwave(["--help"]);
    for (const name of listed) expect(stdout).toMatch(new RegExp(`\\b${name}\\b`));
  });
});

/** Words in capitals of files that read the environment but are no variables. */
const OTHER_WORDS = /^(ERR_\w+|MODULE_NOT_FOUND)$/;

/**
 * Names that a file which reads the environment takes out of it, has as a property of it, or has as text (in tables of names,
 * too): NAMES_LIKE_THIS, and RANK. Files read it where they say process.env or have a parameter of type Environment.
 */
function variablesOfSources(): Set<string> {
  const found = new Set<string>();
  const add = (name: string, pattern: RegExp) => {
    if (pattern.test(name) && !OTHER_WORDS.test(name)) found.add(name);
  };
  for (const { file, text, tree } of readSources()) {
    if (file.startsWith("cli/help/") || !/process\.env\b|\bEnvironment\b/.test(text)) continue;
    visitNodes(tree, (node) => {
      if (ts.isStringLiteral(node)) add(node.text, /^([A-Z]{2}[A-Z0-9]*_\w+|RANK)$/);
      if (ts.isBindingElement(node)) add((node.propertyName ?? node.name).getText(), /^[A-Z]{2}[A-Z0-9_]*$/);
      if (ts.isPropertyAccessExpression(node) && /(^|\.)env$/.test(node.expression.getText()))
        add(node.name.text, /^[A-Z]{2}[A-Z0-9_]*$/);
    });
  }
  return found;
}

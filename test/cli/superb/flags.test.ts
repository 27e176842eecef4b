// Flags of an evaluation: every setting has one, and they say what the table says.
import { Command } from "commander";
import { expect, test } from "vitest";
import { generalFlags, givenFlags, missingFlag, ownFlags } from "../../../src/cli/superb/flags.ts";
import { childKeys } from "../../../src/recipe/shape.ts";
import { evaluationSchema } from "../../../src/superb/recipe/schema.ts";
import { TASKS } from "../../../src/superb/tasks/index.ts";

/** Values that every flag can take, by what it takes. */
const VALUES: Readonly<Record<string, string>> = {
  n: "3",
  x: "-0.5",
  norm: "0.5",
  rates: "1e-2,1e-3",
  columns: "a,b",
  names: "csv,wandb",
};

function leaves(path: readonly string[] = []): string[] {
  const keys = childKeys(evaluationSchema, path);
  return keys.length === 0 ? [path.join(".")] : keys.flatMap((key) => leaves([...path, key]));
}

function givenTo(task: keyof typeof TASKS) {
  const command = new Command(task).exitOverride();
  generalFlags(command, TASKS[task]);
  ownFlags(command, TASKS[task]);
  const words = command.options.flatMap(({ long, flags, argChoices, negate }) => {
    const value = argChoices?.[0] ?? VALUES[/<(\w+)>/.exec(flags)?.[1] ?? ""] ?? "text";
    if (negate && long === "--no-cache") return [];
    return flags.includes("<") ? [`${long}=${value}`] : [`${long}`];
  });
  command.parse(words, { from: "user" });
  return givenFlags(command);
}

test("every setting has a flag in some task, but for those of the library alone", () => {
  const given = Object.keys(TASKS).flatMap((task) => givenTo(task as keyof typeof TASKS).map(({ path }) => path.join("."))); // biome-ignore format: one line
  const without = leaves().filter((path) => !given.includes(path));
  expect(without).toEqual([
    "task",
    "data.most.train",
    "data.most.dev",
    "data.most.test",
    "decoding.tokenBeam",
    "decoding.threshold",
    "features.workers",
    "run.tags",
  ]);
});

test("flags give values of the table's types", () => {
  const settings: Record<string, unknown> = { task: "asr" };
  for (const { path, value } of givenTo("asr")) {
    const [last = ""] = path.slice(-1);
    const parent = path.slice(0, -1).reduce((node, key) => {
      node[key] ??= {};
      return node[key] as Record<string, unknown>;
    }, settings);
    parent[last] = value;
  }
  const parsed = evaluationSchema.safeParse(settings);
  expect(parsed.error?.issues ?? []).toEqual([]);
  expect(parsed.data).toMatchObject({
    training: { learningRates: [1e-2, 1e-3], specAugment: false, clip: 0.5, steps: 3 },
    head: { normalizeStates: true, hidden: 3 },
    data: { splits: { train: ["text"] } },
    decoding: { lmWeight: -0.5 },
  });
});

test("defaults are not what somebody typed", () => {
  const command = new Command();
  generalFlags(command, TASKS.pr);
  command.parse(["--no-cache", "--lr", "sweep"], { from: "user" });
  expect(givenFlags(command).map(({ path, value }) => [path.join("."), value])).toEqual([
    ["training.learningRates", "sweep"],
    ["features.cache", null],
  ]);
});

test("upstream and corpus are needed, from anywhere", () => {
  const flag = { path: ["upstream", "model"], value: "fbank", by: "upstream", isFlag: true };
  expect(missingFlag([], [])).toBe("--upstream <model>");
  expect(missingFlag([flag], [])).toBe("--data <dir>");
  expect(missingFlag([flag], ["data.root=speech"])).toBeUndefined();
  expect(missingFlag([flag], ["data={root: speech}"])).toBeUndefined();
});

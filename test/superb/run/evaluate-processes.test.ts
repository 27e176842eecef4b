// An evaluation by two processes: both extract, the first trains and tests; head, predictions and cache are those of one.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { type EvaluateEvent, evaluate } from "../../../src/library/evaluate.ts";
import { temporaryFolder } from "../../data/corpora.ts";
import { leave, meet } from "../../processes/meet.ts";
import { started } from "../../processes/started.ts";
import { speechCorpus } from "../speech.ts";
import { evaluationsIn } from "./evaluations.ts";

const SCRIPT = fileURLToPath(new URL("./child-part.ts", import.meta.url));
const root = temporaryFolder();
const { folder, optionsFor } = evaluationsIn(root, speechCorpus());

/** Every file below a folder whose name fits, by its path. */
const bytesIn = (path: string, names: RegExp) =>
  Object.fromEntries(
    readdirSync(path, { recursive: true, encoding: "utf8" })
      .filter((name) => names.test(name))
      .map((name) => [name, readFileSync(join(path, name)).toString("base64")]),
  );

test("two processes extract what one would, and the first makes the same of it", { timeout: 480_000 }, async () => {
  const runs: { readonly out: string; readonly cache: string }[] = [];
  for (const processes of [1, 2]) {
    const [out, cache] = [folder(), join(root, `cache of ${processes}`)];
    const options = optionsFor(out, { features: { cache } });
    const ends = await started(SCRIPT, [JSON.stringify(options)], { processes });
    expect(ends.map(({ code, output }) => (code === 0 ? 0 : output))).toEqual(ends.map(() => 0));
    expect(ends[0].output).toMatch(/^done$/m);
    for (const { output } of ends.slice(1)) {
      expect(output).toMatch(/^helped with [1-9]\d*$/m);
      expect(output).not.toContain("training");
    }
    runs.push({ out, cache });
  }
  const [one, two] = runs;
  expect(bytesIn(two.cache, /shard-/)).toEqual(bytesIn(one.cache, /shard-/));
  for (const made of ["head", "predictions"])
    expect(bytesIn(join(two.out, made), /safetensors|jsonl/)).toEqual(
      bytesIn(join(one.out, made), /safetensors|jsonl/),
    );
});

test("without a cache the others have nothing to do", async () => {
  const groups = await meet(2);
  const options = optionsFor(folder(), { features: { cache: null } });
  const events: EvaluateEvent[] = [];
  for await (const event of evaluate(options, groups[1])) events.push(event);
  expect(events).toEqual([{ kind: "helped", files: 0, interrupted: false }]);
  await leave(groups);
});

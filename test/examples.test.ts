// The examples, run as a newcomer runs them: short enough to read at once, and they print what they promise.
import { execFile } from "node:child_process";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

const root = fileURLToPath(new URL("..", import.meta.url));
const names = (await readdir(join(root, "examples"))).filter((name) => name.endsWith(".ts")).sort();

/** What each prints, at least. */
const PRINTED: Readonly<Record<string, RegExp>> = {
  "01-gradient.ts": /update 0: loss [1-9].*\n[\s\S]*update 1000: loss 0\.00/,
  "02-extract.ts": /6 layers\nstate 0: \[1,93,192\][\s\S]*state 6: \[1,93,192\][\s\S]*attention map of layer 5/,
  "03-distil.ts": /\n20 1\.\d+[\s\S]*7 hidden states of 1,49,96/,
  "04-evaluate.ts": /hubert-small-libri: PER [0-9.]+ \([0-9.]+ to [0-9.]+\)[\s\S]*\nfbank: PER/,
  "05-export.ts": /MB, outputs hidden_states\.0[\s\S]*one second gives 49 frames of 192 values/,
};

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "stillwave-examples-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe("examples", () => {
  test("there is one for each promise", () => expect(names).toEqual(Object.keys(PRINTED)));

  test.each(names)("%s runs, and is under 40 lines", { timeout: 300_000 }, async (name) => {
    const path = join(root, "examples", name);
    const env = {
      ...process.env,
      TSX_TSCONFIG_PATH: join(root, "tsconfig.json"),
      XDG_CACHE_HOME: join(folder, "cache"),
    };
    const tsx = ["--import", new URL("../node_modules/tsx/dist/esm/index.mjs", import.meta.url).href, path];
    const { stdout } = await promisify(execFile)(process.execPath, tsx, { cwd: folder, env });
    expect(stdout).toMatch(PRINTED[name]);
    expect((await readFile(path, "utf8")).split("\n").length - 1).toBeLessThan(40);
  });

  test("README shows the distillation word for word", async () => {
    const example = await readFile(join(root, "examples/03-distil.ts"), "utf8");
    expect(await readFile(join(root, "README.md"), "utf8")).toContain(`\`\`\`ts\n${example}\`\`\`\n`);
  });
});

// extract as a process: files, events, and Ctrl-C, after which the same command goes on.
import { spawn } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readNpy } from "../../src/extract/npy.ts";
import { bin, type Ended, repository, stillwave } from "./run.ts";

let root = "";
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), "stillwave-cli-extract-"));
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

const speech = "examples/speech/dev";
const model = "examples/hubert-small-libri";
const files = (folder: string) =>
  (readdirSync(folder, { recursive: true, encoding: "utf8" }) as string[])
    .filter((name) => name.endsWith(".npy"))
    .sort();
const lines = (folder: string) =>
  readFileSync(join(folder, "manifest.jsonl"), "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));

/** Runs the command and sends `signal` when so many JSON events of files have come. */
function interrupted(args: readonly string[], afterFiles: number): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [bin, ...args], { cwd: repository, stdio: ["ignore", "pipe", "pipe"] });
    let [stdout, stderr] = ["", ""];
    let sent = false;
    child.stdout.on("data", (chunk) => {
      stdout += chunk;
      if (!sent && (stdout.match(/"kind":"file"/g)?.length ?? 0) >= afterFiles) sent = child.kill("SIGINT");
    });
    child.stderr.on("data", (chunk) => {
      stderr += chunk;
    });
    child.on("error", reject);
    child.on("close", (code) => resolve({ code, stdout, stderr }));
  });
}

describe("extract", () => {
  test("Ctrl-C loses nothing; the same command goes on to the same files", async () => {
    const [whole, cut] = [join(root, "whole"), join(root, "cut")];
    const args = (out: string) => [
      "extract",
      model,
      speech,
      "--out",
      out,
      "--layers",
      "0,6",
      "--batch-seconds",
      "20",
      "--json",
    ];
    const first = await stillwave(args(whole));
    expect([first.code, first.stderr]).toEqual([0, ""]);
    const events = first.stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    const total = files(whole).length;
    expect(total).toBeGreaterThan(10);
    expect(events.filter(({ kind }) => kind === "file")).toHaveLength(total);
    expect(events.at(-1)).toMatchObject({ kind: "done", written: total, skipped: 0, badFiles: [] });

    const ended = await interrupted(args(cut), 2);
    expect([ended.code, ended.stderr]).toEqual([130, expect.stringMatching(/stopping after this batch/)]);
    const written = files(cut).length;
    expect(written).toBeGreaterThanOrEqual(2);
    expect(written).toBeLessThan(total);
    expect(lines(cut).map(({ file }) => file)).toEqual(files(cut));

    const again = await stillwave(["extract", model, speech, "--out", cut, "--layers", "0,6", "--batch-seconds", "20"]);
    expect(again.code).toBe(0);
    expect(again.stdout).toBe(`${cut}: ${total - written} files written, ${written} were there\n`);
    expect(again.stderr).toMatch(
      new RegExp(`${total} utterances, .*; ${written} are done, ${total - written} are left`),
    );
    expect(again.stderr).toMatch(/extract: file \d+\/\d+ .*audio\/s/);
    expect(files(cut)).toEqual(files(whole));
    for (const file of files(whole))
      expect(readFileSync(join(cut, file)).equals(readFileSync(join(whole, file)))).toBe(true);
    const otherwise = await stillwave([
      "extract",
      model,
      speech,
      "--out",
      cut,
      "--layers",
      "6",
      "--batch-seconds",
      "20",
    ]);
    expect([otherwise.code, otherwise.stdout]).toEqual([2, ""]);
    expect(otherwise.stderr).toMatch(/layers 0,6 \(now 6\); give another folder, or --force/);
    const { shape } = await readNpy(join(whole, files(whole)[0]));
    expect(shape).toEqual([2, lines(whole)[0].frames, 192]);
  });

  test("a bad file: the message names the flag, which helps", async () => {
    const [bad, out] = [join(root, "bad.wav"), join(root, "skipped")];
    writeFileSync(bad, "not audio");
    const args = ["extract", model, `${speech}/121/123852/121-123852-0001.flac`, bad, "--out", out];
    const { code, stderr } = await stillwave(args);
    expect([code, stderr]).toEqual([1, expect.stringMatching(/1 of 2 audio files .*go on .*--on-bad-file skip\n/)]);
    expect(stderr).not.toContain("onBadFile");
    expect((await stillwave([...args, "--on-bad-file", "skip"])).code).toBe(0);
    expect(files(out)).toEqual(["121-123852-0001.npy"]);
  });
});

// Progress: the formatting is exact, a terminal is left as it was found, a broken pipe does no harm.
import { spawnSync } from "node:child_process";
import { EventEmitter } from "node:events";
import { fileURLToPath } from "node:url";
import { describe, expect, test, vi } from "vitest";
import {
  formatBar,
  formatBytes,
  formatDuration,
  formatNumber,
  formatPlainLine,
  formatTerminalLine,
} from "../../src/log/format.ts";
import { type ProgressOptions, startProgress } from "../../src/log/progress.ts";

describe("formatting", () => {
  test.each([
    [0, "0:00"],
    [59.4, "0:59"],
    [59.6, "1:00"],
    [3599, "59:59"],
    [3661, "1:01:01"],
    [86400 * 2 + 3 * 3600 + 240, "2d 03:04"],
    [Number.NaN, "--:--"],
    [Number.POSITIVE_INFINITY, "--:--"],
    [-1, "--:--"],
  ])("duration %d is %s", (seconds, text) => expect(formatDuration(seconds)).toBe(text));

  test.each([
    [0, "0.0000"],
    [0.42131, "0.4213"],
    [12.345, "12.35"],
    [-123.45, "-123.5"],
    [4999.6, "5000"],
    [5e-7, "5.000e-7"],
    [1.5e9, "1.500e+9"],
    [Number.NaN, "NaN"],
    [Number.NEGATIVE_INFINITY, "-Infinity"],
  ])("number %d is %s", (value, text) => expect(formatNumber(value)).toBe(text));

  test.each([
    [0, "0 B"],
    [999, "999 B"],
    [1234, "1.2 kB"],
    [999_600, "1.0 MB"],
    [25_400_000, "25 MB"],
    [3.4e9, "3.4 GB"],
    [5e15, "5000 TB"],
  ])("%d bytes are %s", (bytes, text) => expect(formatBytes(bytes)).toBe(text));

  test("bars always have their width and never run over", () => {
    expect(formatBar(0, 4)).toBe("────");
    expect(formatBar(0.5, 4)).toBe("━━──");
    expect(formatBar(0.63, 4)).toBe("━━╸─");
    expect(formatBar(1, 4)).toBe("━━━━");
    for (const odd of [-1, 7, Number.NaN, Number.POSITIVE_INFINITY]) expect(formatBar(odd, 9)).toHaveLength(9);
  });

  const state = { done: 120, total: 200, seconds: 48, startedAt: 80, loss: 0.42131 };
  test("a log line counts the rate from the resume on", () => {
    expect(formatPlainLine("distill", state)).toBe(
      "distill: step 120/200 (60 %), loss 0.4213, 1.200 s/step, 1:36 left",
    );
    expect(formatPlainLine("read", { done: 30, seconds: 2, unit: "file" })).toBe("read: file 30, 15.00 files/s");
    expect(formatPlainLine("distill", { done: 0, total: 5, seconds: 0 })).toBe("distill: step 0/5 (0 %)");
  });

  test("a terminal line never reaches the last column, and says less where there is less room", () => {
    expect(formatTerminalLine("distill", state, 80)).toBe(
      "distill ━━━━━━━━━━━━━━╸───────── 120/200 · loss 0.4213 · 1.200 s/step · 1:36 left".replace(
        /━+╸?─+/u,
        formatBar(0.6, 22),
      ),
    );
    for (let columns = 1; columns < 120; columns++)
      expect(formatTerminalLine("distill", state, columns).length).toBeLessThan(Math.max(columns, 1));
    expect(formatTerminalLine("distill", state, 30)).toContain("120/200");
  });

  test("control characters of a label do not reach the terminal", () => {
    expect(formatTerminalLine("a\x1b[2Jb\n", state, 80)).toMatch(/^a\\x1b\[2Jb\\n /);
  });
});

function record(change: Partial<ProgressOptions> & { isTTY?: boolean } = {}) {
  let clock = 0;
  const [err, out]: [string[], string[]] = [[], []];
  const progress = startProgress({
    label: "distill",
    total: 100,
    now: () => clock,
    stderr: { isTTY: change.isTTY, columns: 80, write: (text) => err.push(text) },
    stdout: { write: (text) => out.push(text) },
    ...change,
  });
  return { progress, err, out, wait: (seconds: number) => (clock += seconds) };
}

describe("reporting", () => {
  test("in a log: a line at the start, every ten seconds, and at the end", () => {
    const { progress, err, out, wait } = record();
    for (let step = 1; step <= 100; step++) {
      wait(0.25);
      progress.update(step, { loss: 1 / step });
    }
    progress.finish();
    progress.finish();
    expect(err.map((line) => /step (\d+)/.exec(line)![1])).toEqual(["1", "41", "81", "100"]);
    expect(err.every((line) => line.endsWith("\n") && !line.includes("\x1b"))).toBe(true);
    expect(out).toEqual([]);
  });

  test("on a terminal: one line redrawn at most ten times a second, notes above it, the cursor given back", () => {
    const interrupts = process.listenerCount("SIGINT");
    const { progress, err, wait } = record({ isTTY: true });
    for (let step = 1; step <= 90; step++) {
      wait(0.01);
      progress.update(step);
    }
    progress.note("validation loss 0.5");
    progress.finish();
    const all = err.join("");
    expect(err[0]).toBe("\x1b[?25l");
    expect(err.at(-1)).toBe("\x1b[?25h");
    expect(all.split("\x1b[2Kdistill").length - 1).toBeLessThanOrEqual(12);
    expect(all).toContain("\x1b[2Kvalidation loss 0.5\n");
    expect(all.split("\n")).toHaveLength(3);
    expect(process.listenerCount("SIGINT")).toBe(interrupts);
  });

  test("in JSON mode stdout has nothing but JSON lines, one an update, and stderr has nothing", () => {
    const { progress, err, out } = record({ json: true });
    progress.update(1, { loss: Number.NaN });
    progress.update(2, { json: { kind: "train", step: 2 } });
    progress.note("saved", { checkpoint: "last" });
    progress.finish();
    expect(err).toEqual([]);
    expect(out.map((line) => JSON.parse(line))).toEqual([
      { label: "distill", done: 1, total: 100, seconds: 0, loss: "NaN" },
      { kind: "train", step: 2 },
      { checkpoint: "last" },
    ]);
    expect(out.every((line) => line.indexOf("\n") === line.length - 1)).toBe(true);
  });

  test("quiet is quiet, and a stream that throws is left alone", () => {
    const { progress, err } = record({ quiet: true, isTTY: true });
    progress.update(1);
    progress.note("x");
    progress.finish();
    expect(err).toEqual([]);
    let writes = 0;
    const broken = startProgress({
      label: "x",
      stderr: {
        write() {
          writes++;
          throw new Error("EPIPE");
        },
      },
    });
    broken.update(1);
    broken.note("y");
    broken.finish();
    expect(writes).toBe(1);
  });

  const root = fileURLToPath(new URL("../..", import.meta.url));
  const source = JSON.stringify(new URL("../../src/log/progress.ts", import.meta.url).href);
  const inProcess = (body: string) => `import(${source}).then(async ({ startProgress }) => { ${body} })`;

  test("a pipe closed by its reader does not end the process", () => {
    const program = inProcess(`const progress = startProgress({ label: "x", json: true });
      for (let i = 0; i < 3000; i++) { progress.update(i); if (i % 100 === 0) await new Promise((r) => setTimeout(r, 1)); }
      progress.finish();
      require("node:fs").writeSync(2, "survived");`);
    const quoted = `'${program.replaceAll("'", "'\\''")}'`;
    const command = `"${process.execPath}" --import tsx -e ${quoted} | head -n 1`;
    const { stderr } = spawnSync("sh", ["-c", command], { encoding: "utf8", cwd: root });
    expect(stderr).toBe("survived");
  });

  test.each([
    ["a signal that nobody handles still ends the process", "", "SIGINT", "\x1b[?25l\x1b[?25h"],
    [
      "a signal that somebody handles is theirs",
      `process.once("SIGINT", async () => { await null; require("node:fs").writeSync(2, "saved"); process.exit(3); });`,
      3,
      "\x1b[?25l\x1b[?25hsaved",
    ],
  ])("Ctrl-C gives the cursor back; %s", (_, handler, end, written) => {
    const program = inProcess(`const stderr = { isTTY: true, write: (text) => require("node:fs").writeSync(2, text) };
      ${handler}
      startProgress({ label: "x", stderr });
      process.kill(process.pid, "SIGINT");
      await new Promise((r) => setTimeout(r, 10_000));`);
    const run = spawnSync(process.execPath, ["--import", "tsx", "-e", program], { encoding: "utf8", cwd: root });
    expect(run.signal ?? run.status).toBe(end);
    expect(run.stderr).toBe(written);
  });

  test("many pieces of work on one stream share one listener, which goes when the last is done", async () => {
    const stream = new EventEmitter();
    const stderr = Object.assign(stream, { write: () => true });
    const work = Array.from({ length: 30 }, () => startProgress({ label: "x", stderr }));
    expect(stream.listenerCount("error")).toBe(1);
    for (const progress of work) progress.finish();
    expect(() => stream.emit("error", new Error("EPIPE"))).not.toThrow();
    await vi.waitFor(() => expect(stream.listenerCount("error")).toBe(0));
  });
});

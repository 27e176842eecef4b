// Refusals of the file system in a user's words, met for real: full and read-only file systems, /proc, permissions, names.
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { StillwaveError } from "../src/errors.ts";
import { diskError, isDiskFull, makeFolder, unexpectedDiskError, writeFileAtomic } from "../src/files.ts";

let root: string;
/** A file system of 256 KiB, where one may be mounted. */
let small: string | undefined;
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), "stillwave-files-"));
  const place = join(root, "small");
  mkdirSync(place);
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=256k", "tmpfs", place], { stdio: "ignore" });
    small = place;
  } catch {
    // not root: the tests that need it skip themselves
  }
});
afterAll(() => {
  if (small) execFileSync("umount", [small]);
  rmSync(root, { recursive: true, force: true });
});

const refusal = (code: string, more: object = {}) =>
  Object.assign(new Error(`${code}: what the system says`), { code, syscall: "write", ...more });

describe("refusals in a user's words", () => {
  test.each([
    ["ENOSPC", "run: no room is left on its disk (ENOSPC); make room on the disk or write elsewhere and go on"],
    ["EDQUOT", "run: the disk quota is used up (EDQUOT); make room on the disk or write elsewhere and go on"],
    ["EROFS", "run: its file system is read-only (EROFS); write elsewhere and go on"],
    ["EACCES", "run: permission denied (EACCES); change its permissions or use another place and go on"],
    [
      "EMFILE",
      "run: this process has too many open files (EMFILE); raise the limit (ulimit -n) and try again and go on",
    ],
    ["ENFILE", "run: this machine has too many open files (ENFILE); close some programs and try again and go on"],
    ["EIO", "run: its disk reports an error (EIO); check the disk, or use another and go on"],
    [
      "ENAMETOOLONG",
      "run: its name is too long for the file system (ENAMETOOLONG); use a shorter name or path and go on",
    ],
    ["ESTALE", "run: what the system says (ESTALE); see that it can be written and go on"],
  ])("%s", (code, message) => {
    const error = refusal(code);
    expect(diskError(error, "run", " and go on")).toMatchObject({ name: "StillwaveError", message, cause: error });
    expect(isDiskFull(error)).toBe(code === "ENOSPC" || code === "EDQUOT");
    const met = unexpectedDiskError(refusal(code, { path: "/a/b" })) as Error;
    expect(met instanceof StillwaveError).toBe(code !== "ESTALE");
    if (code !== "ESTALE") expect(met.message).toMatch(/^\/a\/b: /);
  });

  test("other errors stay what they are", () => {
    for (const other of [new Error("bug"), new StillwaveError("known"), "text", undefined, new TypeError("x")]) {
      expect(diskError(other, "run")).toBe(other);
      expect(unexpectedDiskError(other)).toBe(other);
    }
    expect(isDiskFull(new StillwaveError("x", { cause: refusal("ENOSPC") }))).toBe(true);
  });
});

describe("atomic writes", () => {
  test("a disk that fills up is the user's error with the path, the old file stays, and nothing is left behind", async (context) => {
    if (!small) return context.skip();
    const path = join(small, "report.html");
    await writeFileAtomic(path, "old");
    const much = [new Uint8Array(100_000), new Uint8Array(100_000), new Uint8Array(100_000)];
    const writing = writeFileAtomic(path, much);
    await expect(writing).rejects.toThrow(`${path}: no room is left on its disk (ENOSPC)`);
    await expect(writing).rejects.toThrow(StillwaveError);
    expect(readFileSync(path, "utf8")).toBe("old");
    expect(readdirSync(small)).toEqual(["report.html"]);
  });

  test("a read-only file system is named as such, for files and for folders below it", async (context) => {
    if (!small) return context.skip();
    execFileSync("mount", ["-o", "remount,ro", small]);
    try {
      await expect(writeFileAtomic(join(small, "x"), "")).rejects.toThrow("x: its file system is read-only (EROFS)");
      await expect(makeFolder(join(small, "a/b"))).rejects.toThrow(`${join(small, "a")}: its file system is read-only`);
    } finally {
      execFileSync("mount", ["-o", "remount,rw", small]);
    }
  });

  test("names may be as long as the file system allows, and longer ones are named", async () => {
    for (const name of ["x".repeat(255), "ä".repeat(127), "日".repeat(85), "🎵".repeat(63)]) {
      await writeFileAtomic(join(root, name), "text");
      expect(readFileSync(join(root, name), "utf8")).toBe("text");
    }
    await expect(writeFileAtomic(join(root, "x".repeat(256)), "")).rejects.toThrow(
      "(ENAMETOOLONG); use a shorter name",
    );
    await expect(makeFolder(join(root, "x".repeat(256), "y"))).rejects.toThrow("its name is too long");
  });

  test("a file in the way of a folder, a folder in the way of a file, and a circle of links are named", async () => {
    writeFileSync(join(root, "file"), "");
    await expect(makeFolder(join(root, "file"))).rejects.toThrow(
      `${join(root, "file")}: a file, where a folder is needed`,
    );
    await expect(writeFileAtomic(join(root, "file/a/b"), "")).rejects.toThrow("a file stands where a folder is needed");
    mkdirSync(join(root, "folder/inside"), { recursive: true });
    await expect(writeFileAtomic(join(root, "folder"), "")).rejects.toThrow("a folder stands where a file is needed");
    symlinkSync("round", join(root, "round"));
    await expect(makeFolder(join(root, "round/x"))).rejects.toThrow("symbolic links lead round in a circle");
    symlinkSync("nowhere", join(root, "dangling"));
    await expect(makeFolder(join(root, "dangling"))).rejects.toThrow(StillwaveError);
  });

  test("what fails while the content is made is not put down to the file", async () => {
    const failing = (async function* () {
      yield new Uint8Array(3);
      throw refusal("EIO", { path: "/the/source" });
    })();
    await expect(writeFileAtomic(join(root, "target"), failing)).rejects.toThrow("EIO: what the system says");
  });
});

describe("folders", () => {
  test("a folder is made with those above it, also by two at once, and the first that was made is told", async () => {
    const path = join(root, "a/b/c");
    const made = await Promise.all([makeFolder(path), makeFolder(path), makeFolder(join(root, "a/b/d"))]);
    expect(made[0]).toBe(join(root, "a"));
    expect(await makeFolder(path)).toBeUndefined();
  });

  test.skipIf(process.platform !== "linux")("a folder below /proc is refused at once", async () => {
    await expect(makeFolder("/proc/stillwave/features")).rejects.toThrow("/proc/stillwave: ");
    await expect(makeFolder("/proc/self/stillwave")).rejects.toThrow(StillwaveError);
  });
});

// Failures of the file system in a user's words.
import { expect, test } from "vitest";
import { StillwaveError } from "../src/errors.ts";
import { explainDiskError } from "../src/files.ts";

test("failures of the file system say how to go on, others stay what they are", () => {
  const full = Object.assign(new Error("ENOSPC: no space left"), { code: "ENOSPC", syscall: "write" });
  expect(explainDiskError(full, "run", "see that it can be written", " and go on")).toMatchObject({
    name: "StillwaveError",
    message: "run: ENOSPC: no space left; make room on the disk and go on",
    cause: full,
  });
  const denied = Object.assign(new Error("EACCES: permission denied"), { code: "EACCES", syscall: "open" });
  expect(explainDiskError(denied, "run", "see that it can be written")).toMatchObject({
    message: /; see that it can be written$/,
  });
  for (const other of [new Error("bug"), new StillwaveError("known"), "text", undefined])
    expect(explainDiskError(other, "run", "see")).toBe(other);
});

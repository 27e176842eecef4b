// A Python that has torch, for files written by the original program.
import { execFileSync } from "node:child_process";

/** Its command; undefined, with the reason printed, where there is none. */
export function pythonWithTorch(): string | undefined {
  for (const python of ["python3", "/usr/bin/python3"])
    try {
      execFileSync(python, ["-c", "import torch"], { stdio: "ignore" });
      return python;
    } catch {}
  console.warn("skipped: no python3 with torch (Debian: python3-torch)");
  return undefined;
}

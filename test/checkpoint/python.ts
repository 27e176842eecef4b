// A Python that has torch, for files written by the original program.
import { hasModules } from "../superb/torch.ts";

/** Its command; undefined, with the reason printed, where there is none. */
export function pythonWithTorch(): string | undefined {
  for (const python of ["python3", "/usr/bin/python3"]) if (hasModules(python, ["torch"])) return python;
  console.warn("skipped: no python3 with torch (Debian: python3-torch)");
  return undefined;
}

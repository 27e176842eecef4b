// An output that keeps nothing: tests put their own functions over it.
import type { Output } from "../../src/cli/output.ts";

export const silentOutput: Output = {
  print() {},
  note() {},
  error() {},
  quieten() {},
  json() {},
  jsonLine() {},
  flush: async () => {},
};

// The op table through XLA's CPU plugin, where one is at hand.
import { PjrtClient, PjrtPlugin, xlaExecutable } from "../../src/runtime/xla/index.ts";
import { runOpCases } from "./op-conformance.ts";
const path = process.env.STILLWAVE_PJRT_CPU!;
runOpCases("XLA, cpu", async () => {
  const client = new PjrtClient(new PjrtPlugin(path));
  return { device: "xla", version: client.platformVersion, compile: async (graph) => xlaExecutable(client, graph) } as never;
});

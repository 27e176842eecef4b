// The PJRT plugin that tests of XLA run on: the one that STILLWAVE_XLA_PLUGIN names; and clients of it.
import { describe, test } from "vitest";
import { PjrtClient } from "../../../src/runtime/xla/client.ts";
import { PjrtPlugin } from "../../../src/runtime/xla/plugin.ts";

const path = process.env.STILLWAVE_XLA_PLUGIN;

// most of the time of such tests goes into compiling, most of that into making small programs fast; the second flag is
// that of runtimes (src/runtime/xla/open.ts)
process.env.XLA_FLAGS ??= "--xla_backend_optimization_level=0 --xla_allow_excess_precision=false";
process.env.TF_CPP_MIN_LOG_LEVEL ??= "2";

/** Tests that need a plugin: skipped, with the reason, where none is named. */
export function describeWithPlugin(name: string, tests: (openClient: typeof clientOf) => void): void {
  if (!path) console.log(`${name}: not tested: no plugin is named in STILLWAVE_XLA_PLUGIN`);
  if (path) describe(name, () => tests(clientOf));
  else describe.skip(name, () => test("needs STILLWAVE_XLA_PLUGIN", () => {}));
}

let plugin: PjrtPlugin | undefined;

/** A client of so many CPU devices. */
function clientOf(devices = 1): PjrtClient {
  plugin ??= new PjrtPlugin(path ?? "");
  return new PjrtClient(plugin, { cpu_device_count: BigInt(devices) });
}

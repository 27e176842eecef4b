// The PJRT plugin that tests of XLA run on: the one that STILLWAVE_XLA_PLUGIN names; and clients of it.
import { describe, test } from "vitest";
import { PjrtClient } from "../../../src/runtime/xla/client.ts";
import { PjrtPlugin } from "../../../src/runtime/xla/plugin.ts";

const path = process.env.STILLWAVE_XLA_PLUGIN;

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

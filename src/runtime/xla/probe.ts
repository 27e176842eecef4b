// What a plugin offers, tried in a process of its own: drivers print there, and may even crash.
import { execFile } from "node:child_process";
import { createRequire } from "node:module";
import { extname } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import type { DeviceMemory } from "./device-memory.types.ts";
import type { FoundPlugin } from "./find.ts";
import { openClient } from "./open.ts";

export interface PluginFacts {
  /** As the plugin calls it. */
  readonly platform: string;
  readonly platformVersion: string;
  /** Of the PJRT interface: `0.115`. */
  readonly interface: string;
  readonly devices: readonly { readonly kind: string; readonly memory: DeviceMemory | undefined }[];
}

/** Starting a GPU takes seconds, on a busy machine many. */
const TIMEOUT_MS = 120_000;

/** Prints what `describePlugin` gives, or what is wrong, as JSON between marks. */
const PROGRAM = `
const [module, found] = process.argv.slice(1);
const tell = (said) => process.stdout.write("<said>" + JSON.stringify(said) + "</said>", () => process.exit(0));
import(module).then(({ describePlugin }) => tell({ facts: describePlugin(JSON.parse(found)) })).catch((error) => tell({ problem: error.message }));
`;

/**
 * Opens a plugin in this process and asks it.
 * @throws StillwaveError where it cannot be used
 * @public by PROGRAM
 */
export function describePlugin(found: FoundPlugin): PluginFacts {
  const client = openClient(found);
  return {
    platform: client.platform,
    platformVersion: client.platformVersion,
    interface: client.plugin.version.join("."),
    devices: client.devices.map((device) => ({ kind: client.deviceKind(device), memory: client.memory(device) })),
  };
}

/** The facts of a plugin, asked in another process; a text: what keeps it from working here. */
export function probePlugin(found: FoundPlugin): Promise<PluginFacts | string> {
  const here = fileURLToPath(import.meta.url);
  // built, this file is .js; where the sources run as they are, it is .ts
  const loader = extname(here) === ".ts" ? ["--import", pathToFileURL(createRequire(here).resolve("tsx")).href] : [];
  const args = [...loader, "-e", PROGRAM, pathToFileURL(here).href, JSON.stringify(found)];
  return new Promise((resolve) => {
    execFile(process.execPath, args, { timeout: TIMEOUT_MS }, (error, stdout) => {
      const said = /<said>([\s\S]*)<\/said>/.exec(stdout)?.[1];
      if (said !== undefined) {
        const { facts, problem } = JSON.parse(said) as { facts?: PluginFacts; problem?: string };
        return resolve(facts ?? problem ?? "it says nothing");
      }
      const { killed, signal, code } = error ?? {};
      resolve(
        killed
          ? `${found.path}: it does not answer`
          : `${found.path}: it ended the process that tried it (${signal ?? code})`,
      );
    });
  });
}

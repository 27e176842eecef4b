// stillwave devices: what computes here, what is missing, and how to add it.
import { Argument, type Command } from "commander";
import type { AddEvent } from "../devices/add.ts";
import type { DeviceReport } from "../devices/list.ts";
import { formatBytes, printable } from "../log/format.ts";
import { XLA_PLATFORMS, type XlaPlatform } from "../runtime/device.ts";
import type { Output } from "./output.ts";
import { formatTable } from "./table.ts";

interface Options {
  readonly json?: boolean;
}

export function devicesVerb(program: Command, output: Output, finish: (code: number) => void): void {
  const group = program
    .command("devices")
    .description("list what can compute here, or add a plugin for XLA devices (GPUs, TPUs, CPUs)")
    .helpCommand(false)
    .addHelpText(
      "after",
      [
        "",
        "Examples:",
        "  $ stillwave devices",
        "  $ stillwave devices add cuda",
        "  $ stillwave distill quickstart --device auto",
      ].join("\n"),
    );
  group
    .command("list", { isDefault: true })
    .description("every device: what it runs on, or what keeps it from working and what to do")
    .option("--json", "print the result as JSON")
    .action(async ({ json }: Options) => {
      const { reportDevices } = await import("../devices/list.ts");
      const reports = await reportDevices();
      if (json) output.json({ devices: reports });
      else output.print(formatDevices(reports));
      finish(0);
    });
  group
    .command("add")
    .description(
      "fetch a plugin and its libraries from Python's package index into the cache; no Python is needed to run it",
    )
    .addArgument(new Argument("<platform>", "what it is for").choices(XLA_PLATFORMS))
    .option("--json", "print what happens as JSON, one event a line")
    .addHelpText("after", "\nThe index is the one that PIP_INDEX_URL or pip's configuration names, else pip's own.")
    .action(async (platform: XlaPlatform, { json }: Options) => {
      await add(platform, json ?? false, output);
      finish(0);
    });
}

async function add(platform: XlaPlatform, json: boolean, output: Output): Promise<void> {
  const { addPlugin } = await import("../devices/add.ts");
  const { PACKAGES_OF } = await import("../devices/packages.ts");
  const { startProgress } = await import("../log/index.ts");
  let progress: ReturnType<typeof startProgress> | undefined;
  const fetched = new Map<string, number>();
  const show = (event: AddEvent) => {
    if (json && event.kind !== "bytes") return output.jsonLine(event);
    if (event.kind === "start") {
      output.note(
        `${event.wheels.length} ${event.wheels.length === 1 ? "package" : "packages"}, ${event.bytes > 0 ? `${formatBytes(event.bytes)} to fetch` : "of unknown size"}`,
      );
      if (event.bytes > 0)
        progress = startProgress({ label: "fetch", total: Math.ceil(event.bytes / 1e6), unit: "MB" });
    } else if (event.kind === "bytes") {
      fetched.set(event.wheel, event.bytes);
      progress?.update(Math.floor([...fetched.values()].reduce((sum, bytes) => sum + bytes, 0) / 1e6), {});
    } else if (event.kind === "unpack") {
      progress?.finish();
      progress = undefined;
      output.note(`unpacking ${printable(event.wheel)}`);
    } else {
      const { path, version } = event.plugin;
      output.print(
        `${printable(path)}: ${event.already ? "there already" : "added"}${version ? `, version ${version}` : ""}`,
      );
    }
  };
  try {
    await addPlugin(platform, show);
  } finally {
    progress?.finish();
  }
  const { note } = PACKAGES_OF[platform];
  if (note !== undefined) output.note(`note: ${note}`);
}

/** A table of what works, and a line on each that does not. */
function formatDevices(reports: readonly DeviceReport[]): string {
  const works = reports.filter(({ problem }) => problem === null);
  const rows = works.map(({ device, kinds, memoryBytes, precision, engine, plugin }) => [
    device,
    kinds.length > 1 ? `${kinds.length} x ${kinds[0]}` : (kinds[0] ?? ""),
    memoryBytes === null ? "" : formatBytes(memoryBytes),
    precision ?? "",
    plugin ? `PJRT ${plugin.interface}${plugin.version ? `, plugin ${plugin.version}` : ""}` : engine,
    plugin ? printable(plugin.path) : "",
  ]);
  const table = formatTable(["device", "kind", "memory", "trains in", "engine", "plugin"], rows, [0, 1, 3, 4, 5]);
  const missing = reports.flatMap(({ device, problem, remedy }) =>
    problem === null ? [] : [`${device}: ${printable(problem)}`, `  ${remedy}`],
  );
  return [table, ...(missing.length > 0 ? [["not available:", ...missing].join("\n")] : [])].join("\n\n");
}

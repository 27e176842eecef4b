// stillwave ui: the dashboard of the runs below a folder, until Ctrl-C.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { type Command, InvalidArgumentError, Option } from "commander";
import type { Output } from "../output.ts";

const PORT = 6007;

interface Options {
  readonly host: string;
  readonly port: number;
  readonly open?: boolean;
}

export function uiVerb(program: Command, output: Output, finish: (code: number) => void): void {
  program
    .command("ui")
    .description("show the runs below a folder in the browser, live")
    .argument("[folder]", "folder in which runs lie", "runs")
    .option(
      "--host <address>",
      "address to listen at; others than this machine can read the runs where it is not local",
      "127.0.0.1",
    )
    .addOption(new Option("--port <n>", "port; 0: any that is free").default(PORT).argParser(portNumber))
    .option("--open", "open the browser")
    .addHelpText("after", "\nExample:\n  $ stillwave ui runs")
    .action(async (folder: string, options: Options) => finish(await run(folder, options, output)));
}

function portNumber(text: string): number {
  const port = Number(text);
  if (!/^\d+$/.test(text) || port > 65_535) throw new InvalidArgumentError("expected 0 to 65535.");
  return port;
}

async function run(root: string, { host, port, open = false }: Options, output: Output): Promise<number> {
  const { openDashboard } = await import("../../dashboard/server.ts");
  const { runStoppable } = await import("../../training/signals.ts");
  const dashboard = await openDashboard({ root, host, port });
  output.print(dashboard.url);
  output.note("Ctrl-C ends it");
  if (open) openBrowser(dashboard.url, output);
  return runStoppable(
    () => {},
    async (signal) => {
      if (!signal.aborted) await once(signal, "abort");
      await dashboard.close();
      return true;
    },
  );
}

function openBrowser(url: string, output: Output): void {
  const [command, ...args] =
    process.platform === "darwin"
      ? ["open", url]
      : process.platform === "win32"
        ? ["cmd", "/c", "start", "", url]
        : ["xdg-open", url];
  const opened = spawn(command, args, { stdio: "ignore", detached: true });
  opened.on("error", () => output.note(`no browser was opened (${command} is not there); open ${url}`));
  opened.unref();
}

// The dashboard's server: a page, what it is made of, the list of runs as server-sent events, curves, reports. Plain node:http: six
// routes that only read need no framework, and the package stays as small as it is.
import { createReadStream } from "node:fs";
import { realpath } from "node:fs/promises";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { join, resolve, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { StillwaveError } from "../errors.ts";
import { CurveStore } from "./curves.ts";
import { writeDashboard } from "./page.ts";
import { RunWatch } from "./watch.ts";

/** Modules of the page, below the folder of all code. Nothing else of it is served. */
const MODULES: ReadonlySet<string> = new Set([
  ...["main", "chart", "table", "colours"].map((name) => `dashboard/client/${name}.js`),
  "log/format.js",
]);
const CODE = fileURLToPath(new URL("../", import.meta.url));
const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'unsafe-inline'; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'";
const MAX_SMOOTHING = 1001;
const LOOPBACK: readonly string[] = ["localhost", "127.0.0.1", "[::1]", "::1"];

export interface DashboardOptions {
  /** The folder below which runs are looked for. */
  readonly root: string;
  readonly host: string;
  /** 0: any that is free. */
  readonly port: number;
}

export interface Dashboard {
  readonly url: string;
  close(): Promise<void>;
}

/** @throws StillwaveError for a folder that is not there, or an address that cannot be had */
export async function openDashboard({ root, host, port }: DashboardOptions): Promise<Dashboard> {
  const folder = await realpath(root).catch(() => {
    throw new StillwaveError(`${root}: no such folder; give the folder in which runs lie, such as runs`);
  });
  const watch = new RunWatch(folder);
  const curves = new CurveStore();
  const isLocal = LOOPBACK.includes(host);
  const server = createServer((request, response) => {
    answer({ folder, watch, curves, isLocal }, request, response).catch((error: unknown) => {
      if (!response.headersSent) send(response, 500, "text/plain", String((error as Error).message));
      else response.destroy();
    });
  });
  const bound = await listen(server, host, port);
  return {
    url: `http://${host.includes(":") ? `[${host}]` : host}:${bound}/`,
    async close() {
      watch.close();
      const closed = new Promise((done) => server.close(done));
      server.closeAllConnections();
      await closed;
    },
  };
}

function listen(server: Server, host: string, port: number): Promise<number> {
  return new Promise((done, fail) => {
    server.once("error", (error: NodeJS.ErrnoException) =>
      fail(
        new StillwaveError(
          error.code === "EADDRINUSE"
            ? `port ${port} of ${host} is in use; give another --port, or 0 for any that is free`
            : `${host}:${port} cannot be listened at (${error.code ?? error.message}); give another --host or --port`,
        ),
      ),
    );
    server.listen(port, host, () => done((server.address() as { port: number }).port));
  });
}

interface Parts {
  readonly folder: string;
  readonly watch: RunWatch;
  readonly curves: CurveStore;
  readonly isLocal: boolean;
}

async function answer({ folder, watch, curves, isLocal }: Parts, request: IncomingMessage, response: ServerResponse) {
  const host = (request.headers.host ?? "").replace(/:\d+$/, "");
  // a page of elsewhere whose name was made to mean this machine must not read it
  if (isLocal && !LOOPBACK.includes(host)) return send(response, 403, "text/plain", "this address is not served");
  if (request.method !== "GET") return send(response, 405, "text/plain", "only GET is served");
  const { pathname, searchParams } = new URL(request.url ?? "/", "http://localhost");
  if (pathname === "/") return send(response, 200, "text/html", writeDashboard(folder));
  if (pathname === "/events") return watch.stream(response);
  if (pathname.startsWith("/code/")) {
    const name = pathname.slice("/code/".length);
    if (!MODULES.has(name)) return send(response, 404, "text/plain", "no such file");
    return sendFile(response, join(CODE, name), "text/javascript");
  }
  const run = await runFolder(folder, watch, searchParams.get("run"));
  if (run === undefined) return send(response, 404, "text/plain", "no such run or page");
  if (pathname === "/names") return sendJson(response, await curves.names(run));
  if (pathname === "/curves") {
    const window = Number(searchParams.get("smooth") ?? 0);
    const smoothing = Number.isFinite(window) ? Math.min(MAX_SMOOTHING, window) : 0;
    return sendJson(response, await curves.curves(run, searchParams.get("metric") ?? "", smoothing));
  }
  if (pathname === "/report") {
    const report = await within(folder, join(run, "report.html"));
    if (report !== undefined) return sendFile(response, report, "text/html");
  }
  return send(response, 404, "text/plain", "no such page");
}

/** The folder of a run that is in the list; what is not in it is not looked at, whatever it is called. */
async function runFolder(folder: string, watch: RunWatch, id: string | null): Promise<string | undefined> {
  if (id === null || !(await watch.current()).has(id)) return undefined;
  return within(folder, join(folder, id));
}

/** The path with links followed; undefined where it leads out of the folder, or nothing is there. */
async function within(folder: string, path: string): Promise<string | undefined> {
  const real = await realpath(resolve(path)).catch(() => undefined);
  return real === folder || real?.startsWith(folder + sep) ? real : undefined;
}

function head(response: ServerResponse, status: number, type: string, policy = POLICY): void {
  response.writeHead(status, {
    "content-type": `${type}; charset=utf-8`,
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    ...(policy !== "" && { "content-security-policy": policy }),
  });
}

function send(response: ServerResponse, status: number, type: string, text: string): void {
  head(response, status, type);
  response.end(text);
}

const sendJson = (response: ServerResponse, value: unknown): void =>
  send(response, 200, "application/json", JSON.stringify(value));

function sendFile(response: ServerResponse, path: string, type: string): void {
  const file = createReadStream(path);
  file.once("error", () => send(response, 404, "text/plain", "no such file"));
  file.once("open", () => {
    // a report brings its own policy, which forbids it to load anything
    head(response, 200, type, type === "text/html" ? "" : POLICY);
    file.pipe(response);
  });
}

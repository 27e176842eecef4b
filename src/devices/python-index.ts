// Python's package index: which one this machine uses, and where on it a package's wheel for this machine is.
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { parseHTML } from "linkedom";
import { z } from "zod";
import { StillwaveError } from "../errors.ts";
import type { PinnedPackage } from "./packages.ts";

/** A file of a package on the index. */
export interface Wheel extends PinnedPackage {
  readonly filename: string;
  readonly url: string;
  /** In hexadecimal. */
  readonly sha256: string;
  /** Undefined where the index does not say. */
  readonly bytes: number | undefined;
}

const INDEX_VARIABLES = ["PIP_INDEX_URL", "UV_DEFAULT_INDEX", "UV_INDEX_URL"] as const;
const PYTHON_TIMEOUT_MS = 10_000;
const ASK_TIMEOUT_MS = 30_000;

/** What pip would use: as it is configured, else its own default. */
const PIP_QUESTIONS = [
  ["-m", "pip", "config", "get", "global.index-url"],
  ["-c", "from pip._internal.models.index import PyPI; print(PyPI.simple_url)"],
] as const;

/**
 * The index that the environment names, or pip's own.
 * @throws StillwaveError where neither says one
 */
export async function indexUrl(): Promise<string> {
  for (const name of INDEX_VARIABLES) {
    const value = process.env[name];
    if (value) return checked(value, name);
  }
  for (const args of PIP_QUESTIONS) {
    const answer = await promisify(execFile)("python3", ["-I", ...args], { timeout: PYTHON_TIMEOUT_MS }).catch(
      () => undefined,
    );
    if (answer?.stdout.trim()) return checked(answer.stdout.trim(), "pip's index-url");
  }
  throw new StillwaveError(
    `no Python package index is known: pip is not installed here, and none is named; name one in ${INDEX_VARIABLES[0]}`,
  );
}

function checked(url: string, source: string): string {
  if (/^https?:\/\/\S+$/.test(url) && URL.canParse(url)) return url.replace(/\/+$/, "");
  throw new StillwaveError(`${source}: "${url}" is not the address of a package index (https://...)`);
}

/** fetch with the name and password of an address as it wants them. @throws StillwaveError where the host does not answer */
export async function fetchFrom(address: string, init: RequestInit = {}): Promise<Response> {
  const url = new URL(address);
  const headers = new Headers(init.headers);
  if (url.username) {
    const login = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
    headers.set("authorization", `Basic ${Buffer.from(login).toString("base64")}`);
    url.username = url.password = "";
  }
  try {
    return await fetch(url, { ...init, headers });
  } catch (error) {
    const { cause, message } = error as Error & { cause?: { code?: string; message?: string } };
    throw new StillwaveError(
      `${url.host} does not answer (${cause?.code ?? cause?.message ?? message}); check the network and try again`,
    );
  }
}

/**
 * The wheel of a package for this machine.
 * @throws StillwaveError where the index has none, or gives no hash of it
 */
export async function findWheel(index: string, wanted: PinnedPackage): Promise<Wheel> {
  const { name, version } = wanted;
  const accept = "application/vnd.pypi.simple.v1+json, text/html;q=0.1";
  const signal = AbortSignal.timeout(ASK_TIMEOUT_MS);
  const response = await fetchFrom(`${index}/${name}/`, { headers: { accept }, signal });
  if (response.status === 404) throw new StillwaveError(`${name}: the package index has no such package`);
  if (!response.ok) throw new StillwaveError(`${name}: the package index answers ${response.status}; try again`);
  const text = await response.text();
  const isJson = response.headers.get("content-type")?.includes("json") ?? false;
  const files = isJson ? filesOfJson(name, text) : filesOfHtml(text);
  const ofVersion = files.filter(({ filename }) => filename.endsWith(".whl") && filename.split("-")[1] === version);
  const [file] = ofVersion
    .filter(({ filename }) => fitsMachine(filename))
    .sort((a, b) => (a.filename < b.filename ? 1 : -1));
  if (!file)
    throw new StillwaveError(
      `${name} ${version}: the package index has no wheel of it for ${process.platform} on ${process.arch}` +
        (ofVersion.length > 0 ? `, only ${ofVersion.map(({ filename }) => filename).join(", ")}` : ""),
    );
  const { filename, url, sha256, bytes } = file;
  if (!sha256 || !/^[0-9a-f]{64}$/.test(sha256))
    throw new StillwaveError(`${filename}: the package index gives no SHA-256 of it; take another index`);
  return { ...wanted, filename, url: new URL(url, response.url || `${index}/${name}/`).href, sha256, bytes };
}

interface IndexFile {
  readonly filename: string;
  readonly url: string;
  readonly sha256: string | undefined;
  readonly bytes: number | undefined;
}

const jsonIndex = z.object({
  files: z.array(
    z.object({
      filename: z.string(),
      url: z.string(),
      hashes: z.record(z.string(), z.string()).default({}),
      size: z.number().int().min(0).optional(),
    }),
  ),
});

function filesOfJson(name: string, text: string): IndexFile[] {
  try {
    const { files } = jsonIndex.parse(JSON.parse(text));
    return files.map(({ filename, url, hashes, size }) => ({ filename, url, sha256: hashes.sha256, bytes: size }));
  } catch {
    throw new StillwaveError(`${name}: what the package index says cannot be read; take another index`);
  }
}

/** Links whose text is the file's name and whose fragment is its hash. */
function filesOfHtml(text: string): IndexFile[] {
  const { document } = parseHTML(text);
  return [...document.querySelectorAll("a[href]")].map((link) => {
    const [url, fragment = ""] = (link.getAttribute("href") ?? "").split("#");
    return {
      filename: (link.textContent ?? "").trim(),
      url,
      sha256: /^sha256=([0-9a-f]{64})$/.exec(fragment)?.[1],
      bytes: undefined,
    };
  });
}

const MACHINES: Readonly<Record<string, string>> = { x64: "x86_64", arm64: "aarch64" };

/** Whether a wheel's libraries run here. Which Python it is for does not matter: only its libraries are used. */
function fitsMachine(filename: string): boolean {
  const tags = filename.slice(0, -".whl".length).split("-").at(-1) ?? "";
  return tags.split(".").some((tag) => {
    if (tag === "any") return true;
    const [, major, minor, machine] = /^manylinux_(\d+)_(\d+)_(\w+)$/.exec(tag) ?? [];
    if (machine === undefined)
      return /^(?:manylinux\d+|linux)_/.test(tag) && tag.endsWith(`_${MACHINES[process.arch]}`) && libc() !== undefined;
    const [ours, needed] = [libc(), Number(major) * 1000 + Number(minor)];
    return machine === MACHINES[process.arch] && ours !== undefined && needed <= ours;
  });
}

/** glibc's version as major * 1000 + minor; undefined: another C library, or no Linux. */
function libc(): number | undefined {
  const { header } = process.report.getReport() as { header?: { glibcVersionRuntime?: string } };
  const [major, minor] = header?.glibcVersionRuntime?.split(".").map(Number) ?? [];
  return major === undefined ? undefined : major * 1000 + minor;
}

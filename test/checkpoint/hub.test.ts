// Models from a hub: a server of our own stands in for it, the cache is a folder of our own.
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { loadCheckpoint, loadModel } from "../../src/checkpoint/index.ts";
import { StillwaveError } from "../../src/errors.ts";

const source = fileURLToPath(new URL("../../../shared/oracle/checkpoints/hf_hubert_base/", import.meta.url));
const present = existsSync(source);
if (!present) console.warn(`skipped: no recorded checkpoint at ${source}`);

const commit = "0123456789abcdef0123456789abcdef01234567";
let folder = "";
let server: Server;
let requests: string[] = [];
let tokens = new Set<string | undefined>();
let files = new Map<string, Uint8Array>();
/** What the server sends in place of a file that it lists. */
let sent = new Map<string, Uint8Array>();

const sha = (algorithm: string, data: Uint8Array) => createHash(algorithm).update(data).digest("hex");

/** The few calls of the hub's API that loading needs. */
function answer(request: IncomingMessage, response: ServerResponse): unknown {
  const url = new URL(request.url!, "http://hub");
  requests.push(url.pathname);
  tokens.add(request.headers.authorization);
  const json = (value: unknown, status = 200) => {
    response.writeHead(status, { "content-type": "application/json" });
    response.end(JSON.stringify(value));
  };
  if (url.pathname === "/api/models/org/model/revision/main") return json({ _id: "1", id: "org/model", sha: commit });
  if (url.pathname === `/api/models/org/model/tree/${commit}`)
    return json(
      [...files].map(([path, data]) => ({
        type: "file",
        path,
        size: data.length,
        oid: sha("sha1", data),
        ...(path.endsWith(".safetensors")
          ? { lfs: { oid: sha("sha256", data), size: data.length, pointerSize: 1 } }
          : {}),
      })),
    );
  const name = url.pathname.replace(`/org/model/resolve/${commit}/`, "");
  const data = sent.get(name) ?? files.get(name);
  if (!data) return json({ error: "Repository not found" }, url.pathname.includes("/private/") ? 401 : 404);
  const range = /bytes=(\d+)-(\d*)/.exec(request.headers.range ?? "");
  const start = range ? Number(range[1]) : 0;
  const end = range?.[2] ? Math.min(Number(range[2]), data.length - 1) : data.length - 1;
  response.writeHead(range ? 206 : 200, {
    etag: `"${sha("sha1", data)}"`,
    "content-range": `bytes ${start}-${end}/${data.length}`,
    "content-length": end - start + 1,
  });
  return response.end(data.subarray(start, end + 1));
}

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "stillwave-hub-"));
  requests = [];
  tokens = new Set();
  files = new Map();
  sent = new Map();
  if (present)
    for (const name of ["config.json", "preprocessor_config.json", "model.safetensors", "pytorch_model.bin"])
      files.set(name, await readFile(source + name));
  server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  vi.stubEnv("HF_ENDPOINT", `http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  vi.stubEnv("HF_HOME", folder);
  for (const name of ["HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_TOKEN", "HF_TOKEN_PATH", "HF_HUB_OFFLINE"])
    vi.stubEnv(name, undefined);
});
afterEach(async () => {
  vi.unstubAllEnvs();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  await rm(folder, { recursive: true, force: true });
});

describe.skipIf(!present)("loadCheckpoint", () => {
  test("downloads what it needs into the standard cache, once", async () => {
    const model = await loadCheckpoint("org/model");
    expect(model.parameters).toEqual((await loadModel(source)).parameters);
    const storage = join(folder, "hub", "models--org--model");
    expect(await readFile(join(storage, "refs", "main"), "utf8")).toBe(commit);
    expect((await readdir(join(storage, "snapshots", commit))).sort()).toEqual([
      "config.json",
      "model.safetensors",
      "preprocessor_config.json",
    ]);
    expect(await readdir(join(storage, "blobs"))).toContain(sha("sha256", files.get("model.safetensors")!));
    requests = [];
    await loadCheckpoint("org/model");
    expect(requests.filter((path) => path.includes("/resolve/"))).toEqual([]);
  });

  test("loadCheckpoint works offline from the cache: by setting, and where the hub cannot be reached", async () => {
    const online = await loadCheckpoint("org/model");
    vi.stubEnv("HF_HUB_OFFLINE", "1");
    requests = [];
    expect((await loadCheckpoint("org/model")).parameters).toEqual(online.parameters);
    await expect(loadCheckpoint("org/other")).rejects.toThrow("HF_HUB_OFFLINE");
    expect(requests).toEqual([]);
    vi.stubEnv("HF_HUB_OFFLINE", "0");
    vi.stubEnv("HF_ENDPOINT", "http://127.0.0.1:1");
    const cut = await loadCheckpoint("org/model");
    expect(cut.info.notes.join()).toContain("could not be reached");
    await expect(loadCheckpoint("org/other")).rejects.toThrow("could not be reached");
  });

  test("sends HF_TOKEN, and the saved token", async () => {
    vi.stubEnv("HF_TOKEN", "hf_secret");
    await loadCheckpoint("org/model");
    expect([...tokens]).toEqual(["Bearer hf_secret"]);
    vi.stubEnv("HF_TOKEN", undefined);
    await writeFile(join(folder, "token"), "hf_saved\n");
    tokens = new Set();
    await loadCheckpoint("org/model");
    expect([...tokens]).toEqual(["Bearer hf_saved"]);
    vi.stubEnv("HF_TOKEN", "wrong");
    await expect(loadCheckpoint("org/model")).rejects.toThrow("HF_TOKEN is not a Hugging Face token");
  });

  test("loadCheckpoint reads sharded weights", async () => {
    const { writeSafetensors } = await import("../../src/checkpoint/index.ts");
    const whole = await loadModel(source);
    const names = [...whole.parameters];
    const map: Record<string, string> = {};
    for (const [shard, part] of [names.slice(0, 30), names.slice(30)].entries()) {
      const file = `model-0000${shard + 1}-of-00002.safetensors`;
      await writeSafetensors(join(folder, file), part);
      files.set(file, await readFile(join(folder, file)));
      for (const [name] of part) map[name] = file;
    }
    files.delete("model.safetensors");
    files.delete("pytorch_model.bin");
    files.set("model.safetensors.index.json", Buffer.from(JSON.stringify({ weight_map: map })));
    expect((await loadCheckpoint("org/model")).parameters).toEqual(whole.parameters);
  });

  test("falls back to pytorch_model.bin", async () => {
    files.delete("model.safetensors");
    expect((await loadCheckpoint("org/model")).info.format).toBe("huggingface-torch");
  });

  test("a path comes before an id", async () => {
    expect((await loadCheckpoint(source)).info.path).toBe(source);
    expect(requests).toEqual([]);
  });

  test("loadCheckpoint says what is wrong", async () => {
    await expect(loadCheckpoint("org/none")).rejects.toThrow("no such model (revision main)");
    await expect(loadCheckpoint("private/model")).rejects.toThrow(/no such model|refuses access/);
    for (const id of ["./missing/folder", "a/b/c", "../etc", "org/..", "-x", ""])
      await expect(loadCheckpoint(id), id).rejects.toBeInstanceOf(StillwaveError);
    const config = files.get("config.json")!;
    files.delete("config.json");
    await expect(loadCheckpoint("org/model")).rejects.toThrow("the repository has no config.json");
    files.set("config.json", config);
    files.delete("model.safetensors");
    files.delete("pytorch_model.bin");
    await expect(loadCheckpoint("org/model")).rejects.toThrow("neither model.safetensors nor pytorch_model.bin");
  });

  test("a download that is damaged or short is refused, and the cache stays without it", async () => {
    const name = "model.safetensors";
    const whole = files.get(name)!;
    const damaged = Uint8Array.from(whole);
    damaged[whole.length >> 1] ^= 1;
    sent.set(name, damaged);
    await expect(loadCheckpoint("org/model")).rejects.toThrow(`${name}: what arrived is damaged (SHA-256 differs)`);
    sent.set(name, whole.subarray(0, whole.length - 4));
    await expect(loadCheckpoint("org/model")).rejects.toThrow(`${whole.length - 4} of ${whole.length} bytes arrived`);
    const storage = join(folder, "hub", "models--org--model");
    expect(await readdir(join(storage, "snapshots", commit))).not.toContain(name);
    expect((await readdir(join(storage, "blobs"))).filter((blob) => /incomplete/.test(blob))).toEqual([]);
    sent.clear();
    expect((await loadCheckpoint("org/model")).info.format).toBe("huggingface-safetensors");
  });

  test("loadCheckpoint refuses shards outside the repository", async () => {
    files.delete("model.safetensors");
    files.set("model.safetensors.index.json", Buffer.from('{"weight_map":{"a":"../../../evil"}}'));
    files.set("../../../evil", Buffer.from("x"));
    await expect(loadCheckpoint("org/model")).rejects.toThrow("not the name of a file of a model");
    expect(existsSync(join(folder, "evil"))).toBe(false);
  });
});

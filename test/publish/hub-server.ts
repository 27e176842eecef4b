// A hub in miniature: repositories, Git LFS uploads (whole and in parts), commits and downloads, kept in memory.
import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

const sha = (algorithm: string, data: Uint8Array) => createHash(algorithm).update(data).digest("hex");

interface Repository {
  isPrivate: boolean;
  commit: string;
  title: string;
  /** Of the last commit, and which of them came by LFS. */
  readonly files: Map<string, Buffer>;
  readonly large: Set<string>;
}

export interface Refusal {
  readonly status: number;
  readonly error: string;
}

export class HubServer {
  readonly repositories = new Map<string, Repository>();
  /** Bytes of LFS objects by SHA-256. */
  readonly objects = new Map<string, Buffer>();
  /** `METHOD /path` of every request, and headers of uploads. */
  requests: string[] = [];
  readonly uploads: { readonly length: string | undefined; readonly bytes: number }[] = [];
  token = "hf_right";
  /** Answers requests whose `METHOD /path` begins so. */
  readonly refusals = new Map<string, Refusal>();
  /** Error of an LFS object, in the answer to its batch. */
  objectError: { readonly code: number; readonly message: string } | undefined;
  /** Uploads are cut off after so many bytes. */
  cutAfter: number | undefined;
  /** Larger objects go in parts of so many bytes. */
  partBytes: number | undefined;
  url = "";
  private readonly parts = new Map<string, Map<number, Buffer>>();
  private readonly server = createServer((request, response) => void this.handle(request, response));

  async start(): Promise<void> {
    await new Promise<void>((done) => this.server.listen(0, "127.0.0.1", done));
    this.url = `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((done) => this.server.close(done));
  }

  private async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname } = new URL(request.url ?? "/", "http://hub");
    const call = `${request.method} ${pathname}`;
    this.requests.push(call);
    const json = (value: unknown, status = 200) => {
      response.writeHead(status, { "content-type": "application/json" });
      response.end(JSON.stringify(value));
    };
    const refusal = [...this.refusals].find(([start]) => call.startsWith(start))?.[1];
    if (refusal) {
      request.resume();
      return json({ error: refusal.error }, refusal.status);
    }
    const isStorage = pathname.startsWith("/storage/");
    const { authorization } = request.headers;
    if (!isStorage && authorization !== undefined && authorization !== `Bearer ${this.token}`) return json({ error: "Invalid credentials" }, 401); // biome-ignore format: one line
    const body = await this.receive(request);
    if (body === undefined) return;
    if (isStorage) return this.storage(request, pathname, body, response);
    if (call === "POST /api/repos/create") return this.create(JSON.parse(String(body)), json);
    const name = /^\/(?:api\/models\/)?([^/]+\/[^/.]+)/.exec(pathname)?.[1] ?? "";
    const repository = this.repositories.get(name);
    if (!repository || (repository.isPrivate && authorization === undefined)) return json({ error: "Repository not found" }, 404); // biome-ignore format: one line
    if (request.method === "GET")
      return this.read(repository, { name, pathname, response, range: request.headers.range, json });
    if (pathname.includes("/preupload/"))
      return json({
        files: JSON.parse(String(body)).files.map(({ path }: { path: string }) => ({
          path,
          uploadMode: /\.(safetensors|onnx)$/.test(path) ? "lfs" : "regular",
        })),
      });
    if (pathname.endsWith("/info/lfs/objects/batch")) return this.batch(JSON.parse(String(body)), json);
    if (pathname.includes("/commit/")) return this.commit(repository, String(body), json);
    return json({ error: "no such call" }, 404);
  }

  /** The body; undefined where the connection was cut, as the test asked for. */
  private async receive(request: IncomingMessage): Promise<Buffer | undefined> {
    const chunks: Buffer[] = [];
    let bytes = 0;
    for await (const chunk of request as AsyncIterable<Buffer>) {
      chunks.push(chunk);
      bytes += chunk.length;
      if (request.method === "PUT" && this.cutAfter !== undefined && bytes > this.cutAfter) {
        request.socket.destroy();
        return undefined;
      }
    }
    if (request.method === "PUT") this.uploads.push({ length: request.headers["content-length"], bytes });
    return Buffer.concat(chunks);
  }

  private create(
    { name, organization, visibility }: { name: string; organization: string; visibility?: string },
    json: (value: unknown, status?: number) => void,
  ) {
    const id = `${organization}/${name}`;
    if (this.repositories.has(id)) return json({ error: "You already created this model repo" }, 409);
    const isPrivate = visibility === "private";
    this.repositories.set(id, { isPrivate, commit: "", title: "", files: new Map(), large: new Set() });
    return json({ url: `${this.url}/${id}`, id });
  }

  private batch({ objects }: { objects: { oid: string; size: number }[] }, json: (value: unknown) => void) {
    const answer = ({ oid, size }: { oid: string; size: number }) => {
      if (this.objectError) return { oid, size, error: this.objectError };
      if (this.objects.has(oid)) return { oid, size };
      const href = `${this.url}/storage/${oid}`;
      if (this.partBytes === undefined || size <= this.partBytes) return { oid, size, actions: { upload: { href } } };
      const count = Math.ceil(size / this.partBytes);
      const parts = Array.from({ length: count }, (_, i) => [String(i + 1).padStart(5, "0"), `${href}/${i + 1}`]);
      const header = { chunk_size: String(this.partBytes), ...Object.fromEntries(parts) };
      return { oid, size, actions: { upload: { href: `${href}/complete`, header } } };
    };
    json({ transfer: this.partBytes === undefined ? "basic" : "multipart", objects: objects.map(answer) });
  }

  private storage(request: IncomingMessage, pathname: string, body: Buffer, response: ServerResponse) {
    const [, , oid, part] = pathname.split("/");
    const parts = this.parts.get(oid) ?? new Map<number, Buffer>();
    this.parts.set(oid, parts);
    if (request.method === "PUT" && part !== undefined) parts.set(Number(part), body);
    const ordered = [...parts].sort(([a], [b]) => a - b).map(([, bytes]) => bytes);
    const whole = part === undefined ? body : part === "complete" ? Buffer.concat(ordered) : undefined;
    if (whole !== undefined && sha("sha256", whole) !== oid) return void response.writeHead(400).end("not these bytes");
    if (whole !== undefined) this.objects.set(oid, whole);
    response.writeHead(200, { etag: `"${body.length}"` }).end();
  }

  private commit(repository: Repository, text: string, json: (value: unknown, status?: number) => void) {
    for (const line of text.split("\n")) {
      const { key, value } = JSON.parse(line);
      if (key === "header") repository.title = value.summary;
      if (key === "file") repository.files.set(value.path, Buffer.from(value.content, value.encoding));
      if (key !== "lfsFile") continue;
      const object = this.objects.get(value.oid);
      if (!object) return json({ error: `${value.path} was not uploaded` }, 400);
      repository.files.set(value.path, object);
      repository.large.add(value.path);
    }
    repository.commit = sha("sha1", Buffer.from(text));
    return json({ commitOid: repository.commit, commitUrl: `${this.url}/commit`, hookOutput: "", success: true });
  }

  private read(
    { isPrivate, commit, files, large }: Repository,
    { name, pathname, response, range, json }: { name: string; pathname: string; response: ServerResponse; range: string | undefined; json: (value: unknown, status?: number) => void }, // biome-ignore format: one line
  ) {
    if (pathname.startsWith(`/api/models/${name}/tree/`))
      return json(
        [...files].map(([path, data]) => ({
          ...{ type: "file", path, size: data.length, oid: sha("sha1", data) },
          ...(large.has(path) && { lfs: { oid: sha("sha256", data), size: data.length, pointerSize: 1 } }),
        })),
      );
    const resolved = /\/resolve\/[^/]+\/(.*)$/.exec(pathname)?.[1];
    if (resolved === undefined) return json({ _id: "1", id: name, sha: commit, private: isPrivate });
    const data = files.get(resolved);
    if (!data) return json({ error: "Entry not found" }, 404);
    const [, start = "0", end] = /bytes=(\d+)-(\d*)/.exec(range ?? "") ?? [];
    const part = data.subarray(Number(start), end ? Number(end) + 1 : undefined);
    response.writeHead(range ? 206 : 200, {
      etag: `"${sha("sha1", data)}"`,
      "content-length": part.length,
      "content-range": `bytes ${start}-${Number(start) + part.length - 1}/${data.length}`,
    });
    response.end(part);
  }
}

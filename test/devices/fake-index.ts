// A package index on this machine: a server for the test, and wheels made for it.
import { createHash } from "node:crypto";
import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { deflateRawSync } from "node:zlib";

export interface FakeFile {
  readonly name: string;
  readonly data?: string | Buffer;
  readonly mode?: number;
  /** What its directory entry says instead of the truth. */
  readonly declares?: number;
}

/** A zip archive of deflated files, as wheels are. */
export function zipOf(files: readonly FakeFile[]): Buffer {
  const [parts, directory]: [Buffer[], Buffer[]] = [[], []];
  let offset = 0;
  for (const { name, data = "", mode = 0o644, declares } of files) {
    const [bytes, packed] = [Buffer.from(data), deflateRawSync(Buffer.from(data))];
    const local = Buffer.alloc(30);
    local.writeUInt32LE(0x04034b50, 0);
    local.writeUInt16LE(8, 8);
    local.writeUInt16LE(Buffer.byteLength(name), 26);
    const entry = Buffer.alloc(46);
    entry.writeUInt32LE(0x02014b50, 0);
    entry.writeUInt16LE(8, 10);
    entry.writeUInt32LE(packed.length, 20);
    entry.writeUInt32LE(declares ?? bytes.length, 24);
    entry.writeUInt16LE(Buffer.byteLength(name), 28);
    entry.writeUInt16LE(mode, 40);
    entry.writeUInt32LE(offset, 42);
    parts.push(local, Buffer.from(name), packed);
    directory.push(entry, Buffer.from(name));
    offset += 30 + Buffer.byteLength(name) + packed.length;
  }
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(files.length, 10);
  end.writeUInt32LE(Buffer.concat(directory).length, 12);
  end.writeUInt32LE(offset, 16);
  return Buffer.concat([...parts, ...directory, end]);
}

const sha256 = (data: Buffer): string => createHash("sha256").update(data).digest("hex");

export interface FakeIndex {
  readonly url: string;
  /** Paths that were asked for, with the range where there was one. */
  readonly asked: string[];
  close(): Promise<void>;
}

/** Serves `answer` on a free port. */
export async function serve(answer: RequestListener): Promise<FakeIndex> {
  const asked: string[] = [];
  const server: Server = createServer((request, response) => {
    const { range } = request.headers;
    asked.push(range ? `${request.url} ${range}` : String(request.url));
    answer(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    close: () => new Promise((resolve) => server.close(() => resolve())),
  };
}

export interface Offer {
  readonly filename: string;
  readonly data: Buffer;
  /** What the index says instead of the truth. */
  readonly hash?: string | null;
  readonly size?: number;
}

/** Answers as an index of one package does, in JSON or HTML; files go out in ranges. */
export function offering(name: string, offers: readonly Offer[], format: "json" | "html" = "json"): RequestListener {
  return (request, response) => {
    const path = String(request.url);
    const file = offers.find(({ filename }) => path === `/files/${filename}`);
    if (file) {
      const from = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? "")?.[1] ?? 0);
      if (from > 0)
        response.writeHead(206, { "content-range": `bytes ${from}-${file.data.length - 1}/${file.data.length}` });
      return response.end(file.data.subarray(from));
    }
    if (path !== `/simple/${name}/`) return response.writeHead(404).end();
    const hashes = ({ data, hash }: Offer) => (hash === null ? undefined : (hash ?? sha256(data)));
    if (format === "html") {
      const links = offers.map(
        (offer) =>
          `<a href="../../files/${offer.filename}${hashes(offer) ? `#sha256=${hashes(offer)}` : ""}">${offer.filename}</a><br/>`,
      );
      response.setHeader("content-type", "text/html");
      return response.end(`<!DOCTYPE html><html><body>${links.join("\n")}</body></html>`);
    }
    response.setHeader("content-type", "application/vnd.pypi.simple.v1+json");
    const files = offers.map((offer) => ({
      filename: offer.filename,
      url: `../../files/${offer.filename}`,
      hashes: { sha256: hashes(offer) },
      size: offer.size ?? offer.data.length,
    }));
    return response.end(JSON.stringify({ meta: { "api-version": "1.1" }, name, files }));
  };
}

// The cache that all of Hugging Face's programs on a machine share: where it is, what it holds, how files come into it.
// Storing them is ours, because downloadFileToCacheDir of @huggingface/hub 2.17 puts damaged and short files into the cache
// unchecked, tells no progress and prints on stdout.
import { createHash } from "node:crypto";
import { createWriteStream } from "node:fs";
import { copyFile, readFile, rename, rm, symlink } from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, join, relative } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { StillwaveError } from "../errors.ts";
import { diskError, makeFolder } from "../files.ts";
import { exists, findWeights, modelFolder } from "./read/folder.ts";

/** A place in the folder that all of Hugging Face's programs share. */
function inHome(name: string): string {
  const { HF_HOME, XDG_CACHE_HOME } = process.env;
  return join(HF_HOME ?? join(XDG_CACHE_HOME ?? join(homedir(), ".cache"), "huggingface"), name);
}

/** Where the hub's cache keeps a repository: the layout is shared with Python's huggingface_hub. */
export function cacheFolder(id: string): string {
  const { HF_HUB_CACHE, HUGGINGFACE_HUB_CACHE } = process.env;
  const hub = HF_HUB_CACHE ?? HUGGINGFACE_HUB_CACHE ?? inHome("hub");
  return join(hub.replace(/^~(?=\/)/, homedir()), `models--${id.replaceAll("/", "--")}`);
}

/** The token given, else HF_TOKEN, else the one that a login saved. */
export async function readToken(given?: string): Promise<string | undefined> {
  const { HF_TOKEN, HF_TOKEN_PATH } = process.env;
  const saved = HF_TOKEN_PATH ?? inHome("token");
  const [source, text] = given
    ? ["the token given", given]
    : HF_TOKEN
      ? ["HF_TOKEN", HF_TOKEN]
      : [saved, await readFile(saved, "utf8").catch(() => "")];
  const token = text.trim() || undefined;
  if (token !== undefined && !token.startsWith("hf_"))
    throw new StillwaveError(`${source} is not a Hugging Face token (they start with hf_)`);
  return token;
}

/** A snapshot in the cache that has a configuration and all weights. */
export async function cachedSnapshot(storage: string, revision: string): Promise<string | undefined> {
  const named = await readFile(join(storage, "refs", revision), "utf8").catch(() => revision);
  const folder = join(storage, "snapshots", named.trim());
  const own = await modelFolder(folder);
  if (!(await exists(join(own, "config.json")))) return undefined;
  for (const file of (await findWeights(own)) ?? [""]) if (file === "" || !(await exists(file))) return undefined;
  return folder;
}

/** A file as the hub lists it. */
interface ListedFile {
  readonly path: string;
  readonly size: number;
  /** Git's hash; that of content in Git LFS stands in `lfs`. */
  readonly oid?: string;
  readonly lfs?: { readonly oid: string };
}

/** Writes a blob into the cache, checked against its size and, where the hub gives one, its SHA-256. */
export async function store(
  blob: Blob,
  entry: ListedFile,
  storage: string,
  pointer: string,
  onBytes: (bytes: number) => void,
): Promise<void> {
  const name = entry.lfs?.oid ?? entry.oid;
  if (!name || !/^[0-9a-f]{40,64}$/.test(name))
    throw new StillwaveError(`${entry.path}: the hub gives no content hash`);
  const target = join(storage, "blobs", name);
  await makeFolder(dirname(target));
  await makeFolder(dirname(pointer));
  const partial = `${target}.${process.pid}.incomplete`;
  try {
    let bytes = 0;
    const hash = createHash("sha256");
    await pipeline(
      Readable.fromWeb(blob.stream() as Parameters<typeof Readable.fromWeb>[0]),
      async function* (chunks: AsyncIterable<Uint8Array>) {
        for await (const chunk of chunks) {
          hash.update(chunk);
          bytes += chunk.byteLength;
          onBytes(bytes);
          yield chunk;
        }
      },
      createWriteStream(partial),
    );
    if (bytes !== entry.size)
      throw new StillwaveError(`${entry.path}: ${bytes} of ${entry.size} bytes arrived; try again`);
    if (entry.lfs && hash.digest("hex") !== entry.lfs.oid)
      throw new StillwaveError(`${entry.path}: what arrived is damaged (SHA-256 differs); try again`);
    await rename(partial, target);
  } catch (error) {
    await rm(partial, { force: true }).catch(() => {});
    throw diskError(error, target);
  }
  try {
    await rm(pointer, { force: true });
    await symlink(relative(dirname(pointer), target), pointer).catch(() => copyFile(target, pointer));
  } catch (error) {
    throw diskError(error, pointer);
  }
}

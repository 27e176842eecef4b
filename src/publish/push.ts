// Puts a model on the hub: the repository where it is missing, the card, every file, in one commit.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { commitIter, createRepo, modelInfo } from "@huggingface/hub";
import { hubEndpoint, isOffline, loadModel, openCheckpoint, readToken } from "../checkpoint/index.ts";
import { StillwaveError, UsageError } from "../errors.ts";
import type { ModelConfig } from "../models/config.ts";
import { readHead } from "../superb/run/head-folder.ts";
import type { EvaluationResult } from "../superb/run/result.ts";
import { type CardChanges, publishedCard, publishedConfig } from "./card.ts";
import { countedFetch } from "./counted-fetch.ts";
import { type PushState, pushFailure } from "./failure.ts";
import { filesToPublish, modelFolderOf, type PublishedFile } from "./files.ts";
import { foundResults, namedResults, recogniserResult } from "./results.ts";

export interface PushOptions extends CardChanges {
  /** The repository is made private where it is made; one that is there stays as it is. */
  readonly private?: boolean;
  /** Only says what would go; needs no token and no network. */
  readonly dryRun?: boolean;
  /** Default: HF_TOKEN, or the token that a login saved. */
  readonly token?: string;
  /** Evaluation runs of this model for the card; default: those in its run and beside it that have its weights. */
  readonly results?: readonly string[];
  /** Title of the commit. */
  readonly message?: string;
  /** Called as bytes of files go out, small ones at the end. */
  readonly onProgress?: (bytes: number, totalBytes: number) => void;
  readonly onNote?: (text: string) => void;
  readonly signal?: AbortSignal;
}

export interface PushResult {
  readonly repository: string;
  /** The folder that was pushed. */
  readonly folder: string;
  readonly files: readonly { readonly path: string; readonly bytes: number }[];
  readonly bytes: number;
  /** README.md as it was sent. */
  readonly card: string;
  /** Evaluation runs whose figures are in the card. */
  readonly results: readonly string[];
  /** null: a dry run. */
  readonly url: string | null;
  readonly commit: string | null;
  /** Whether the repository was made. */
  readonly created: boolean;
}

const REPOSITORY = /^[A-Za-z0-9][\w.-]*\/[A-Za-z0-9][\w.-]*$/;

/** A file as it is sent: as it lies on the disk, or with a text of its own. */
interface SentFile extends PublishedFile {
  readonly text?: string;
}

/**
 * Pushes the model folder `source`, or the best model of the run `source`, to `repository` (`org/name`). HF_ENDPOINT, HF_TOKEN
 * and HF_HUB_OFFLINE are honoured.
 * @throws StillwaveError that says what to do, for a folder without a model and for whatever the hub refuses
 */
export async function pushModel(source: string, repository: string, options: PushOptions = {}): Promise<PushResult> {
  if (!REPOSITORY.test(repository) || repository.includes("--") || repository.includes(".."))
    throw new UsageError(`"${repository}" is not a repository; give organisation/name or user/name`);
  const folder = await modelFolderOf(source);
  const { files, card, results } = await prepare(folder, repository, options);
  const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
  const listed = files.map(({ path, bytes }) => ({ path, bytes }));
  const planned = { repository, folder, files: listed, bytes, card, results };
  if (options.dryRun) return { ...planned, url: null, commit: null, created: false };
  if (isOffline()) throw new StillwaveError(`${repository}: HF_HUB_OFFLINE forbids pushing; unset it`);
  const accessToken = await readToken(options.token);
  if (accessToken === undefined)
    throw new UsageError("no token of the hub: set HF_TOKEN, log in with its own client, or give --token (token)");
  const hub = { hubUrl: hubEndpoint(), accessToken };
  const created = await makeRepository(repository, hub, options);
  const commit = await upload({ repository, files, bytes }, hub, options);
  return { ...planned, url: `${hub.hubUrl}/${repository}`, commit, created };
}

/** The files of the folder as they are sent, card included. */
async function prepare(folder: string, repository: string, options: PushOptions) {
  const { onNote = () => {} } = options;
  const onDisk = await filesToPublish(folder);
  const has = (pattern: RegExp) => onDisk.some(({ path }) => pattern.test(path));
  // a fine-tuned recogniser is an upstream and its head, side by side
  const isRecogniser = has(/^head\/head\.json$/) && has(/^upstream\/config\.json$/);
  const isWhole = isRecogniser || (has(/^config\.json$/) && has(/^(model|pytorch_model).*\.(safetensors|bin)$/));
  const config = isWhole ? await readConfig(folder) : undefined;
  const head = isRecogniser ? (await readHead(join(folder, "head"))).settings : undefined;
  const own =
    head && options.results === undefined ? await recogniserResult(folder, head.upstream.fingerprint) : undefined;
  const { runs, results } = own ?? (await resultsFor(folder, isWhole, options));
  const readmeName = ["README.md", "upstream/README.md"].find((name) => onDisk.some(({ path }) => path === name));
  const readme = join(folder, readmeName ?? "README.md");
  const text = readmeName === undefined ? undefined : await readFile(readme, "utf8");
  const { license, baseModels, datasets } = options;
  const task = head?.task as EvaluationResult["task"] | undefined;
  const card = publishedCard(text, readme, { repository, config, task, results, license, baseModels, datasets });
  const changed = new Map([["README.md", card]]);
  const settings = has(/^config\.json$/) ? await publishedConfig(folder) : undefined;
  if (settings !== undefined) {
    changed.set("config.json", settings);
    onNote(`config.json names paths of this machine: it is sent without them`);
  }
  if (/^license: unknown$/m.test(card)) onNote("the card states no licence; name it with --license (license)");
  const others = onDisk.filter(({ path }) => !changed.has(path));
  const texts = [...changed].map(
    ([path, text]): SentFile => ({ path, source: join(folder, path), bytes: Buffer.byteLength(text), text }),
  );
  return { files: [...others, ...texts].sort((a, b) => (a.path < b.path ? -1 : 1)) as SentFile[], card, results: runs };
}

/** What is pushed must be read again: the weights are there, and fit. */
async function readConfig(folder: string): Promise<ModelConfig> {
  const checkpoint = await openCheckpoint(folder);
  try {
    return checkpoint.plan().config;
  } finally {
    await checkpoint.close();
  }
}

async function resultsFor(folder: string, isWhole: boolean, { results: named, onNote }: PushOptions) {
  if (named !== undefined && !isWhole)
    throw new UsageError(
      `${folder}: results go into cards of model folders; this one has no weights to compare them with`,
    );
  if (named !== undefined) return { runs: named, results: await namedResults(await loadModel(folder), named) };
  const found = isWhole ? await foundResults(folder, () => loadModel(folder)) : [];
  for (const { run, result } of found) onNote?.(`${run}: its ${result.task} result goes into the card`);
  return { runs: found.map(({ run }) => run), results: found.map(({ result }) => result) };
}

interface Hub {
  readonly hubUrl: string;
  readonly accessToken: string;
}

/** Makes the repository where there is none. Says whether it did. */
async function makeRepository(name: string, hub: Hub, options: PushOptions): Promise<boolean> {
  const state = (doing: string): PushState => ({ repository: name, endpoint: hub.hubUrl, doing });
  const statusOf = (error: unknown) => (error as { readonly statusCode?: number }).statusCode;
  try {
    const found = await modelInfo({ ...hub, name });
    if (options.private && !found.private)
      options.onNote?.(`${name} is there already and is public: it stays so; its settings on the hub make it private`);
    return false;
  } catch (error) {
    if (statusOf(error) !== 404) throw pushFailure(error, state("looking for the repository"));
  }
  const repo = { type: "model", name } as const;
  try {
    await createRepo({ ...hub, repo, visibility: options.private ? "private" : undefined });
    return true;
  } catch (error) {
    if (statusOf(error) === 409) return false;
    throw pushFailure(error, state("making the repository"));
  }
}

interface Upload {
  readonly repository: string;
  readonly files: readonly SentFile[];
  readonly bytes: number;
}

/** Sends the files and commits them. Gives the commit. */
async function upload({ repository, files, bytes: total }: Upload, hub: Hub, options: PushOptions): Promise<string> {
  const sizes = new Map(files.map(({ path, bytes }) => [path, bytes]));
  const sent = new Map<string, number>();
  let doing = "asking how to send the files";
  let last: string | undefined;
  const tell = () =>
    options.onProgress?.(
      [...sent.values()].reduce((sum, bytes) => sum + bytes, 0),
      total,
    );
  const commit = commitIter({
    ...hub,
    repo: { type: "model", name: repository },
    title: options.message ?? "Push by Stillwave",
    operations: files.map(({ path, source, text }) => ({
      operation: "addOrUpdate",
      path,
      content: text === undefined ? pathToFileURL(source) : new Blob([text]),
    })),
    // what the tests' server speaks is what is used: Git LFS, which every hub understands
    useXet: false,
    abortSignal: options.signal,
    fetch: countedFetch((path, bytes) => {
      sent.set(path, bytes);
      last = path;
      tell();
    }),
  });
  try {
    for (;;) {
      const { done, value } = await commit.next();
      if (done) {
        options.onProgress?.(total, total);
        return value?.commit.oid ?? "";
      }
      if (value.event === "phase" && value.phase === "uploadingLargeFiles") doing = "sending large files";
      if (value.event === "phase" && value.phase === "committing") [doing, last] = ["committing the files", undefined];
      if (value.event === "fileProgress" && value.state === "uploading" && value.progress === 1) {
        sent.set(value.path, sizes.get(value.path) ?? 0);
        tell();
      }
    }
  } catch (error) {
    if (options.signal?.aborted) throw new StillwaveError(`${repository}: the push was stopped; nothing was committed`);
    const refused = [...sizes.keys()].find((path) => (error as Error).message.includes(` ${path}`));
    const path = refused ?? last;
    const file = path === undefined ? undefined : { path, sent: sent.get(path) ?? 0, bytes: sizes.get(path) ?? 0 };
    throw pushFailure(error, { repository, endpoint: hub.hubUrl, doing, file });
  }
}

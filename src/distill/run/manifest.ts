// run.json: what is needed to repeat a run: recipe, seeds, versions, machine, data and teacher.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { StillwaveError } from "../../errors.ts";
import { writeFileAtomic } from "../../files.ts";
import { type Environment, environment } from "../../training/environment.ts";
import type { Recipe } from "../recipe.ts";
import type { CorpusRecord } from "./speech.ts";

export const MANIFEST_NAME = "run.json";
const FORMAT_VERSION = 1;

export interface RunManifest {
  readonly format: number;
  readonly created: string;
  readonly recipe: Recipe;
  readonly seeds: { readonly run: number; readonly data: number; readonly initialise: number };
  readonly environment: Environment;
  readonly data: { readonly train: CorpusRecord; readonly validation: CorpusRecord | null };
  /** Whatever identifies the teacher: source, architecture, parameters, hash. Compared as JSON on resume. */
  readonly teacher: Readonly<Record<string, unknown>>;
  readonly student: { readonly parameters: number };
  readonly totalSteps: number;
  readonly batchesPerEpoch: number;
  /** Later starts: when, from which step, on what. */
  readonly resumes: readonly { readonly at: string; readonly step: number; readonly environment: Environment }[];
}

export function newManifest(
  parts: Pick<RunManifest, "recipe" | "data" | "teacher" | "student" | "totalSteps" | "batchesPerEpoch">,
): RunManifest {
  const { recipe, ...rest } = parts;
  return {
    format: FORMAT_VERSION,
    created: new Date().toISOString(),
    recipe,
    seeds: { run: recipe.run.seed, data: recipe.data.seed, initialise: recipe.student.initialise.seed },
    environment: environment(),
    ...rest,
    resumes: [],
  };
}

export async function writeManifest(folder: string, manifest: RunManifest): Promise<void> {
  await writeFileAtomic(join(folder, MANIFEST_NAME), `${JSON.stringify(manifest, null, 2)}\n`);
}

/**
 * The manifest of a run folder; undefined where there is none.
 * @throws StillwaveError where it is corrupt
 */
export async function readManifest(folder: string): Promise<RunManifest | undefined> {
  const path = join(folder, MANIFEST_NAME);
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR") return undefined;
    throw new StillwaveError(`${path}: cannot be read (${code ?? message})`);
  }
  let manifest: RunManifest;
  try {
    manifest = JSON.parse(text);
  } catch {
    throw new StillwaveError(`${path}: not JSON; the run cannot be resumed, start again in another folder`);
  }
  if (manifest?.format !== FORMAT_VERSION)
    throw new StillwaveError(
      `${path}: format ${manifest?.format}, but this version reads ${FORMAT_VERSION}; resume with the version that wrote it`,
    );
  if (
    typeof manifest.recipe !== "object" ||
    typeof manifest.data?.train?.fingerprint !== "string" ||
    !Array.isArray(manifest.resumes)
  )
    throw new StillwaveError(`${path}: incomplete; the run cannot be resumed, start again in another folder`);
  return manifest;
}

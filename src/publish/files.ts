// Which folder is published and which of its files: a model folder whole, of a run its best model.
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { StillwaveError } from "../errors.ts";
import { RECORD_NAME } from "../training/run-folder.ts";

/** A file that goes to the hub. */
export interface PublishedFile {
  /** In the repository, with slashes. */
  readonly path: string;
  /** On this machine. */
  readonly source: string;
  readonly bytes: number;
}

/** Below a model folder there are `onnx/`, or the parts of a recogniser, and nothing deeper. */
const MAX_DEPTH = 3;
const LEFT_OUT = /^\.|\.tmp$|^__pycache__$|^node_modules$|^checkpoints$/;

const isFolder = async (path: string) => (await stat(path).catch(() => undefined))?.isDirectory() ?? false;

/**
 * The model folder that `path` means: itself, or of a run folder `best`, else `last`.
 * @throws StillwaveError where there is none
 */
export async function modelFolderOf(path: string): Promise<string> {
  const info = await stat(path).catch((error: NodeJS.ErrnoException) => {
    throw new StillwaveError(
      `${path}: ${error.code === "ENOENT" ? "no such folder" : `cannot be opened (${error.code})`}`,
    );
  });
  if (!info.isDirectory())
    throw new StillwaveError(
      `${path}: a file; give a model folder or a run (stillwave convert makes a folder of a file)`,
    );
  const names = await readdir(path);
  if (!names.includes(RECORD_NAME) || names.includes("config.json")) return path;
  for (const role of ["best", "last"]) if (await isFolder(join(path, role))) return join(path, role);
  throw new StillwaveError(`${path}: a run without a model yet (no best or last); let it finish, or resume it`);
}

/**
 * The files of a model folder that are published, sorted; hidden and temporary ones are not.
 * @throws StillwaveError where the folder holds no model
 */
export async function filesToPublish(folder: string): Promise<PublishedFile[]> {
  const files: PublishedFile[] = [];
  const walk = async (below: string, depth: number): Promise<void> => {
    for (const name of (await readdir(join(folder, below))).sort()) {
      const path = below === "" ? name : `${below}/${name}`;
      const source = join(folder, path);
      if (LEFT_OUT.test(name)) continue;
      const info = await stat(source).catch((error: NodeJS.ErrnoException) => {
        throw new StillwaveError(`${source}: cannot be read (${error.code}); mend or remove it`);
      });
      if (info.isDirectory()) {
        if (depth === MAX_DEPTH)
          throw new StillwaveError(`${source}: deeper than a model folder is; move it elsewhere`);
        await walk(path, depth + 1);
      } else if (info.isFile()) files.push({ path, source, bytes: info.size });
    }
  };
  await walk("", 1);
  const isModel = files.some(({ path }) =>
    /(^|\/)(model.*\.safetensors(\.index\.json)?|pytorch_model.*\.bin)$|\.onnx$/.test(path),
  );
  if (!isModel)
    throw new StillwaveError(
      `${folder}: no model here (neither weights nor an ONNX file); give a model folder or a run`,
    );
  return files;
}

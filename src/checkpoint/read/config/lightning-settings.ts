// The settings of a student of the official code: inside a Lightning checkpoint, or in the YAML that training wrote beside it.
import { readdir, readFile, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { parse } from "yaml";
import { StillwaveError } from "../../../errors.ts";
import { type Fields, isFields, shown } from "./fields.ts";
import { parseLiteral } from "./literal.ts";

const MAX_YAML_BYTES = 2 ** 20;

/** Settings and where they were found. */
export interface FoundSettings {
  readonly settings: Fields;
  readonly source: string;
  /** Where what lies beside the checkpoint disagrees with what is inside, or cannot be read. */
  readonly notes: readonly string[];
}

/**
 * The student's settings, undefined where there are none. Those inside the checkpoint (`hyper`) count where there are both.
 * @throws StillwaveError where they cannot be read, or are of several students
 */
export async function findSettings(path: string, hyper: unknown): Promise<FoundSettings | undefined> {
  const inside = settingsIn(hyper);
  const beside = await readBeside(dirname(path));
  if (inside) return { settings: inside, source: "hyper_parameters", notes: notesBeside(inside, beside) };
  const broken = beside.find((file) => file.problem !== undefined);
  if (broken) throw new StillwaveError(`${broken.source}: ${broken.problem}`);
  const found = beside.flatMap(({ source, settings }) => (settings ? [{ source, settings }] : []));
  const first = found[0];
  if (!first) return undefined;
  // Several are fine where they describe the same student.
  const identity = ({ settings }: { settings: Fields }) => JSON.stringify([settings.model, settings.distiller]);
  const other = found.find((candidate) => identity(candidate) !== identity(first));
  if (other)
    throw new StillwaveError(
      `${path}: ${first.source} and ${other.source} describe different students; keep the one that belongs to it`,
    );
  return { ...first, notes: [] };
}

/** The settings with a `distiller` section, wherever the hyper-parameters have them. */
function settingsIn(value: unknown): Fields | undefined {
  if (!isFields(value)) return undefined;
  if (isFields(value.distiller)) return value;
  for (const inner of [value.cfg, value.yaml_cfg, value.config])
    if (isFields(inner) && isFields(inner.distiller)) return inner;
  return undefined;
}

interface YamlFile {
  readonly source: string;
  readonly settings?: Fields;
  readonly problem?: string;
}

/** YAML files with a distiller section in `folder`, and those that cannot be read. Unknown tags are read as plain data. */
async function readBeside(folder: string): Promise<YamlFile[]> {
  const files: YamlFile[] = [];
  for (const name of (await readdir(folder)).filter((file) => /\.ya?ml$/i.test(file)).sort()) {
    const source = join(folder, name);
    const info = await stat(source).catch(() => undefined);
    if (!info?.isFile() || info.size > MAX_YAML_BYTES) continue;
    const text = await readFile(source, "utf8").catch((error: NodeJS.ErrnoException) => {
      files.push({ source, problem: `cannot be read (${error.code})` });
    });
    if (text === undefined) continue;
    try {
      const settings = settingsIn(parse(text, { maxAliasCount: 100, logLevel: "error" }));
      if (settings) files.push({ source, settings });
    } catch (error) {
      files.push({ source, problem: `not valid YAML: ${(error as Error).message.split("\n")[0]}` });
    }
  }
  return files;
}

/** One file that agrees will do: the others belong to checkpoints of other students in the same folder. */
function notesBeside(inside: Fields, beside: readonly YamlFile[]): string[] {
  const used = "the settings inside the checkpoint were used";
  const notes = beside.flatMap(({ source, problem }) =>
    problem === undefined ? [] : [`${basename(source)} beside it: ${problem}; ${used}`],
  );
  const readable = beside.flatMap(({ source, settings }) => (settings ? [{ source, settings }] : []));
  const differences = readable.map(({ settings }) => difference(inside, settings));
  const first = differences[0];
  if (first !== undefined && differences.every((text) => text !== undefined))
    notes.push(`${basename(readable[0].source)} beside it disagrees: ${first}; ${used}`);
  return notes;
}

/** The first field that both describe, and differently. Fields that only one has prove nothing: writers leave some out. */
function difference(inside: Fields, beside: Fields): string | undefined {
  const models = unlike("model", inside.model, beside.model);
  if (models) return models;
  const [a, b] = [inside.distiller as Fields, beside.distiller as Fields];
  for (const key of Object.keys(b)) {
    const found = unlike(`distiller.${key}`, a[key], b[key]);
    if (found) return found;
  }
  return undefined;
}

function unlike(key: string, inside: unknown, beside: unknown): string | undefined {
  const absent = (value: unknown) => value === undefined || value === null;
  if (absent(inside) || absent(beside) || comparable(inside) === comparable(beside)) return undefined;
  return `it says ${key} ${shown(beside)}, the checkpoint ${shown(inside)}`;
}

/** Lists are written as lists or as text: `[True, False]`. */
function comparable(value: unknown): string {
  if (typeof value !== "string") return JSON.stringify(value);
  try {
    return JSON.stringify(parseLiteral(value, ""));
  } catch {
    return JSON.stringify(value);
  }
}

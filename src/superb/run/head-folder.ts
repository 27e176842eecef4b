// A trained head on disk: weights as safetensors, and as JSON what it reads, what it answers and which upstream it belongs to.
import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { readSafetensors, writeSafetensors } from "../../checkpoint/formats/safetensors.ts";
import { StillwaveError } from "../../errors.ts";
import { writeFileAtomic } from "../../files.ts";
import type { Parameters } from "../../graph/array.ts";
import { headConfigSchema, headInputSchema } from "../heads/config.ts";
import { headParameters } from "../heads/parameters.ts";
import { createObjective } from "../objectives/index.ts";
import { objectiveSchema } from "../objectives/spec.ts";
import type { Frozen } from "../recipe/schema.ts";
import { TASKS } from "../tasks/index.ts";

const HEAD_FILES = { settings: "head.json", weights: "model.safetensors" } as const;
const MAX_BYTES = 2 ** 24;

const schema = z.object({
  format: z.literal(1),
  task: z.enum(Object.keys(TASKS)),
  config: headConfigSchema,
  input: headInputSchema,
  objective: objectiveSchema,
  upstream: z.object({
    /** As the user gave it; files as absolute paths. */
    spec: z.string(),
    options: z.record(z.string(), z.union([z.string(), z.number()])),
    fingerprint: z.string(),
    samplesPerFrame: z.int().min(1).max(1_000_000),
    /** Gain of the waves before the upstream, in dB. */
    gainDb: z.number().optional(),
  }),
});

export type HeadSettings = Frozen<z.infer<typeof schema>>;

export async function writeHead(folder: string, settings: HeadSettings, parameters: Parameters): Promise<void> {
  await writeSafetensors(join(folder, HEAD_FILES.weights), parameters);
  await writeFileAtomic(join(folder, HEAD_FILES.settings), `${JSON.stringify(settings, null, 2)}\n`);
}

/** @throws StillwaveError naming the file for anything missing, malformed or not fitting together. */
export async function readHead(folder: string): Promise<{ settings: HeadSettings; parameters: Parameters }> {
  const path = join(folder, HEAD_FILES.settings);
  const settings = parse(await readText(path), path);
  const weights = join(folder, HEAD_FILES.weights);
  const file = await readSafetensors(weights);
  try {
    const parameters: Parameters = new Map();
    for (const { name, shape } of headParameters(settings.config, settings.input)) {
      if (!file.tensors.has(name)) throw new StillwaveError(`${weights}: no tensor "${name}"; the head is not whole`);
      const array = await file.read(name);
      if (array.shape.join() !== shape.join())
        throw new StillwaveError(`${weights}: "${name}" is [${array.shape}], ${HEAD_FILES.settings} wants [${shape}]`);
      if (!array.data.every(Number.isFinite))
        throw new StillwaveError(`${weights}: "${name}" holds values that are not finite; train the head again`);
      parameters.set(name, array);
    }
    return { settings, parameters };
  } finally {
    await file.close();
  }
}

async function readText(path: string): Promise<string> {
  const info = await stat(path).catch(() => undefined);
  if (!info?.isFile())
    throw new StillwaveError(`${path}: not there; give the folder of a finished evaluation (stillwave superb ...)`);
  if (info.size > MAX_BYTES) throw new StillwaveError(`${path}: ${info.size} bytes are too many for a head's settings`);
  return readFile(path, "utf8");
}

function parse(text: string, path: string): HeadSettings {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new StillwaveError(`${path}: not valid JSON (${(error as Error).message})`);
  }
  const result = schema.safeParse(value);
  if (!result.success) {
    const [issue] = result.error.issues;
    throw new StillwaveError(`${path}: ${issue.path.join(".")}: ${issue.message}; train the head again`);
  }
  const { config, objective } = result.data;
  const { outputs } = createObjective(objective);
  if (config.outputs !== outputs)
    throw new StillwaveError(`${path}: the head has ${config.outputs} outputs for ${outputs} symbols or classes`);
  return result.data;
}

// Centroids and what is known of them in one file: where k-means and its seeding stand.
import { existsSync } from "node:fs";
import { z } from "zod";
import { readSafetensors, writeSafetensors } from "../../checkpoint/index.ts";
import { StillwaveError } from "../../errors.ts";
import { parseJson } from "../json.ts";
import type { Centroids } from "../nearest.ts";

const knownSchema = z.object({ key: z.string() }).readonly();

/** `key`: what they are centroids of. More is known of them. */
export type Known = z.infer<typeof knownSchema>;

export async function writeCentroids(path: string, { data, dim }: Centroids, known: Known): Promise<void> {
  const tensor = { shape: [data.length / dim, dim], data };
  await writeSafetensors(path, [["centroids", tensor]], { metadata: { kMeans: JSON.stringify(known) } });
}

/**
 * undefined where there are none, or those of something else.
 * @throws StillwaveError where the file is damaged
 */
export async function readCentroids<T extends Known>(
  path: string,
  { key, clusters }: Known & { readonly clusters: number },
  schema: z.ZodType<T>,
): Promise<{ readonly centroids: Centroids; readonly known: T } | undefined> {
  if (!existsSync(path)) return undefined;
  const file = await readSafetensors(path);
  try {
    const said = parseJson(file.metadata.get("kMeans") ?? "");
    const owner = knownSchema.safeParse(said);
    if (owner.success && owner.data.key !== key) return undefined;
    const parsed = schema.safeParse(said);
    const { shape, data } = await file.read("centroids");
    if (!parsed.success || shape.length !== 2 || shape[0] !== clusters)
      throw new StillwaveError(`${path}: not the centroids of a run; delete it and resume`);
    return { centroids: { data, dim: shape[1] }, known: parsed.data };
  } finally {
    await file.close();
  }
}

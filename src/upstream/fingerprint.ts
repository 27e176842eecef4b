// Names a model by its content: configuration and every weight.
import { createHash } from "node:crypto";
import { bytesOf, type Parameters } from "../graph/array.ts";
import type { ModelWeights } from "../models/parameters.ts";

/** SHA-256 over names, shapes and float32 values, and over what `hash` has seen before. */
export function hashOf(parameters: Parameters, hash = createHash("sha256")): string {
  for (const [name, { shape, data }] of parameters) {
    hash.update(`${name} [${shape}]\n`);
    hash.update(bytesOf(data));
  }
  return hash.digest("hex");
}

/** SHA-256 over configuration, names, shapes and float32 values. */
export function fingerprintOf({ config, parameters }: ModelWeights): string {
  const hash = createHash("sha256").update(JSON.stringify(config, Object.keys(config).sort()));
  return hashOf(parameters, hash.update(JSON.stringify([config.conv, config.posConv, config.relativePosition])));
}

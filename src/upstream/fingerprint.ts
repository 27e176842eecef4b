// Names a model by its content: configuration and every weight.
import { createHash } from "node:crypto";
import type { ModelWeights } from "../models/parameters.ts";

/** SHA-256 over configuration, names, shapes and float32 values. */
export function fingerprintOf({ config, parameters }: ModelWeights): string {
  const hash = createHash("sha256").update(JSON.stringify(config, Object.keys(config).sort()));
  hash.update(JSON.stringify([config.conv, config.posConv, config.relativePosition]));
  for (const [name, { shape, data }] of parameters) {
    hash.update(`${name} [${shape}]\n`);
    hash.update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  }
  return hash.digest("hex");
}

// Typed access to the fields of a foreign configuration: wrong types and impossible sizes are errors that name the field.
import { StillwaveError, unknownName } from "../../../errors.ts";
import { type ConvLayer, checkModelConfig, type ModelConfig, noReuse } from "../../../models/config.ts";
import { parseLiteral } from "./literal.ts";

export type Fields = Readonly<Record<string, unknown>>;

export function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Far beyond every published model; keeps a hostile configuration from describing gigabytes. */
const MAX_SIZE = 65_536;
export const MAX_LAYERS = 256;
const MAX_CONV_LAYERS = 64;

const isSize = (value: unknown, max = MAX_SIZE): value is number =>
  typeof value === "number" && Number.isInteger(value) && value >= 1 && value <= max;

/** Reads fields of `fields`; `where` names the configuration in errors. */
export class FieldReader {
  readonly fields: Fields;
  readonly where: string;
  constructor(fields: Fields, where: string) {
    this.fields = fields;
    this.where = where;
  }

  fail(name: string, text: string): never {
    throw new StillwaveError(`${this.where}: ${name} ${text}`);
  }

  has(name: string): boolean {
    return this.fields[name] !== undefined && this.fields[name] !== null;
  }

  size(name: string, fallback: number, max = MAX_SIZE): number {
    const value = this.fields[name] ?? fallback;
    if (isSize(value, max)) return value;
    return this.fail(name, `must be an integer in 1..${max}, got ${shown(value)}`);
  }

  positive(name: string, fallback: number): number {
    const value = this.fields[name] ?? fallback;
    if (typeof value === "number" && Number.isFinite(value) && value > 0) return value;
    return this.fail(name, `must be a positive number, got ${shown(value)}`);
  }

  flag(name: string, fallback: boolean): boolean {
    const value = this.fields[name] ?? fallback;
    return typeof value === "boolean" ? value : this.fail(name, `must be true or false, got ${shown(value)}`);
  }

  text(name: string, fallback: string): string {
    const value = this.fields[name] ?? fallback;
    return typeof value === "string" ? value : this.fail(name, `must be text, got ${shown(value)}`);
  }

  /** Fails unless the field is absent or has one of the values that the models here can express. */
  only(name: string, ...valid: unknown[]): void {
    const value = this.fields[name];
    if (value !== undefined && value !== null && !valid.includes(value))
      this.fail(name, `is ${shown(value)}, which is not supported; supported: ${valid.map(shown).join(", ")}`);
  }

  /** A list of sizes. */
  sizes(name: string, fallback: readonly number[]): number[] {
    const value = this.fields[name] ?? fallback;
    if (
      Array.isArray(value) &&
      value.length >= 1 &&
      value.length <= MAX_CONV_LAYERS &&
      value.every((size) => isSize(size))
    )
      return value;
    return this.fail(name, `must be a list of up to ${MAX_CONV_LAYERS} positive integers, got ${shown(value)}`);
  }
}

/** A file says something that we do not know: its mistake (exit code 1), not the caller's. */
export function unknownValue(kind: string, value: string, valid: Iterable<string>): StillwaveError {
  return new StillwaveError(unknownName(kind, value, valid).message);
}

export function shown(value: unknown): string {
  return (JSON.stringify(value) ?? String(value)).slice(0, 200);
}

/** `[(512,10,5)] + [(512,3,2)] * 4 ...` (text or a list already) as conv layers. */
export function parseConvLayers(value: unknown, where: string): ConvLayer[] {
  const list = typeof value === "string" ? parseLiteral(value, where) : value;
  const fail = (): never => {
    throw new StillwaveError(`${where}: expected a list of (channels, kernel, stride), got ${shown(value)}`);
  };
  if (!Array.isArray(list) || list.length === 0 || list.length > MAX_CONV_LAYERS) return fail();
  return list.map((item) => {
    if (!Array.isArray(item) || item.length !== 3) return fail();
    const [channels, kernel, stride] = item;
    for (const n of item) if (!isSize(n)) fail();
    return { channels, kernel, stride };
  });
}

/**
 * The official reuse pattern, one entry a layer (True: computes its map, False: takes over the last one computed; None:
 * or absent: all compute), as `attentionFrom`. Text or a list already.
 */
export function parseReusePattern(value: unknown, layers: number, where: string): number[] {
  const list = typeof value === "string" ? parseLiteral(value, where) : value;
  if (list === null || list === undefined) return noReuse(layers);
  if (!Array.isArray(list) || !list.every((item) => typeof item === "boolean"))
    throw new StillwaveError(`${where}: expected a list of True and False, got ${shown(value)}`);
  if (list.length !== layers)
    throw new StillwaveError(`${where}: ${list.length} entries for ${layers} layers: ${shown(value)}`);
  if (!list[0]) throw new StillwaveError(`${where}: the first layer must compute its map (True)`);
  let source = 0;
  return list.map((computes, layer) => {
    if (computes) source = layer;
    return source;
  });
}

/** The configuration, if it is consistent; where it is not, an error of the file `where` instead of a misuse. */
export function checkedConfig(config: ModelConfig, where: string): ModelConfig {
  try {
    checkModelConfig(config);
  } catch (error) {
    throw new StillwaveError(`${where}: ${(error as Error).message}`);
  }
  return config;
}

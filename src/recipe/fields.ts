// Fields that recipes of several kinds are made of.
import { z } from "zod";
import { LOGGER_NAMES } from "../log/logger.ts";

export const count = (max: number) => z.int().min(1).max(max);
export const natural = (max: number) => z.int().min(0).max(max);
/** Of dropout. */
export const rate = z.number().min(0).max(0.99);
/** Factor of a part of a loss. */
export const weight = z.number().min(0).max(1e6);
export const seed = natural(2 ** 32 - 1);
export const path = z.string().min(1).max(4096);
export const objectOf = <T extends z.ZodRawShape>(shape: T) => z.strictObject(shape);

/** Of a run's settings: what hears of it, and what it is called by there. */
export const loggers = z
  .array(z.enum(LOGGER_NAMES))
  .max(16)
  .default(["jsonl", "tensorboard"])
  .describe("What is written of the run as it goes on; metrics.jsonl (jsonl) always is");
export const tags = z
  .array(z.string().min(1).max(250))
  .max(64)
  .default([])
  .describe("What to find the run by in wandb and mlflow, which takes key=value");

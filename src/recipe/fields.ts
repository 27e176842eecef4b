// Fields that recipes of several kinds are made of.
import { z } from "zod";

export const count = (max: number) => z.int().min(1).max(max);
export const natural = (max: number) => z.int().min(0).max(max);
/** Of dropout. */
export const rate = z.number().min(0).max(0.99);
/** Factor of a part of a loss. */
export const weight = z.number().min(0).max(1e6);
export const seed = natural(2 ** 32 - 1);
export const path = z.string().min(1).max(4096);
export const objectOf = <T extends z.ZodRawShape>(shape: T) => z.strictObject(shape);

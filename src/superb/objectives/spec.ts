// Objectives as data: what a saved head needs beside its weights.
import { z } from "zod";
import type { Frozen } from "../recipe/schema.ts";

const ctcSchema = z.object({
  kind: z.literal("ctc"),
  /** Phones are separated by spaces; characters are joined, `|` being the space; so are those of slots, with marks around values. */
  text: z.enum(["phones", "characters", "slots"]),
  symbols: z.array(z.string()).min(2),
  special: z.array(z.string()),
});
const slotSchema = z.object({ name: z.string(), values: z.array(z.string()).min(1) });
const classesSchema = z.object({ kind: z.literal("classes"), slots: z.array(slotSchema).min(1) });

/** An objective as data: what a saved head needs beside its weights. */
export const objectiveSchema = z.discriminatedUnion("kind", [ctcSchema, classesSchema]);
export type ObjectiveSpec = Frozen<z.infer<typeof objectiveSchema>>;
export type CtcSpec = Extract<ObjectiveSpec, { kind: "ctc" }>;
export type ClassSpec = Extract<ObjectiveSpec, { kind: "classes" }>;

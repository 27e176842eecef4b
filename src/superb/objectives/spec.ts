// Objectives as data: what a saved head needs beside its weights.
import { z } from "zod";
import type { Frozen } from "../recipe/schema.ts";

const ctcSchema = z.object({
  kind: z.literal("ctc"),
  /** Phones and words are parted by spaces; characters are joined, `|` being the space; so are those of slots, with marks around values. */
  text: z.enum(["phones", "characters", "words", "slots"]),
  symbols: z.array(z.string()).min(2),
  special: z.array(z.string()),
});
const slotSchema = z.object({ name: z.string(), values: z.array(z.string()).min(1) });
const classesSchema = z.object({ kind: z.literal("classes"), slots: z.array(slotSchema).min(1) });

/** Speakers that training tells apart. */
const voicesSchema = z.object({ kind: z.literal("voices"), speakers: z.array(z.string()).min(1) });
const turnsSchema = z.object({ kind: z.literal("turns"), samplesPerFrame: z.int().min(1).max(1_000_000) });

/** An objective as data: what a saved head needs beside its weights. */
export const objectiveSchema = z.discriminatedUnion("kind", [ctcSchema, classesSchema, voicesSchema, turnsSchema]);
export type ObjectiveSpec = Frozen<z.infer<typeof objectiveSchema>>;
export type CtcSpec = Extract<ObjectiveSpec, { kind: "ctc" }>;
export type ClassSpec = Extract<ObjectiveSpec, { kind: "classes" }>;
export type VoiceSpec = Extract<ObjectiveSpec, { kind: "voices" }>;
export type TurnSpec = Extract<ObjectiveSpec, { kind: "turns" }>;

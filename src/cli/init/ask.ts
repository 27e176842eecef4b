// Questions on a terminal for what no flag says; Enter takes the answer in brackets.

import { createInterface } from "node:readline/promises";
import type { Readable, Writable } from "node:stream";
import { secondsOf } from "./estimate.ts";

export interface Answers {
  readonly data?: string;
  readonly teacher?: string;
  readonly share?: number;
  readonly budgetSeconds?: number;
}

/** Asks for what is not there, until each answer makes sense. */
export async function askFor(
  given: Answers,
  defaults: Required<Answers>,
  streams: { input: Readable; output: Writable },
): Promise<Required<Answers>> {
  const asking = createInterface({ ...streams, terminal: false });
  const lines = asking[Symbol.asyncIterator]();
  async function ask<T>(question: string, usual: string, parse: (answer: string) => T | undefined): Promise<T> {
    for (;;) {
      streams.output.write(`${question} [${usual}]: `);
      const { value, done } = await lines.next();
      const parsed = parse((done ? "" : String(value).trim()) || usual);
      if (parsed !== undefined) return parsed;
      if (done) throw new Error("the answers ended");
    }
  }
  const words = (answer: string) => answer || undefined;
  try {
    return {
      data: given.data ?? (await ask("Folder or list of speech", defaults.data, words)),
      teacher:
        given.teacher ?? (await ask("Teacher: a folder, a checkpoint or a Hugging Face id", defaults.teacher, words)),
      share:
        given.share ??
        (await ask("Share of its parameters that the student may have", String(defaults.share), shareOf)),
      budgetSeconds:
        given.budgetSeconds ??
        (await ask("How long may it train (30m, 2h, 3d)", `${defaults.budgetSeconds / 3600}h`, secondsOf)),
    };
  } finally {
    asking.close();
  }
}

/** `0.25` or `25%`; undefined for what is no share. */
export function shareOf(text: string): number | undefined {
  const [, value, percent] = /^(\d*\.?\d+) ?(%?)$/.exec(text.trim()) ?? [];
  const share = Number(value) / (percent ? 100 : 1);
  return share > 0 && share <= 1 ? share : undefined;
}

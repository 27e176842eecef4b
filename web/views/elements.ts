// The page's elements by id, and numbers as people read them.

export const element = <T extends HTMLElement = HTMLElement>(id: string) => document.getElementById(id) as T;

export interface Fact {
  readonly term: string;
  readonly value: string;
  readonly note?: string;
}

export function showFacts(facts: readonly Fact[]): void {
  element("facts").replaceChildren(
    ...facts.map(({ term, value, note }) => {
      const group = document.createElement("div");
      const [name, body] = [document.createElement("dt"), document.createElement("dd")];
      name.textContent = term;
      body.textContent = value;
      if (note) {
        const small = document.createElement("small");
        small.textContent = note;
        body.append(small);
      }
      group.append(name, body);
      return group;
    }),
  );
}

export const megabytes = (bytes: number) => `${(bytes / 1e6).toFixed(1)} MB`;

export const secondsText = (seconds: number) => `${seconds.toFixed(1)} s`;

/** How much faster than speech: `35 times`, `1.4 times`. */
export function timesFaster(seconds: number, milliseconds: number): string {
  const times = (1000 * seconds) / Math.max(milliseconds, 0.1);
  return `${times < 10 ? times.toFixed(1) : Math.round(times)} times`;
}

/** Seconds of computing for a second of sound. */
export const realTimeFactor = (seconds: number, milliseconds: number) =>
  (milliseconds / 1000 / Math.max(seconds, 1e-3)).toFixed(3);

const SMALL = ["no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"];

/** `three words`, `one phone`, `27 phones`. */
export const counted = (count: number, noun: string) => `${SMALL[count] ?? count} ${noun}${count === 1 ? "" : "s"}`;

export const capital = (text: string) => text.charAt(0).toUpperCase() + text.slice(1);

/** An error as one sentence of the page: its first line, begun with a capital and ended with a stop. */
export function sentenceOf(error: unknown): string {
  const [line] = (error instanceof Error ? error.message : String(error)).trim().split("\n");
  const text = line.length > 300 ? `${line.slice(0, 299)} …` : line;
  return /[.!?…]$/.test(text) ? text : `${text}.`;
}

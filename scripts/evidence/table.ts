// Tables of Markdown, and how their numbers are written.

export const table = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  [head, head.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |`).join("\n");

const signed = (value: number): string => `${value > 0 ? "+" : ""}${value.toFixed(2)}`;

export const probability = (p: number): string => (p < 0.001 ? "< 0.001" : p.toFixed(3));

/** A difference and its interval. */
export const difference = ({ estimate, low, high }: { estimate: number; low: number; high: number }): string =>
  `${signed(estimate)} (${signed(low)} to ${signed(high)})`;

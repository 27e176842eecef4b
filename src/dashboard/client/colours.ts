// Colours of overlaid lines, told apart in light and dark; the first is the reports' own.

const COLOURS: readonly string[] = [
  "var(--accent)",
  "var(--sub)",
  "var(--ins)",
  "var(--del)",
  "light-dark(#7a3fa0, #cf9cf0)",
  "light-dark(#5c6b00, #c3d155)",
  "light-dark(#a0326e, #f08fc0)",
  "var(--soft)",
];

export const MAX_LINES = COLOURS.length;

/** Dashes tell lines apart that share a colour: trainings of one run. */
export const strokeOf = (run: number, part: number): { readonly colour: string; readonly dash: string } => ({
  colour: COLOURS[run % COLOURS.length],
  dash: ["", "6 3", "2 3", "8 3 2 3"][part % 4],
});

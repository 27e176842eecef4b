// Colors on a stream: who wants them and who does not, by the conventions NO_COLOR, FORCE_COLOR and TERM.
import pc from "picocolors";

type Colors = ReturnType<typeof pc.createColors>;
type Environment = Readonly<Record<string, string | undefined>>;

const ALL = pc.createColors(true);
const NONE = pc.createColors(false);

/** Whether a stream gets colors: never under NO_COLOR, always under FORCE_COLOR (but for 0), else where it is a terminal that knows them. */
export function wantsColors(
  stream: { readonly isTTY?: boolean },
  { NO_COLOR, FORCE_COLOR, TERM }: Environment = process.env,
): boolean {
  if (NO_COLOR) return false;
  if (FORCE_COLOR) return FORCE_COLOR !== "0" && FORCE_COLOR !== "false";
  return stream.isTTY === true && TERM !== "dumb";
}

/** Colors that a stream gets; where it wants none, they leave text as it is. */
export const colorsOf = (stream: { readonly isTTY?: boolean }): Colors => (wantsColors(stream) ? ALL : NONE);

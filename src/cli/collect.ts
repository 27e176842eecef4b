// Options of several values: repeated (`--set a=1 --set b=2`), or with commas between them.

/** For commander: appends `value` to what the option has gathered so far. */
export function collect(value: string, gathered: readonly string[] = []): readonly string[] {
  return [...gathered, value];
}

export const commaList = (text: string): readonly string[] => text.split(",");

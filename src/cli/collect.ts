// Collects a repeatable option: `--set a=1 --set b=2`.

/** For commander: appends `value` to what the option has gathered so far. */
export function collect(value: string, gathered: readonly string[] = []): readonly string[] {
  return [...gathered, value];
}

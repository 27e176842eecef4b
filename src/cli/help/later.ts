// Verbs whose own verbs take a while to load: they are filled in when they are asked for.
import type { Command } from "commander";

const fillers = new WeakMap<Command, () => Promise<void>>();

/** `fill` adds the verbs of `group` before the first of them is looked up. */
export function fillLater(group: Command, fill: () => Promise<void>): void {
  fillers.set(group, fill);
  group.parent?.hook("preSubcommand", (_, command) => (command === group ? filled(group) : undefined));
}

/** Makes sure that the verbs of `group` are there. */
export async function filled(group: Command): Promise<void> {
  const fill = fillers.get(group);
  fillers.delete(group);
  await fill?.();
}

// stillwave superb make: corpora that stand in for those that are not to be had, the same from the same seed.
import type { Command } from "commander";
import type { Output } from "../output.ts";
import { makeSlotsVerb } from "./make-slots.ts";

export function makeVerb(group: Command, output: Output, finish: (code: number) => void): void {
  const make = group
    .command("make")
    .description("make a corpus that stands in for one that is not to be had")
    .helpCommand(false);
  makeSlotsVerb(make, output, finish);
}

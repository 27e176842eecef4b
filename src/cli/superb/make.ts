// stillwave superb make: corpora that stand in for those that are not to be had, the same from the same seed.
import type { Command } from "commander";
import { formatDuration, printable } from "../../log/index.ts";
import { countingNumber, wholeNumber } from "../numbers.ts";
import type { Output } from "../output.ts";
import { makeSlotsVerb } from "./make-slots.ts";
import { makeTrialsVerb } from "./make-trials.ts";

interface SearchOptions {
  readonly out: string;
  readonly seed: number;
  readonly speaker?: string;
  readonly documents: number;
  readonly takes: number;
  readonly json?: boolean;
}

export function makeVerb(group: Command, output: Output, finish: (code: number) => void): void {
  const make = group
    .command("make")
    .description("make a corpus that stands in for one that is not to be had")
    .helpCommand(false);
  make
    .command("search")
    .description("search (qbe): words of one speaker as queries, strings of 5 to 8 words of the others as documents")
    .argument("<labels.tsv>", "spoken words: columns path, label, speaker")
    .requiredOption("--out <dir>", "where queries, documents and truth.tsv are written")
    .option("--speaker <name>", "who says the queries (default: the first by name)")
    .option("--documents <n>", "documents", countingNumber, 200)
    .option("--takes <n>", "queries of each word in dev, and as many in test", countingNumber, 5)
    .option("--seed <n>", "of what is drawn", wholeNumber, 0)
    .option("--json", "print the result as JSON")
    .addHelpText(
      "after",
      "\nExample:\n  $ stillwave superb make search digits/labels.tsv --out digit-search\n  $ stillwave superb qbe --upstream fbank --data digit-search",
    )
    .action(async (labels: string, { json, ...options }: SearchOptions) => {
      const { makeDigitSearch } = await import("../../stand-ins/digits.ts");
      const made = await makeDigitSearch({ labels, ...options });
      if (json) output.json({ ...made, out: options.out });
      else
        output.print(
          `${printable(options.out)}: ${made.queries} queries of ${printable(made.speaker)}, ${made.documents} documents (${formatDuration(made.seconds)}) of others`,
        );
      finish(0);
    });
  makeSlotsVerb(make, output, finish);
  makeTrialsVerb(make, output, finish);
}

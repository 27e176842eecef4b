// stillwave superb make slots: sentences with slots, spoken by espeak-ng.
import { type Command, InvalidArgumentError } from "commander";
import { formatCount } from "../../log/format.ts";
import { printable, startProgress } from "../../log/index.ts";
import { wholeNumber } from "../numbers.ts";
import type { Output } from "../output.ts";

interface Options {
  readonly out: string;
  readonly voices: readonly number[];
  readonly sentences: readonly number[];
  readonly seed: number;
  readonly json?: boolean;
}

function threeCounts(text: string): readonly number[] {
  const counts = text.split(",").map(Number);
  if (counts.length === 3 && counts.every((count) => Number.isInteger(count) && count >= 1)) return counts;
  throw new InvalidArgumentError("expected three counts, of train, valid and test, such as 4,2,2.");
}

export function makeSlotsVerb(make: Command, output: Output, finish: (code: number) => void): void {
  make
    .command("slots")
    .description("slots (sf): sentences of the SNIPS annotation spoken by espeak-ng, other voices in every split")
    .argument(
      "<annotation>",
      "folder data/nlu_annotation of aws-samples/aws-lex-noisy-spoken-language-understanding (CC0) from GitHub",
    )
    .requiredOption("--out <dir>", "where the corpus is written, in the layout of Audio SNIPS")
    .option("--voices <counts>", "voices of train, valid and test, at most 8,4,4", threeCounts, [4, 2, 2])
    .option("--sentences <counts>", "sentences that each of them says", threeCounts, [1000, 200, 200])
    .option("--seed <n>", "of which sentences are taken", wholeNumber, 0)
    .option("--json", "print the result as JSON")
    .addHelpText(
      "after",
      "\nExample:\n  $ stillwave superb make slots nlu_annotation --out snips-spoken\n  $ stillwave superb sf --upstream fbank --data snips-spoken",
    )
    .action(async (annotation: string, { json, ...options }: Options) => {
      const { speakSnips } = await import("../../stand-ins/snips.ts");
      const total = options.voices.reduce((sum, count, i) => sum + count * options.sentences[i], 0);
      const progress = startProgress({ label: "speak", total, unit: "sentence" });
      const made = await speakSnips({ annotation, ...options, onProgress: (done) => progress.update(done) }).finally(
        () => progress.finish(),
      );
      const { train, valid, test } = made.recordings;
      if (json) output.json({ ...made, out: options.out });
      else
        output.print(
          `${printable(options.out)}: ${formatCount(train)} recordings to train, ${formatCount(valid)} valid, ${formatCount(test)} test; ${formatCount(made.unspelled)} sentences with digits or other letters were passed over`,
        );
      finish(0);
    });
}

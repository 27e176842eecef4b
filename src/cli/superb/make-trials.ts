// stillwave superb make trials: a list of trials for a corpus that has none, the same from the same seed.
import type { Command } from "commander";
import { writeFileAtomic } from "../../files.ts";
import { formatCount } from "../../log/format.ts";
import { printable } from "../../log/index.ts";
import { countingNumber, wholeNumber } from "../numbers.ts";
import type { Output } from "../output.ts";

interface TrialOptions {
  readonly out: string;
  readonly split: "dev" | "test";
  readonly seed: number;
  readonly most: number;
  readonly json?: boolean;
}

export function makeTrialsVerb(make: Command, output: Output, finish: (code: number) => void): void {
  make
    .command("trials")
    .description(
      "trials (asv): all pairs of a speaker across chapters, and as many of two speakers, of one sex where known",
    )
    .argument("<corpus>", "VoxCeleb1, LibriSpeech's layout, or a list with a column speaker")
    .requiredOption("--out <file>", "where the list is written, <0|1> <recording> <recording>")
    .option("--split <name>", "dev or test", "test")
    .option("--most <n>", "most pairs of one speaker", countingNumber, 10_000)
    .option("--seed <n>", "of what is drawn", wholeNumber, 0)
    .option("--json", "print the result as JSON")
    .addHelpText(
      "after",
      "\nExample:\n  $ stillwave superb make trials libri-6h --out trials.txt\n  $ stillwave superb asv --upstream fbank --data libri-6h --trials trials.txt",
    )
    .action(async (corpus: string, { out, split, seed, most, json }: TrialOptions) => {
      const { corpusTrials } = await import("../../superb/tasks/speakers/voices.ts");
      const { trialLines } = await import("../../speakers/trials.ts");
      const trials = await corpusTrials({ root: corpus, onBadFile: "stop" }, split, { seed, most });
      await writeFileAtomic(out, trialLines(trials));
      const targets = trials.filter(({ isTarget }) => isTarget).length;
      if (json) output.json({ out, trials: trials.length, targets });
      else
        output.print(`${printable(out)}: ${formatCount(trials.length)} trials, ${formatCount(targets)} of one speaker`);
      finish(0);
    });
}

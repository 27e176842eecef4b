// stillwave maps: how alike the attention maps of a model's layers are on speech, and which reuse would lose least.
import type { Command } from "commander";
import type { LoadOptions } from "../../checkpoint/index.ts";
import type { MapsResult, ReuseChoice } from "../../maps/measure.ts";
import type { DeviceChoice } from "../../runtime/device.ts";
import { collect } from "../collect.ts";
import { deviceOption, threadsOption } from "../flags.ts";
import { countingNumber, positiveNumber, wholeNumber } from "../numbers.ts";
import type { Output } from "../output.ts";
import { formatTable } from "../table.ts";

interface Options extends Pick<LoadOptions, "part"> {
  readonly data: string;
  readonly split?: readonly string[];
  readonly utterances?: number;
  readonly seconds?: number;
  readonly queries?: number;
  readonly seed?: number;
  readonly computing?: number;
  readonly groups?: number;
  readonly out?: string;
  readonly device?: DeviceChoice;
  readonly threads?: number;
  readonly json?: boolean;
}

export function mapsVerb(program: Command, output: Output, finish: (code: number) => void): void {
  program
    .command("maps")
    .description("how alike the layers' attention maps are on speech, and which reuse loses least")
    .argument("<model>", "model folder, checkpoint or Hugging Face id")
    .requiredOption("--data <path>", "speech: a folder or a manifest")
    .option("--split <name>", "sub-folder to take (repeatable; default: all)", collect)
    .option("--utterances <n>", "at most so many, drawn by the seed (default: 32)", countingNumber)
    .option("--seconds <n>", "of an utterance at most (default: 10)", positiveNumber)
    .option("--queries <n>", "frames of an utterance whose attention is compared (default: 64)", countingNumber)
    .option("--seed <n>", "of the draw (default: 0)", wholeNumber)
    .option("--computing <n>", "layers that shall compute a map (default: half of them)", countingNumber)
    .option("--groups <n>", "groups of layers with like outputs (default: a third of them)", countingNumber)
    .option("--part <part>", "student or teacher of a distillation checkpoint")
    .option("--out <file.html>", "write a page with the tables as pictures")
    .addOption(deviceOption())
    .addOption(threadsOption())
    .option("--json", "print the result as JSON")
    .addHelpText(
      "after",
      [
        "",
        "Examples:",
        "  $ stillwave maps facebook/hubert-base-ls960 --data LibriSpeech --split dev-clean",
        "  $ stillwave maps teacher/ --data speech/ --computing 3 --out maps.html",
        "",
        "Distances are Jensen-Shannon divergences in bits, heads matched one to one; a pattern loses their sum.",
        "The lines at the end belong into a recipe (docs/objectives.md).",
      ].join("\n"),
    )
    .action(async (model: string, options: Options) => {
      await run(model, options, output);
      finish(0);
    });
}

async function run(source: string, options: Options, output: Output): Promise<void> {
  const { loadCheckpoint } = await import("../../checkpoint/index.ts");
  const { measureMaps } = await import("../../maps/measure.ts");
  const { createRuntime } = await import("../../runtime/node/index.ts");
  const { createModel } = await import("../../upstream/model.ts");
  const { printable, startProgress } = await import("../../log/index.ts");
  const {
    data: path,
    split: splits,
    seconds: maxSeconds,
    computing,
    out,
    json,
    device,
    threads,
    part,
    ...rest
  } = options;
  const loaded = await loadCheckpoint(source, { part });
  for (const note of loaded.info.notes) output.note(`${printable(source)}: ${printable(note)}`);
  const model = createModel(loaded, await createRuntime({ device, threads }));
  let progress: ReturnType<typeof startProgress> | undefined;
  const onProgress = (done: number, total: number) => {
    progress ??= startProgress({ label: "maps", total, startedAt: 0, unit: "utterance" });
    progress.update(done, {});
  };
  const result = await measureMaps(model, {
    path,
    splits,
    maxSeconds,
    ...rest,
    onProgress,
    onNote: output.note,
  }).finally(() => progress?.finish());
  await model.dispose();
  const { chosenReuse } = await import("../../maps/choose.ts");
  const chosen = chosenReuse(result, computing);
  if (out !== undefined) {
    const { writeMapsPage } = await import("../../report/maps/page.ts");
    const { writeFileAtomic } = await import("../../files.ts");
    await writeFileAtomic(out, writeMapsPage({ model: source, data: path, result, chosen }));
  }
  if (json) output.json({ model: source, ...result, chosen, page: out });
  else output.print(describe(result, chosen));
  if (out !== undefined && !json) output.note(`${printable(out)}: written`);
}

const list = (numbers: readonly number[]): string => `[${numbers.join(", ")}]`;

/** Tables and recipe lines. */
function describe(result: MapsResult, chosen: ReuseChoice): string {
  const { layers, jensenShannon, totalVariation, cka, reuse, every, groups } = result;
  const names = Array.from({ length: layers }, (_, layer) => String(layer));
  const matrix = (rows: readonly (readonly number[])[]) =>
    formatTable(
      ["layer", ...names],
      rows.map((row, i) => [names[i], ...row.map((value) => value.toFixed(3))]),
      [0],
    );
  const bits = (loss: number) => loss.toFixed(3);
  const patterns = reuse.map(({ computing, blocks, any }) => [
    String(computing),
    bits(blocks.loss),
    list(blocks.attentionFrom),
    ...(any ? [bits(any.loss), list(any.attentionFrom)] : []),
  ]);
  const head = [
    "computing",
    "loss",
    "maps of the last that computes",
    ...(reuse[0].any ? ["loss", "maps of any before"] : []),
  ];
  return [
    `${result.utterances} utterances, ${result.seconds.toFixed(0)} s, ${result.queries} frames; ${layers} layers of ${result.heads} heads`,
    "",
    "Jensen-Shannon divergence between layers' maps, bits (0: alike, 1: disjoint), heads matched",
    matrix(jensenShannon),
    "",
    "Total variation between them",
    matrix(totalVariation),
    "",
    "Linear CKA of the layers' outputs (1: alike)",
    matrix(cka),
    "",
    "Reuse that loses least: an exact dynamic programme over blocks, an exact search over any earlier sources",
    formatTable(head, patterns, [2, 4]),
    ...every.map((pattern, i) => `every ${i + 2}: loses ${bits(pattern.loss)}`),
    "",
    `# ${chosen.computing} computing layers, loss ${bits((chosen.any ?? chosen.blocks).loss)}`,
    `attentionFrom: ${list((chosen.any ?? chosen.blocks).attentionFrom)}`,
    `groups: [${groups.map(list).join(", ")}]`,
  ].join("\n");
}

// stillwave convert: any checkpoint in, a model folder (or the released code's files) out.
import { type Command, InvalidArgumentError, Option } from "commander";
import type { Conversion, ConvertFormat } from "../checkpoint/index.ts";
import { printable } from "../log/format.ts";
import { namingFlags } from "./flags.ts";
import type { Output } from "./output.ts";

interface Options {
  readonly dtype: "float32" | "float16";
  readonly format: ConvertFormat;
  readonly part?: "student" | "teacher";
  readonly reuse?: "exact" | "official";
  readonly teacherHeads?: number;
  readonly force?: boolean;
  readonly json?: boolean;
}

export function convertVerb(program: Command, output: Output, finish: (code: number) => void): void {
  program
    .command("convert")
    .description("turn a checkpoint of any known format into a model folder")
    .argument("<checkpoint>", "checkpoint (file or folder), or a Hugging Face id")
    .argument("<folder>", "folder to write; must be new or empty")
    .addOption(
      new Option("--format <name>", "model folder, or .ckpt and YAML of the released ARMHuBERT code")
        .choices(["huggingface", "lightning"])
        .default("huggingface"),
    )
    .addOption(
      new Option("--dtype <type>", "how weights are stored").choices(["float32", "float16"]).default("float32"),
    )
    .addOption(
      new Option("--part <part>", "which model of a distillation checkpoint (default: student)").choices([
        "student",
        "teacher",
      ]),
    )
    .addOption(
      new Option("--reuse <semantics>", "how reusing layers apply a map (default: as the file says)").choices([
        "exact",
        "official",
      ]),
    )
    .option("--teacher-heads <n>", "attention heads of a Lightning checkpoint's teacher, where it is not known", count)
    .option("--force", "write into a folder that is not empty")
    .option("--json", "print the result as JSON")
    .addHelpText(
      "after",
      [
        "",
        "Examples:",
        "  $ stillwave convert hubert_base_ls960.pt models/hubert-base",
        "  $ stillwave convert ARMHuBERT-S.ckpt models/armhubert-s --dtype float16",
        "  $ stillwave convert runs/arm-s/best exported --format lightning",
      ].join("\n"),
    )
    .action(async (checkpoint: string, folder: string, options: Options) => {
      const { convertCheckpoint } = await import("../checkpoint/index.ts");
      const { json = false, ...rest } = options;
      const conversion = await namingFlags(() => convertCheckpoint(checkpoint, folder, rest));
      if (json) output.json(conversion);
      else printConversion(conversion, output);
      finish(0);
    });
}

/** The result of a conversion for people, warnings apart. */
export function printConversion(conversion: Conversion, output: Output): void {
  for (const warning of conversion.warnings) output.note(`warning: ${printable(warning)}`);
  output.print(describe(conversion));
}

function describe({ source, folder, format, dtype, files, config, parameters }: Conversion): string {
  const lines = [
    `${printable(folder)}: ${files.join(", ")} (read back and compared)`,
    `  from      ${printable(source.path)}: ${source.format}${source.part ? `, its ${source.part}` : ""}, ${source.storedDtype}`,
    `  model     ${config.family}, ${config.layers} layers, width ${config.dim}, ${parameters.toLocaleString("en-US")} parameters, ${dtype}`,
  ];
  if (config.attentionFrom.some((from, layer) => from !== layer)) lines.push(`  reuse     ${config.reuse}`);
  if (source.ignored.length > 0)
    lines.push(
      `  left out  ${printable(source.ignored.slice(0, 6).join(", "))}${source.ignored.length > 6 ? `, and ${source.ignored.length - 6} more` : ""}`,
    );
  for (const note of source.notes) lines.push(`  note      ${printable(note)}`);
  if (format === "lightning")
    lines.push(
      `  use       run_downstream.py -u ${config.attentionFrom.some((from, layer) => from !== layer) ? "armhubert" : "maskhubert"} -k ${printable(folder)}/${files[0]} -g ${printable(folder)}/${files[1]}`,
    );
  return lines.join("\n");
}

function count(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new InvalidArgumentError("expected a positive integer.");
  return value;
}

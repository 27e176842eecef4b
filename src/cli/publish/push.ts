// stillwave push: a model folder, or the best model of a run, onto the hub.
import type { Command } from "commander";
import { formatBytes, printable } from "../../log/format.ts";
import type { PushOptions, PushResult } from "../../publish/push.ts";
import { collect } from "../collect.ts";
import { namingFlags } from "../flags.ts";
import type { Output } from "../output.ts";
import { formatTable } from "../table.ts";

interface Options {
  readonly private?: boolean;
  readonly dryRun?: boolean;
  readonly token?: string;
  readonly license?: string;
  readonly baseModel?: readonly string[];
  readonly dataset?: readonly string[];
  readonly result?: readonly string[];
  readonly message?: string;
  readonly json?: boolean;
}

export function pushVerb(program: Command, output: Output, finish: (code: number) => void): void {
  program
    .command("push")
    .description("put a model on the Hugging Face hub: repository, card and all files")
    .argument("<repository>", "organisation/name or user/name; made where it is missing")
    .argument("<model>", "model folder, or a run (its best model)")
    .option("--private", "make the repository private, where it is made")
    .option("--dry-run", "list what would go, and the card; nothing is sent")
    .option("--token <token>", "of the hub (default: HF_TOKEN, or the one that a login saved)")
    .option(
      "--license <id>",
      "licence for the card, e.g. cc-by-4.0 (default: the teacher's, where its card states one)",
    )
    .option("--base-model <id>", "model it was made of, for the card (repeatable; default: as the card says)", collect)
    .option("--dataset <id>", "data it was trained on, for the card (repeatable; default: as the card says)", collect)
    .option(
      "--result <run>",
      "evaluation run of this model for the card (repeatable; default: those found beside it)",
      collect,
    )
    .option("--message <text>", "title of the commit")
    .option("--json", "print the result as JSON")
    .addHelpText(
      "after",
      [
        "",
        "Environment: HF_TOKEN, HF_TOKEN_PATH, HF_HOME (where a login saved its token), HF_ENDPOINT (another hub).",
        "",
        "Examples:",
        "  $ stillwave push me/student runs/arm-s --dry-run",
        "  $ stillwave push me/student runs/arm-s --license cc-by-4.0 --result runs/superb-pr-arm-s-best",
      ].join("\n"),
    )
    .action(async (repository: string, model: string, options: Options) => {
      const result = await push(repository, model, options, output);
      if (options.json) output.json(result);
      else output.print(formatPush(result));
      finish(0);
    });
}

async function push(repository: string, model: string, options: Options, output: Output): Promise<PushResult> {
  const { pushModel } = await import("../../publish/push.ts");
  const { startProgress } = await import("../../log/index.ts");
  const { json = false, baseModel, dataset, result, ...rest } = options;
  let progress: ReturnType<typeof startProgress> | undefined;
  const settings: PushOptions = {
    ...rest,
    baseModels: baseModel,
    datasets: dataset,
    results: result,
    onNote: (text) => output.note(`note: ${printable(text)}`),
    onProgress: (bytes, total) => {
      progress ??= startProgress({ label: "push", total, unit: "byte", quiet: json });
      progress.update(bytes);
    },
  };
  try {
    return await namingFlags(() => pushModel(model, repository, settings));
  } finally {
    progress?.finish();
  }
}

function formatPush({ repository, folder, files, bytes, card, results, url, commit, created }: PushResult): string {
  const count = `${files.length} ${files.length === 1 ? "file" : "files"}, ${formatBytes(bytes)}`;
  if (url !== null)
    return [
      `${url}: ${count}, commit ${commit}${created ? "; the repository is new" : ""}`,
      `  read it with loadUpstream("${repository}")`,
    ].join("\n");
  const rows = files.map((file) => [file.path, formatBytes(file.bytes)]);
  const frontMatter = card.slice(0, card.indexOf("\n---\n", 3) + 4);
  return [
    `${repository}: would get ${count} of ${printable(folder)}${results.length > 0 ? `, with the results of ${results.map(printable).join(", ")}` : ""}; nothing was sent`,
    formatTable(["file", "size"], rows, [0]),
    "README.md begins with",
    frontMatter,
  ].join("\n");
}

// The command line: parses, hands over to one verb, turns every ending into an exit code (0 ok, 1 failed, 2 misused).
import { Command, Option } from "commander";
import { wantsColors } from "../log/colors.ts";
import { silenceProgress } from "../log/progress.ts";
import { packageVersion } from "../package.ts";
import { cacheVerb } from "./cache.ts";
import { compareVerb } from "./compare/compare.ts";
import { completionVerb } from "./completion/completion.ts";
import { convertVerb } from "./convert.ts";
import { devicesVerb } from "./devices.ts";
import { distillVerb } from "./distill/distill.ts";
import { exportVerb } from "./export.ts";
import { extractVerb } from "./extract.ts";
import { reportFailure } from "./failure.ts";
import { finetuneVerb } from "./finetune/finetune.ts";
import { groupedHelp } from "./help/groups.ts";
import { helpFirst, helpNotes, helpVerb } from "./help/help.ts";
import { initVerb } from "./init/init.ts";
import { inspectVerb } from "./inspect/inspect.ts";
import { mapsVerb } from "./inspect/maps.ts";
import { type Output, processOutput } from "./output.ts";
import { pretrainVerb } from "./pretrain/pretrain.ts";
import { pushVerb } from "./publish/push.ts";
import { reportVerb } from "./report.ts";
import { streamingVerb } from "./streaming/streaming.ts";
import { superbVerb } from "./superb/superb.ts";
import { transcribeVerb } from "./transcribe.ts";
import { uiVerb } from "./ui/ui.ts";
import { verifyVerb } from "./verify.ts";

/**
 * Runs `stillwave <args>` and returns its exit code. Verbs load what they need when they run, so that help and
 * mistakes answer at once.
 */
export async function main(args: readonly string[], output: Output = processOutput()): Promise<number> {
  let code = 0;
  silenceProgress(false);
  try {
    const program = createProgram(output, (verbCode) => {
      code = verbCode;
    });
    await program.parseAsync([...helpFirst(args)], { from: "user" });
  } catch (error) {
    code = reportFailure(error, output, args.includes("--json"));
  }
  return output.flush().then(
    () => code,
    (error: unknown) => reportFailure(error, output, false),
  );
}

/** A verb adds its command to the program; `finish` takes its exit code. */
export type Verb = (program: Command, output: Output, finish: (code: number) => void) => void;

const VERBS: readonly Verb[] = [
  initVerb,
  distillVerb,
  pretrainVerb,
  finetuneVerb,
  inspectVerb,
  mapsVerb,
  verifyVerb,
  convertVerb,
  extractVerb,
  reportVerb,
  compareVerb,
  uiVerb,
  exportVerb,
  pushVerb,
  superbVerb,
  transcribeVerb,
  streamingVerb,
  cacheVerb,
  devicesVerb,
  completionVerb,
  helpVerb,
];

/** The command line with all its verbs. */
export function createProgram(output: Output, finish: (code: number) => void): Command {
  const quiet = new Option("-q, --quiet", "print results and errors only; what --json prints stays");
  const program = new Command("stillwave")
    .description("Makes large speech models small: attention-map reuse and masking distillation.")
    .version(packageVersion(), "-V, --version")
    .addOption(quiet)
    .on("option:quiet", () => {
      output.quieten();
      silenceProgress(true);
    })
    .helpCommand(false)
    .showHelpAfterError("(--help lists what is valid)")
    .exitOverride()
    .configureOutput({
      writeOut: (text) => output.print(text.trimEnd()),
      writeErr: (text) => output.error(text.trimEnd()),
      outputError: (text, write) => write(text.replace(/^error: /, "stillwave: ")),
      getOutHasColors: () => wantsColors(process.stdout),
      getErrHasColors: () => wantsColors(process.stderr),
    })
    .configureHelp(groupedHelp(quiet))
    .addHelpText("afterAll", ({ command }) => helpNotes(command, process.stdout.columns));
  for (const verb of VERBS) verb(program, output, finish);
  return program;
}

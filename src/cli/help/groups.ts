// Verbs and options in groups: under which heading --help lists which, flags the same in every verb.
import { type Argument, type Command, Help, type Option } from "commander";
import { colorsOf } from "../../log/colors.ts";

/** Flags by heading, in the order of the headings; what stands nowhere is listed first, as what the verb itself is about. */
const GROUPS: Readonly<Record<string, readonly string[]>> = {
  "Options:": [],
  "Upstream:": ["upstream", "model", "teacher", "share", "part", "reuse", "teacher-heads"],
  "Hidden states:": ["layers", "heads", "sum-of", "weights", "isolate", "batch-seconds"],
  "Data:": [
    "data",
    "data-root",
    "split",
    "train",
    "dev",
    "audio",
    "utterances",
    "mic",
    "mic-device",
    "window",
    "overlap",
    "on-bad-file",
  ],
  "Head:": [],
  "Training:": [],
  "Decoding:": ["beam", "lm", "spellings", "lm-weight", "word-score", "nbest"],
  "Streaming:": ["stream", "chunk", "left", "right", "live", "rate"],
  "File:": ["format", "dtype", "compact", "opset", "fuse", "external-data"],
  "Random draws:": ["seed", "draws"],
  "Card:": ["license", "base-model", "dataset", "result"],
  "Run:": ["set", "tasks", "quick", "time", "out", "resume", "force", "submission", "cache", "loggers"],
  "Server:": ["host", "port", "open"],
  "Computing:": ["device", "precision", "threads"],
  "Output:": ["output-dir", "json", "quiet", "help", "version"],
};

/** Verbs of the program by heading. */
const VERB_GROUPS: Readonly<Record<string, readonly string[]>> = {
  "Train:": ["init", "distill", "pretrain", "finetune"],
  "Evaluate:": ["superb", "verify", "compare"],
  "Use:": ["transcribe", "streaming", "extract", "export", "convert", "push"],
  "Look:": ["inspect", "maps", "report", "ui"],
  "This machine:": ["devices", "cache", "completion", "help"],
};

const headingsOf = (groups: Readonly<Record<string, readonly string[]>>): ReadonlyMap<string, string> =>
  new Map(Object.entries(groups).flatMap(([heading, names]) => names.map((name) => [name, heading] as const)));

const HEADINGS = [...Object.keys(GROUPS), ...Object.keys(VERB_GROUPS)];
const OPTION_HEADINGS = headingsOf(GROUPS);
const VERB_HEADINGS = headingsOf(VERB_GROUPS);

/** The heading under which help lists an option: its own, or that of its name. */
export const headingOf = (option: Option): string =>
  option.helpGroupHeading ?? OPTION_HEADINGS.get(option.long?.replace(/^--(no-)?/, "") ?? "") ?? HEADINGS[0];

/** Headings of settings, by the part of a recipe that they are in. */
export const SETTING_GROUPS: Readonly<Record<string, string>> = {
  upstream: "Upstream:",
  features: "Hidden states:",
  data: "Data:",
  head: "Head:",
  training: "Training:",
  decoding: "Decoding:",
};

/** How commander writes help: options in groups, those of the whole program in every verb. */
export const groupedHelp = (everywhere: Option): Partial<Help> => ({
  visibleOptions(command: Command) {
    const own = Help.prototype.visibleOptions.call(this, command);
    return own.includes(everywhere) ? own : [...own.slice(0, -1), everywhere, ...own.slice(-1)];
  },
  groupItems<T extends Command | Option>(all: T[], visible: T[], group: (item: T) => string): Map<string, T[]> {
    const heading = (item: T) =>
      "flags" in item
        ? headingOf(item)
        : ((item.parent?.parent ? undefined : VERB_HEADINGS.get(item.name())) ?? group(item));
    const groups = Help.prototype.groupItems.call(this, all, visible, heading as (item: Command | Option) => string);
    const sorted = [...groups].filter(([, items]) => items.length > 0);
    return new Map(sorted.sort(([a], [b]) => place(a) - place(b))) as Map<string, T[]>;
  },
  subcommandTerm: (command) => [command.name(), ...command.registeredArguments.map(argumentTerm)].join(" "),
  styleTitle: (title) => colorsOf(process.stdout).bold(title),
});

function argumentTerm(argument: Argument): string {
  const name = `${argument.name()}${argument.variadic ? "..." : ""}`;
  return argument.required ? `<${name}>` : `[${name}]`;
}

/** Headings of our own first of all; those of a verb behind `Options:`. */
const place = (heading: string): number => (HEADINGS.includes(heading) ? HEADINGS.indexOf(heading) : 0.5);

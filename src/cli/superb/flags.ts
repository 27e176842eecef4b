// Settings of an evaluation as flags: which flag gives which, in the order of the help; all else is the table's.
import { type Command, InvalidArgumentError, Option } from "commander";
import { z } from "zod";
import { InternalError } from "../../errors.ts";
import { bareField, fieldsAt } from "../../recipe/shape.ts";
import type { Override } from "../../recipe/source.ts";
import { isAmong } from "../../superb/recipe/read.ts";
import { evaluationSchema, OF_TRAINING } from "../../superb/recipe/schema.ts";
import { isSearch, type SearchTask, type Task } from "../../superb/tasks/task.types.ts";
import { collect, commaList } from "../collect.ts";
import { SETTING_GROUPS } from "../help/groups.ts";
import { countingNumber, finiteNumber, positiveNumber, wholeNumber } from "../numbers.ts";

type FlagTable = Readonly<Record<string, string>>;

const GENERAL: FlagTable = {
  "--upstream <model>": "upstream.model",
  "--data <dir>": "data.root",
  "--out <dir>": "run.outDir",
  "--lr <rates>": "training.learningRates",
  "--protocol <name>": "training.protocol",
  "--steps <n>": "training.steps",
  "--sweep-steps <n>": "training.sweepSteps",
  "--batch <n>": "training.batchSize",
  "--accumulate <n>": "training.accumulate",
  "--eval-every <n>": "training.evaluateEvery",
  "--patience <n>": "training.patience",
  "--schedule <name>": "training.schedule",
  "--warmup <n>": "training.warmup",
  "--clip <norm>": "training.clip",
  "--seed <n>": "training.seed",
  "--projection <n>": "head.projection",
  "--normalize-states": "head.normalizeStates",
  "--states <which>": "upstream.states",
  "--part <part>": "upstream.part",
  "--reuse <semantics>": "upstream.reuse",
  "--teacher-heads <n>": "upstream.teacherHeads",
  "--cache <dir>": "features.cache",
  "--no-cache": "features.cache",
  "--dtype <type>": "features.dtype",
  "--one-state <n>": "features.oneState",
  "--on-bad-file <action>": "data.onBadFile",
  "--device <name>": "run.device",
  "--threads <n>": "run.threads",
  "--loggers <names>": "run.loggers",
};

/** A task has those of its own settings. */
const OWN: FlagTable = {
  "--train <split>": "data.splits.train",
  "--dev <split>": "data.splits.dev",
  "--test <split>": "data.splits.test",
  "--decoder <rule>": "decoding.decoder",
  "--beam <n>": "decoding.beam",
  "--lexicon <file>": "data.lexicon",
  "--phones <file>": "data.phones",
  "--stress <kind>": "data.stress",
  "--symbols <file>": "data.symbols",
  "--hidden <n>": "head.hidden",
  "--stack <n>": "head.stack",
  "--no-specaugment": "training.specAugment",
  "--lm <file>": "decoding.lm",
  "--spellings <file>": "decoding.lexicon",
  "--lm-weight <x>": "decoding.lmWeight",
  "--word-score <x>": "decoding.wordScore",
  "--labels <columns>": "data.labelColumns",
  "--test-data <dir>": "data.testRoot",
  "--split-file <path>": "data.splitFile",
  "--fold <name>": "data.fold",
  "--speech <dir>": "data.speech",
  "--trials <file>": "data.trials",
  "--queries <path>": "data.queries",
  "--documents <path>": "data.documents",
  "--truth <file>": "data.truth",
};

/** What a flag that takes something away sets, and says. */
const NEGATIONS: Readonly<Record<string, { readonly value: null | false; readonly help: string }>> = {
  "--no-cache": { value: null, help: "make hidden states again whenever they are needed" },
  "--no-specaugment": { value: false, help: "train without SpecAugment" },
};

const PARSERS: Readonly<Record<string, (text: string) => unknown>> = {
  "training.learningRates": rates,
  "data.labelColumns": commaList,
  "run.loggers": commaList,
};

export const generalFlags = (command: Command, task: Task | SearchTask): void => {
  const general = Object.entries(GENERAL);
  addFlags(command, isSearch(task) ? general.filter(([, path]) => !isAmong(path, OF_TRAINING)) : general, "");
};

/** Those general flags that give these settings. */
export const flagsFor = (command: Command, paths: readonly string[]): void =>
  addFlags(
    command,
    Object.entries(GENERAL).filter(([, path]) => paths.includes(path)),
    "",
  );

export const ownFlags = (command: Command, { settings, labelColumns }: Task | SearchTask): void => {
  const own = Object.entries(OWN).filter(([, path]) => isAmong(path, settings));
  addFlags(command, own, labelColumns ? ` (default: ${labelColumns})` : "");
};

/** `columns`: what help says the columns of labels are where they are not named. */
function addFlags(command: Command, table: readonly (readonly [string, string])[], columns: string): void {
  for (const [flags, path] of table) {
    const field = fieldOf(path);
    const help = NEGATIONS[flags]?.help ?? `${field.description}${path === "data.labelColumns" ? columns : ""}`;
    const option = new Option(flags, help);
    const bare = bareField(field);
    if (bare instanceof z.ZodEnum) option.choices(bare.options.map(String));
    else if (PARSERS[path]) option.argParser(PARSERS[path]);
    else if (bare instanceof z.ZodNumber) option.argParser(numberParser(bare));
    else if (bare instanceof z.ZodArray) option.argParser(collect);
    if (field instanceof z.ZodDefault) option.default(field.def.defaultValue);
    const group = SETTING_GROUPS[path.split(".", 1)[0]];
    command.addOption(group === undefined ? option : option.helpGroup(group));
  }
}

function numberParser({ isInt, minValue }: z.ZodNumber): (text: string) => number {
  if (isInt) return minValue === 1 ? countingNumber : wholeNumber;
  return minValue === 0 ? positiveNumber : finiteNumber;
}

/** The flags that were typed, as overrides of a recipe. */
export function givenFlags(command: Command): Override[] {
  return command.options.flatMap((option): Override[] => {
    const path = GENERAL[option.flags] ?? OWN[option.flags];
    const name = option.attributeName();
    const value: unknown = command.getOptionValue(name);
    const isOther = option.negate !== (value === false);
    if (path === undefined || command.getOptionValueSource(name) !== "cli" || isOther) return [];
    const given = option.negate ? NEGATIONS[option.flags].value : value;
    return [{ path: path.split("."), value: given, by: option.name(), isFlag: true }];
  });
}

/** The first flag without which there is no evaluation, where nothing stands for it. `rootFrom`: what stands for the corpus's root. */
export function missingFlag(flags: readonly Override[], set: readonly string[], rootFrom?: string): string | undefined {
  const isGiven = (path: string): boolean =>
    (path === "data.root" && rootFrom !== undefined && isGiven(`data.${rootFrom}`)) ||
    flags.some((flag) => flag.path.join(".") === path) ||
    set.some((text) => path.startsWith(text.split("=")[0].trim()));
  const missing = Object.entries(GENERAL).find(([, path]) => !fieldOf(path).isOptional() && !isGiven(path));
  return missing?.[0];
}

function fieldOf(path: string): z.ZodType {
  const [field] = fieldsAt(evaluationSchema, path.split("."));
  if (!field) throw new InternalError(`no setting ${path}`);
  return field as z.ZodType;
}

function rates(text: string): "sweep" | readonly number[] {
  if (text === "sweep") return "sweep";
  const list = text.split(",").map((item) => (item.trim() === "" ? Number.NaN : Number(item)));
  if (list.some((rate) => !(rate > 0 && Number.isFinite(rate))))
    throw new InvalidArgumentError("expected sweep or numbers such as 1e-2,1e-3.");
  return list;
}

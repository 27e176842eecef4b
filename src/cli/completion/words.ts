// What can follow what on the command line, read off the commander tree: verbs, flags, their values, recipes, files.
import type { Argument, Command, Option } from "commander";
import { shippedRecipes } from "../../recipe/places.ts";
import { filled } from "../help/later.ts";

/** What may stand in one place: some words, and names from the disk. */
export interface Value {
  readonly words: readonly string[];
  readonly names: "files" | "folders" | "none";
}

export interface FlagWords {
  /** `--device`, `-h`. */
  readonly names: readonly string[];
  readonly description: string;
  /** Undefined for a flag that takes none. */
  readonly value: Value | undefined;
}

/** One verb. */
export interface VerbWords {
  /** `superb pr`; empty for the program itself. */
  readonly path: string;
  readonly verbs: readonly { readonly name: string; readonly description: string }[];
  readonly flags: readonly FlagWords[];
  readonly arguments: readonly Value[];
  /** Whether the last argument may be repeated. */
  readonly isVariadic: boolean;
}

/** The program and all verbs below it, those that are loaded later too. */
export async function verbWords(command: Command, everywhere: readonly Option[], path = ""): Promise<VerbWords[]> {
  await filled(command);
  const inherited = everywhere.filter((option) => !command.options.includes(option));
  const flags = [...command.options, ...inherited].filter(({ hidden }) => !hidden).map(flagWords);
  const help = { names: ["-h", "--help"], description: "display help for command", value: undefined };
  const own: VerbWords = {
    path,
    verbs: command.commands.map((verb) => ({ name: verb.name(), description: firstSentence(verb.description()) })),
    flags: [...flags, help],
    arguments: await Promise.all(command.registeredArguments.map((argument) => argumentValue(argument, path))),
    isVariadic: command.registeredArguments.at(-1)?.variadic ?? false,
  };
  const below: VerbWords[] = [];
  for (const verb of command.commands)
    below.push(...(await verbWords(verb, everywhere, `${path} ${verb.name()}`.trim())));
  return [own, ...below];
}

function flagWords(option: Option): FlagWords {
  const names = [option.short, option.long].filter((name) => name !== undefined);
  const takesValue = option.required || option.optional;
  const value = takesValue ? valueNamed(/<([^>]+)>/.exec(option.flags)?.[1] ?? "", option.argChoices) : undefined;
  return { names, description: firstSentence(option.description), value };
}

async function argumentValue(argument: Argument, path: string): Promise<Value> {
  const name = argument.name();
  const value = valueNamed(name, argument.argChoices);
  return name.startsWith("recipe") ? { ...value, words: await recipesFor(path) } : value;
}

/** Recipes that come with the package, of the kind that a verb takes. */
async function recipesFor(path: string): Promise<string[]> {
  const [verb, task] = path.split(" ");
  if (verb === "superb") {
    const all = await shippedRecipes("evaluation");
    return all.filter((name) => name.startsWith(`superb-${task}-`)).sort();
  }
  const kinds = { pretrain: "pretraining", finetune: "finetuning" } as const;
  return (await shippedRecipes(kinds[verb as keyof typeof kinds] ?? "distillation")).sort();
}

/** Placeholders whose values are on the disk; of models they may be ids too. */
const FILES = /^(file|path|audio|model|checkpoint|recipe|manifest|labels|list)/;
const FOLDERS = /^(dir|folder|run|case-folder|corpus|annotation)/;

/** What stands for a placeholder: `<dir>` for folders, `<n>` for nothing that could be listed. */
function valueNamed(placeholder: string, choices: readonly string[] | undefined): Value {
  if (choices) return { words: choices, names: "none" };
  const names = FOLDERS.test(placeholder) ? "folders" : FILES.test(placeholder) ? "files" : "none";
  return { words: [], names };
}

/** Descriptions stand on one line beside a word. */
const firstSentence = (text: string): string =>
  text
    .replace(/\s+/g, " ")
    .split(/[;(]| e\.g\./)[0]
    .trim();

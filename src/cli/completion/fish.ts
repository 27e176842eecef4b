// The completion script for fish, with what each word means.
import type { FlagWords, Value, VerbWords } from "./words.ts";

const HEAD = `# Completion of stillwave for fish, written by \`stillwave completion fish\`. For this user, for good:
#   stillwave completion fish > ~/.config/fish/completions/stillwave.fish
`;

/** The verb that stands on the line, \`superb pr\`, is what \`__stillwave_at\` compares. */
const functions = (paths: readonly string[]): string => `
function __stillwave_path
  set -l paths ${paths.map(fishQuoted).join(" ")}
  set -l path ''
  for word in (commandline -opc)[2..]
    set -l longer (string trim "$path $word")
    if contains -- $longer $paths
      set path $longer
    end
  end
  echo $path
end

function __stillwave_at
  test (__stillwave_path) = "$argv[1]"
end

complete -c stillwave -f
`;

const fishQuoted = (text: string): string => `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;

function valueArguments({ words, names }: Value): string[] {
  const listed = words.length > 0 ? [`-a ${fishQuoted(words.join(" "))}`] : [];
  if (names === "files") return ["-F", ...listed];
  if (names === "folders") return [`-a ${fishQuoted(["(__fish_complete_directories)", ...words].join(" "))}`];
  return listed;
}

function flagLine(condition: string, { names, description, value }: FlagWords): string {
  const spelled = names.map((name) => (name.startsWith("--") ? `-l ${name.slice(2)}` : `-s ${name.slice(1)}`));
  const takes = value ? ["-r", ...(value.names === "files" ? [] : ["-f"]), ...valueArguments(value)] : [];
  return ["complete -c stillwave", condition, ...spelled, ...takes, `-d ${fishQuoted(description)}`].join(" ");
}

/** Arguments in their order cannot be told apart here: each is offered in every place. */
function verbLines(verb: VerbWords): string[] {
  const condition = `-n ${fishQuoted(`__stillwave_at ${fishQuoted(verb.path)}`)}`;
  const line = (...rest: readonly string[]) => ["complete -c stillwave", condition, ...rest].join(" ");
  return [
    ...verb.verbs.map(({ name, description }) => line(`-a ${name}`, `-d ${fishQuoted(description)}`)),
    ...verb.arguments.map((value) => valueArguments(value)).flatMap((rest) => (rest.length > 0 ? [line(...rest)] : [])),
    ...verb.flags.map((flag) => flagLine(condition, flag)),
  ];
}

export function fishScript(verbs: readonly VerbWords[]): string {
  const paths = verbs.map(({ path }) => path).filter((path) => path !== "");
  const top = verbs.find(({ path }) => path === "")?.verbs ?? [];
  const helped = top.map(
    ({ name, description }) =>
      `complete -c stillwave -n "__stillwave_at help" -a ${name} -d ${fishQuoted(description)}`,
  );
  return [HEAD + functions(paths), ...verbs.flatMap(verbLines), ...helped, ""].join("\n");
}

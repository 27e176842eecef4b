// Completion as shells do it: the script is read by the shell itself, which says what it would offer.
import { spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { temporaryFolder } from "../data/corpora.ts";
import { repository, stillwave } from "./run.ts";

const scripts: Record<string, string> = {};
const folder = temporaryFolder();
beforeAll(async () => {
  mkdirSync(join(folder, "data"));
  for (const name of ["mine.yaml", "a b.wav"]) writeFileSync(join(folder, name), "");
  for (const shell of ["bash", "zsh", "fish"]) {
    const { code, stdout, stderr } = await stillwave(["completion", shell]);
    expect([code, stderr]).toEqual([0, ""]);
    scripts[shell] = stdout;
    writeFileSync(join(folder, shell), stdout);
  }
});

const isInstalled = (shell: string) => spawnSync(shell, ["--version"]).status === 0;

function run(shell: string, args: readonly string[], input?: string): string {
  const { status, stdout, stderr } = spawnSync(shell, args, { cwd: folder, encoding: "utf8", input });
  expect([status, stderr]).toEqual([0, ""]);
  return stdout;
}

/** What bash offers for the last of `words`. */
function bash(...words: string[]): string[] {
  const list = ["stillwave", ...words].map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(" ");
  const script = `source ./bash; COMP_WORDS=(${list}) COMP_CWORD=${words.length}; _stillwave; printf '%s\\n' "\${COMPREPLY[@]}"`;
  return run("bash", ["-c", script]).split("\n").filter(Boolean);
}

describe("bash", () => {
  test("verbs, those below a verb, and those of help", () => {
    expect(bash("di")).toEqual(["distill"]);
    expect(bash("")).toEqual(expect.arrayContaining(["distill", "superb", "completion", "help"]));
    expect(bash("superb", "")).toEqual(expect.arrayContaining(["pr", "asr", "all", "score", "make"]));
    expect(bash("superb", "make", "")).toEqual(expect.arrayContaining(["search", "slots", "trials"]));
    expect(bash("help", "trans")).toEqual(["transcribe"]);
  });

  test("flags of the verb, and the one of all verbs", () => {
    expect(bash("distill", "--pre")).toEqual(["--precision"]);
    expect(bash("superb", "pr", "--eval")).toEqual(["--eval-every"]);
    for (const verb of ["report", "inspect", "export"]) expect(bash(verb, "--q")).toEqual(["--quiet"]);
    expect(bash("distill", "quickstart", "--resume", "--the")).toEqual([]);
  });

  test("values of choices, also behind =", () => {
    expect(bash("distill", "--device", "xla:")).toEqual(["xla:cpu", "xla:cuda", "xla:rocm", "xla:tpu"]);
    expect(bash("distill", "--precision", "=", "bf")).toEqual(["bf16"]);
    expect(bash("superb", "pr", "--stress", "")).toEqual(["stressed", "folded"]);
    expect(bash("completion", "")).toEqual(["bash", "zsh", "fish"]);
    expect(bash("distill", "--threads", "")).toEqual([]);
  });

  test("recipes of the verb's kind, files and folders", () => {
    expect(bash("distill", "quick")).toEqual(["quickstart"]);
    expect(bash("distill", "--threads", "2", "m")).toEqual(["maskhubert-960", "mine.yaml"]);
    expect(bash("pretrain", "h")).toEqual(["hubert-base-pretrain", "hubert-tiny-pretrain"]);
    expect(bash("superb", "ks", "superb-ks-l")).toEqual(["superb-ks-lighthubert"]);
    // a recogniser is a file, or the folder of a run
    expect(bash("transcribe", "").sort()).toEqual(["a b.wav", "bash", "data", "fish", "mine.yaml", "zsh"]);
    expect(bash("transcribe", "runs/asr", "a")).toEqual(["a b.wav"]);
    expect(bash("transcribe", "runs/asr", "x.wav", "--times", "a")).toEqual(["a b.wav"]);
    expect(bash("distill", "--out", "")).toEqual(["data"]);
  });

  test("a new verb of the program is in the script without being named anywhere else", () => {
    for (const verb of ["verify", "maps", "devices", "cache"]) expect(scripts.bash).toContain(`'${verb}')`);
  });
});

describe("zsh", () => {
  /** What an interactive zsh, which the zpty module runs, shows after a line and a Tab, once it shows `expected` or 30 s are over. */
  function zsh(line: string, expected: string): string {
    const script = `
zmodload zsh/zpty
zpty shell zsh -f -i
zpty -w shell "bindkey -e; PS1=; unsetopt prompt_sp; stty rows 60 columns 200; autoload -Uz compinit && compinit -u -D; source ./zsh; echo rea''dy"
seen=
wait_for() {
  for i in {1..300}; do
    if zpty -r -t shell more; then seen+=$more; else sleep 0.1; fi
    if [[ $seen == *"$1"* ]]; then return; fi
  done
}
wait_for ready; seen=; wait_for 2004h
zpty -n -w shell ${JSON.stringify(line)}
wait_for ${JSON.stringify(line)}
zpty -n -w shell $'\\t'
wait_for ${JSON.stringify(expected)}
print -r -- "$seen"
zpty -d shell`;
    return run("zsh", ["-f", "-c", script]);
  }

  test("parses, and completes verbs, flags and values with what they mean", (context) => {
    if (!isInstalled("zsh")) {
      console.log("skipped: no zsh on this machine (apt-get install zsh)");
      return context.skip();
    }
    run("zsh", ["-n", "./zsh"]);
    for (const [line, shown] of [
      ["stillwave superb pr --stre", "ss"],
      ["stillwave superb pr --st", "-- stress marks of vowels"],
      ["stillwave distill --precision=b", "f16"],
      ["stillwave distill maskh", "ubert-960"],
    ])
      expect(zsh(line, shown)).toContain(shown);
  });
});

describe("fish", () => {
  test("parses, and completes verbs, flags and values with what they mean", (context) => {
    if (!isInstalled("fish")) {
      console.log("skipped: no fish on this machine (apt-get install fish)");
      return context.skip();
    }
    const offers = (line: string) =>
      run("fish", ["--no-config", "-c", `source ./fish; complete -C ${JSON.stringify(line)}`]).split("\n");
    expect(offers("stillwave disti")).toContain("distill\tdistil a student from a teacher as a recipe says");
    expect(offers("stillwave superb p").map((one) => one.split("\t")[0])).toContain("pr");
    expect(
      offers("stillwave superb pr --stress ")
        .map((one) => one.split("\t")[0])
        .filter(Boolean),
    ).toEqual(["folded", "stressed"]);
    expect(offers("stillwave superb pr --eval")[0]).toMatch(/^--eval-every\tupdates between evaluations on dev/);
    expect(offers("stillwave distill maskh").map((one) => one.split("\t")[0])).toContain("maskhubert-960");
    expect(offers("stillwave distill --out d")).toEqual(expect.arrayContaining([expect.stringMatching(/^data\//)]));
    expect(offers("stillwave help trans")[0]).toMatch(/^transcribe\t/);
  });
});

test("a script names every verb that help lists", async () => {
  const { stdout } = await stillwave(["--help"], { cwd: repository });
  const listed = [...stdout.matchAll(/^ {2}([a-z]+)(?: [<[]| {2,})/gm)].map(([, name]) => name);
  expect(listed.length).toBeGreaterThan(14);
  expect(bash("")).toEqual(expect.arrayContaining(listed));
});

#!/bin/sh
# Published numbers again: HuBERT Base and a released student on PR and KS, trained by the shipped recipes, beside what is published.
# Not run where there is no hub and no LibriSpeech: it needs both, some 250 GB for caches, and days on a CPU.
# Usage: bench/published.sh <LibriSpeech> <lexicon> <speech_commands_v0.01> [runs folder]
set -eu
libri=$1 lexicon=$2 commands=$3 runs=${4:-runs/published}
stillwave="node $(dirname "$0")/../bin/stillwave.js"
student=$runs/ARMHuBERT-960h.ckpt
mkdir -p "$runs"

hub=${HF_ENDPOINT:-https://huggingface.co}
[ -f "$student" ] || {
  curl --fail --location --output "$student.part" "$hub/sungnyun/ARMHuBERT/resolve/main/ARMHuBERT-960h.ckpt"
  mv "$student.part" "$student"
}

# A run that is there goes on where it stopped.
run() {
  task=$1 recipe=$2 out=$runs/$2
  shift 2
  [ -f "$out/run.json" ] && set -- "$@" --resume
  $stillwave superb "$task" "$recipe" --out "$out" "$@"
}
run pr superb-pr-hubert-base --data "$libri" --lexicon "$lexicon" --decoder reference
run ks superb-ks-hubert-base --data "$commands"
run pr superb-pr-armhubert --data "$libri" --lexicon "$lexicon" --decoder reference --upstream "$student"
run ks superb-ks-armhubert --data "$commands" --upstream "$student"

# What is published, against the interval over utterances; seeds move a number too.
node - "$runs" <<'SCRIPT'
const { readFileSync } = require("node:fs");
const published = {
  "superb-pr-hubert-base": 5.41,
  "superb-ks-hubert-base": 96.3,
  "superb-pr-armhubert": 7.72,
  "superb-ks-armhubert": 96.88,
};
for (const [run, value] of Object.entries(published)) {
  const { metric } = JSON.parse(readFileSync(`${process.argv[2]}/${run}/result.json`, "utf8"));
  const inside = value >= metric.low && value <= metric.high ? "inside" : "outside";
  console.log(
    `${run}: ${metric.name} ${metric.value.toFixed(2)} (${metric.low.toFixed(2)} to ${metric.high.toFixed(2)}), published ${value}: ${inside} the interval`,
  );
}
SCRIPT

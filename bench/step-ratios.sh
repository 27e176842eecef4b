#!/usr/bin/env bash
# An update of ARMHuBERT-S under HuBERT Base on this machine's processor, ours and PyTorch's in turn: rounds, each in processes of
# its own, so that what else the machine does is spread over all of them.
#
#   bench/step-ratios.sh [OUT]
#
# OUT (default runs/step-ratios) gets results.jsonl as it goes and table.md: medians over the rounds, peak memory (the most that
# the process held, as /usr/bin/time -v tells it), and the ratio to the faster of PyTorch's, in float32 and with autocast.
#
# Variables:
#   RATIOS_ROUNDS   rounds (5); RATIOS_STEPS updates of a round, their median counts (3)
#   RATIOS_SECONDS  lengths (5 15); RATIOS_BATCH (2)
#   RATIOS_OURS     what of ours: onnx xla-float32 xla-bf16 (all, xla where STILLWAVE_XLA_PLUGIN names a plugin)
#   RATIOS_RIVALS   folder with torch_step.py; without it ours stands alone
#   RATIOS_AMP      autocast of PyTorch's: none bf16 (both)
#   PYTHON          one that has torch (python3)
set -u
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(dirname "$here")
out=${1:-$root/runs/step-ratios}
mkdir -p "$out"
results=$out/results.jsonl
: >"$results"
python=${PYTHON:-python3} rivals=${RATIOS_RIVALS:-} steps=${RATIOS_STEPS:-3} batch=${RATIOS_BATCH:-2}
default=onnx
[ -z "${STILLWAVE_XLA_PLUGIN:-}" ] || default="onnx xla-float32 xla-bf16"
tsx=$root/node_modules/.bin/tsx

# measure PART NAME COMMAND...: its line of JSON, with part and name.
measure() {
  local part=$1 name=$2 line
  shift 2
  line=$("$@" 2>"$out/stderr.txt" </dev/null | grep '^{' | tail -n 1)
  if [ -n "$line" ]; then
    echo "{\"part\":\"$part\",\"name\":\"$name\",${line#\{}" >>"$results"
    echo "$part $name: $(sed 's/.*"median_s": *\([0-9.]*\).*/\1/' <<<"$line") s"
  else
    echo "$part $name: failed: $(tail -n 3 "$out/stderr.txt" | tr '\n' ' ')"
  fi
}

ours() {
  local part=$1 seconds=$2 what
  for what in ${RATIOS_OURS:-$default}; do
    case $what in
      onnx) set -- --device cpu ;;
      *) set -- --device xla --precision "${what#xla-}" ;;
    esac
    measure "$part" "$what" "$tsx" "$here/distill-step.ts" --batch "$batch" --seconds "$seconds" --steps "$steps" "$@"
  done
}

torch() {
  local part=$1 seconds=$2 amp
  [ -n "$rivals" ] || return 0
  local lean=(--style lean --share-conv --semantics exact)
  set -- "$python" "$rivals/torch_step.py" --batch "$batch" --seconds "$seconds" --steps "$steps" --split-steps 0
  for amp in ${RATIOS_AMP:-none bf16}; do
    measure "$part" "released ${amp}" "$@" --amp "$amp"
    measure "$part" "lean ${amp}" "$@" --amp "$amp" "${lean[@]}"
  done
}

echo "$(uname -m), $(nproc) cores, $(grep -m 1 'model name' /proc/cpuinfo | cut -d: -f2-), $(grep -oE -m 1 'amx_bf16|avx512_bf16' /proc/cpuinfo | head -n 1 || true)"
for ((round = 1; round <= ${RATIOS_ROUNDS:-5}; round++)); do
  for seconds in ${RATIOS_SECONDS:-5 15}; do
    part="$batch x $seconds s"
    ours "$part" "$seconds"
    torch "$part" "$seconds"
  done
  "$tsx" "$here/results-table.ts" "$results" >"$out/table.md"
done
cat "$out/table.md"

#!/usr/bin/env bash
# What an accelerator does with a distillation, beside PyTorch on the same device, in one run of less than ten minutes.
#
#   bench/accelerator.sh [OUT]
#
# Parts, in this order, each with its own time limit, each going on where another failed:
#   verify      the recorded cases (a folder of cases: ACCELERATOR_CASES)
#   step16      an update of ARMHuBERT-S under HuBERT Base at 16 x 12 s: ours, the released PyTorch step, a lean one, in turn;
#               memory; the device's matrix-multiply rate
#   kernels     the heaviest kernels of that update (needs Python with jax)
#   quickstart  the quickstart distilled to its end, its validation loss beside the CPU's
#   step32      as step16 at 32 x 15 s
#   speech      16 x 12 s from a folder of files of at least 12 s (ACCELERATOR_SPEECH): decoding included
#   precisions  our update at 16 x 12 s in tf32 and float32
# OUT (default runs/accelerator) gets results.jsonl (a line a result, as soon as it is there), table.md and logs.
#
# Variables:
#   ACCELERATOR_PARTS      which parts (default: all), e.g. "step16 kernels"
#   ACCELERATOR_SECONDS    the whole run's limit (540)
#   ACCELERATOR_DEVICE     --device of ours (xla); ACCELERATOR_PRECISION its precision (bf16)
#   ACCELERATOR_RIVALS     folder with torch_step.py, one update in PyTorch; without it, or without torch, ours stands alone
#   ACCELERATOR_TORCH_DEVICE  cuda or cpu (what torch finds)
#   ACCELERATOR_ROUNDS     rounds of the ratios (3)
#   ACCELERATOR_JOBS       processes that verify at a time (a third of the cores, six at most)
#   ACCELERATOR_SET        more settings of the recipe for our updates, e.g. "run.threads=4 optimizer.clipNorm=1"
#   ACCELERATOR_CPU_LOSS   the CPU's validation loss at the end of the quickstart (--set data.lengths=2); else the CPU is run too
#   ACCELERATOR_TINY       1: small models and lengths everywhere, to try this script
#   STILLWAVE_XLA_PLUGIN   the plugin; default: the one of jax in this Python, with its CUDA libraries
#   PYTHON                 python3
set -u
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(dirname "$here")
out=${1:-${OUT:-$root/runs/accelerator}}
mkdir -p "$out"
out=$(cd "$out" && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
results=$out/results.jsonl log=$out/log.txt
: >"$results"
: >"$log"
python=${PYTHON:-python3}
device=${ACCELERATOR_DEVICE:-xla} precision=${ACCELERATOR_PRECISION:-bf16} rounds=${ACCELERATOR_ROUNDS:-3}
limit=${ACCELERATOR_SECONDS:-540} began=$SECONDS
in_precision=(--precision "$precision")
tiny=${ACCELERATOR_TINY:-}
rivals=${ACCELERATOR_RIVALS:-}
work=${ACCELERATOR_WORK:-${TMPDIR:-/tmp}/stillwave-bench}

say() { echo "[$((SECONDS - began)) s] $*" | tee -a "$log"; }
emit() { echo "$1" | tee -a "$results"; }
left() { echo $((limit - (SECONDS - began))); }
# JSON's text of a string.
quoted() { printf '"%s"' "$(printf '%s' "$1" | tr -s '\000-\037' ' ' | sed 's/["\\]/\\&/g')"; }
skip() { emit "{\"what\":\"skipped\",\"part\":$(quoted "$1"),\"why\":$(quoted "$2")}"; }

# TypeScript beside this script: built, in a package that travels, or as it is, in a checkout.
script() {
  local name=$1
  shift
  if [ -f "$here/$name.js" ]; then node "$here/$name.js" "$@"; else "$root/node_modules/.bin/tsx" "$here/$name.ts" "$@"; fi
}
stillwave() { node "$root/bin/stillwave.js" "$@"; }
# A command of ours in its environment (PyTorch brings its own libraries). First argument: more flags of XLA.
ours() {
  # XLA takes a blank for the name of a file
  local all="$flags${1:+ $1}"
  [ -z "$all" ] || export XLA_FLAGS="${all# }"
  [ -z "$libraries" ] || export LD_LIBRARY_PATH="$libraries${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
  shift
  "$@"
}

# run PART SECONDS COMMAND...: the command within its limit and the run's; stdout into $scratch/stdout, the rest into the log.
# Where it fails, a result says so.
run() {
  local part=$1 most=$2 rest status why group
  shift 2
  rest=$(left)
  if [ "$rest" -lt 15 ]; then
    skip "$part" "no time left"
    return 1
  fi
  [ "$most" -le "$rest" ] || most=$rest
  say "$part: $*"
  { declare -f script stillwave ours; declare -p here root flags libraries; echo '"$@"'; } >"$scratch/call.sh"
  timeout -k 5 "$most" bash "$scratch/call.sh" "$@" >"$scratch/stdout" 2>"$scratch/stderr" </dev/null &
  group=$!
  wait "$group"
  status=$?
  # what shuts down gently would outlive its limit
  kill -KILL -- "-$group" 2>/dev/null
  tail -c 200000 "$scratch/stderr" >>"$log"
  [ "$status" = 0 ] && return 0
  tail -c 2000 "$scratch/stdout" >>"$log"
  # what went wrong stands before Node's stack, and after Python's
  why=$(grep -m 1 -E '^[A-Za-z]*Error( \[.*\])?:|^stillwave: ' "$scratch/stderr" || tail -n 3 "$scratch/stderr")
  emit "{\"what\":\"failed\",\"part\":$(quoted "$part"),\"status\":$status,\"limit_s\":$most,\"command\":$(quoted "$*"),\"last\":$(quoted "${why:0:400}")}"
  return 1
}
# Every line of JSON that the last command printed, with its part and, where one is given, a name.
collect() {
  local line
  while IFS= read -r line; do
    case $line in '{'*) emit "{\"part\":$(quoted "$1"),${2:+\"name\":$(quoted "$2"),}${line#\{}" ;; esac
  done <"$scratch/stdout"
}
wanted() { case " ${ACCELERATOR_PARTS:-verify step16 kernels quickstart step32 speech precisions} " in *" $1 "*) true ;; *) false ;; esac }
table() { script results-table "$results" >"$out/table.md" 2>>"$log"; }

# The plugin that jax has installed, and the libraries that it needs: names of variables and values.
find_plugin() {
  "$python" - <<'PY'
import glob, os, sysconfig
for site in {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}:
    for plugin in glob.glob(os.path.join(site, "jax_plugins", "xla_cuda*", "xla_cuda_plugin.so")):
        libraries = glob.glob(os.path.join(site, "nvidia", "*", "lib"))
        tools = [d for d in glob.glob(os.path.join(site, "nvidia", "cu*")) + ["/usr/local/cuda"] if os.path.isdir(os.path.join(d, "nvvm"))]
        print(plugin)
        print(":".join(libraries))
        print(tools[0] if tools else "")
        raise SystemExit
raise SystemExit(1)
PY
}
libraries='' tools=''
if [ -z "${STILLWAVE_XLA_PLUGIN:-}" ] && found=$(find_plugin 2>>"$log"); then
  { read -r STILLWAVE_XLA_PLUGIN; read -r libraries; read -r tools; } <<<"$found"
  export STILLWAVE_XLA_PLUGIN
fi
say "plugin ${STILLWAVE_XLA_PLUGIN:-none named}; CUDA in ${tools:-no folder}"
export TF_CPP_MIN_LOG_LEVEL=${TF_CPP_MIN_LOG_LEVEL:-2}
flags=${XLA_FLAGS:-}
[ -z "$tools" ] || flags="$flags --xla_gpu_cuda_data_dir=$tools"
has_torch=''
if [ -n "$rivals" ] && [ -f "$rivals/torch_step.py" ]; then
  if "$python" -c 'import torch' 2>>"$log"; then has_torch=1; else skip rivals "$python has no torch"; fi
else
  skip rivals "no torch_step.py: name its folder in ACCELERATOR_RIVALS"
fi
torch_device=${ACCELERATOR_TORCH_DEVICE:-}
if [ -n "$has_torch" ] && [ -z "$torch_device" ]; then
  torch_device=$("$python" -c 'import torch; print("cuda" if torch.cuda.is_available() else "cpu")')
fi
command -v nvidia-smi >/dev/null &&
  emit "{\"what\":\"device\",\"name\":$(quoted "$(nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader)")}"

# Our update. ours_step PART SECONDS FLAGS-OF-XLA NAME ARGUMENTS...
ours_step() {
  local part=$1 most=$2 more=$3 name=$4 sets=() setting
  shift 4
  for setting in ${ACCELERATOR_SET:-}; do sets+=(--set "$setting"); done
  local size=(--steps 40 --block 10)
  [ -z "$tiny" ] || size=(--steps 4 --block 2 --recipe quickstart --teacher package:examples/hubert-small-libri)
  run "$part" "$most" ours "$more" script distill-step --device "$device" --work "$work" "${size[@]}" "${sets[@]}" "$@" &&
    collect "$part" "$name"
}
# An update in PyTorch. torch_step PART SECONDS NAME ARGUMENTS...
torch_step() {
  local part=$1 most=$2 name=$3
  shift 3
  [ -n "$has_torch" ] || return 0
  local size=(--steps 20 --split-steps 0)
  [ "$torch_device" = cuda ] || size=(--steps 1 --warmup 1 --split-steps 0)
  run "$part" "$most" "$python" "$rivals/torch_step.py" --device "$torch_device" "${size[@]}" "$@" && collect "$part" "$name"
}
released=(--amp fp16) lean=(--style lean --share-conv --semantics exact --amp bf16 --optim fused)
[ "$torch_device" = cuda ] || released=() lean=(--style lean --share-conv --semantics exact)

# ratios PART BATCH SECONDS LIMIT-OF-OURS ROUNDS FLAGS-OF-XLA: rounds of all three in turn, as long as another fits.
ratios() {
  local part=$1 batch=$2 seconds=$3 most=$4 count=$5 more=$6 size round start last=0
  size=(--batch "$batch" --seconds "$seconds")
  local until=$((SECONDS + ${7:-200}))
  for ((round = 1; round <= count; round++)); do
    if [ "$round" -gt 1 ] && [ $((SECONDS + last)) -gt "$until" ]; then
      skip "$part" "round $round: no time left for it"
      break
    fi
    start=$SECONDS
    ours_step "$part" "$most" "$more" ours "${size[@]}" "${in_precision[@]}"
    torch_step "$part" 60 released "${size[@]}" "${released[@]}"
    torch_step "$part" 60 lean "${size[@]}" "${lean[@]}"
    last=$((SECONDS - start))
    table
  done
}
sizes16=(16 12) sizes32=(32 15)
[ -z "$tiny" ] || { sizes16=(2 1) sizes32=(2 2); }
dump=$work/xla
rm -rf "$dump"
dumping="--xla_dump_to=$dump --xla_dump_hlo_as_text"

# Recorded steps one by one, checkpoints together, several processes at a time: what takes long is to compile, and speed is not
# asked for here: the first kernel that computes it will do.
verify_cases() {
  scratch=$(mktemp -d "$scratch/verify.XXXXXX")
  run verify 100 ours "--xla_gpu_autotune_level=0" stillwave verify "$@" --device "$device" --json
  [ -s "$scratch/stdout" ] || return
  cat "$scratch/stdout" >>"$out/verify.json"
  script results-table --verify "$scratch/stdout" >"$scratch/lines" 2>>"$log"
  mv "$scratch/lines" "$scratch/stdout"
  collect verify ""
}
part_verify() {
  local cases=${ACCELERATOR_CASES:-} case checkpoints=() cores jobs
  [ -n "$cases" ] || { skip verify "no cases: name their folder in ACCELERATOR_CASES"; return; }
  cores=$(nproc)
  jobs=${ACCELERATOR_JOBS:-$((cores < 6 ? 1 : cores < 18 ? cores / 3 : 6))}
  local until=$((SECONDS + ${ACCELERATOR_VERIFY_SECONDS:-80}))
  free_place() { while [ "$(jobs -rp | wc -l)" -ge "$jobs" ]; do wait -n; done; }
  for case in "$cases"/*/; do
    [ -f "$case/data.safetensors" ] || { checkpoints+=("${case%/}"); continue; }
    free_place
    if [ "$SECONDS" -gt "$until" ]; then skip verify "${case%/}: no time left for it"; else verify_cases "${case%/}" & fi
  done
  free_place
  [ ${#checkpoints[@]} = 0 ] || verify_cases "${checkpoints[@]}" &
  wait
}

part_step16() {
  local size=8192
  [ -z "$tiny" ] || size=512
  if run step16 40 "$python" "$here/matrix-rate.py" "$size"; then collect step16 matrix-rate; fi
  ratios step16 "${sizes16[@]}" 150 "$rounds" "$dumping" 200
}

# The text is what XLA was given in step16, so that the same options made it; a program from the cache leaves none.
part_kernels() {
  local text
  largest() { find "$dump" -name '*before_optimizations.txt' -printf '%s %p\n' 2>/dev/null | sort -n | tail -n 1 | cut -d' ' -f2-; }
  text=$(largest)
  if [ -z "$text" ]; then
    XDG_CACHE_HOME=$scratch/cache ours_step kernels 120 "$dumping" ours --batch "${sizes16[0]}" --seconds "${sizes16[1]}" "${in_precision[@]}"
    text=$(largest)
  fi
  [ -n "$text" ] || { skip kernels "XLA left no text of its programs in $dump"; return; }
  gzip -c "$text" >"$out/step.hlo.txt.gz"
  local optimized=${text%before_optimizations.txt}
  for optimized in "$optimized"*after_optimizations.txt; do [ -f "$optimized" ] && gzip -c "$optimized" >"$out/step-optimized.hlo.txt.gz"; done
  "$python" -c 'import jax' 2>>"$log" || { skip kernels "$python has no jax"; return; }
  if run kernels 100 ours "" "$python" "$here/heaviest-kernels.py" "$text"; then collect kernels "$precision"; fi
}

part_quickstart() {
  # two padded lengths: a program for each, and not for every batch
  local steps=(--set data.lengths=2) loss=${ACCELERATOR_CPU_LOSS:-} run=$scratch/quickstart
  [ -z "$tiny" ] || steps+=(--set run.steps=4 --set run.validationUtterances=4)
  local start=$SECONDS
  run quickstart 120 ours "--xla_gpu_autotune_level=0" stillwave distill quickstart "${steps[@]}" \
    --set "run.device=$device" --set "run.precision=$precision" --out "$run" --json || return
  cp "$run/metrics.jsonl" "$out/quickstart-metrics.jsonl"
  if [ -z "$loss" ]; then
    local cpu=$scratch/quickstart-cpu
    run quickstart 400 stillwave distill quickstart "${steps[@]}" --set run.device=cpu --out "$cpu" --json &&
      loss=$(script results-table --loss "$cpu/summary.json" 2>>"$log")
  fi
  emit "{\"part\":\"quickstart\",\"what\":\"quickstart\",\"name\":\"ours\",\"precision\":$(quoted "$precision"),\"seconds\":$((SECONDS - start)),\"loss\":$(script results-table --loss "$run/summary.json" 2>>"$log"),\"cpu_loss\":${loss:-null}}"
}

part_step32() { ratios step32 "${sizes32[@]}" 110 1 "" 60; }

part_speech() {
  local speech=${ACCELERATOR_SPEECH:-}
  [ -n "$speech" ] || { skip speech "no speech: name a folder in ACCELERATOR_SPEECH"; return; }
  # several epochs: speech stays decoded after the first
  local size=(--steps 240 --block 20)
  [ -z "$tiny" ] || size=()
  ours_step speech 120 "$dumping" "from files" --batch "${sizes16[0]}" --seconds "${sizes16[1]}" "${in_precision[@]}" --speech "$speech" "${size[@]}"
}

part_precisions() {
  local other
  for other in tf32 float32; do
    ours_step precisions 100 "" "$other" --batch "${sizes16[0]}" --seconds "${sizes16[1]}" --precision "$other"
  done
}

for part in verify step16 kernels quickstart step32 speech precisions; do
  wanted "$part" || continue
  say "== $part"
  "part_$part"
  table
done
say "done"
cat "$out/table.md"

"""The heaviest kernels of a program, from JAX's profiler. One JSON line on stdout.

python3 heaviest-kernels.py PROGRAM [--runs 3] [--top 10]

PROGRAM: StableHLO text, or the HLO text that XLA_FLAGS=--xla_dump_to=FOLDER leaves (*.before_optimizations.txt), or a folder with
such texts, of which the longest is taken. Inputs are random numbers: what is timed depends on shapes alone. Donated inputs are
kept, so a run here may copy what a real one writes in place.
"""
import argparse
import collections
import glob
import gzip
import json
import os
import re
import sys
import tempfile
import time

parser = argparse.ArgumentParser()
parser.add_argument("program")
parser.add_argument("--runs", type=int, default=3)
parser.add_argument("--top", type=int, default=10)
args = parser.parse_args()

import jax  # noqa: E402
import numpy as np  # noqa: E402
from jaxlib import xla_client  # noqa: E402

jax.config.update("jax_enable_x64", True)

path = args.program
if os.path.isdir(path):
    found = [f for kind in ("*.mlir", "*before_optimizations.txt") for f in glob.glob(os.path.join(path, kind))]
    if not found:
        sys.exit(f"{path}: no program text")
    path = max(found, key=os.path.getsize)
text = open(path).read()
is_hlo = text.startswith("HloModule")

import ml_dtypes  # noqa: E402  comes with jax

KINDS = {
    "f32": np.float32, "f16": np.float16, "bf16": ml_dtypes.bfloat16, "f64": np.float64, "i1": np.bool_, "pred": np.bool_,
    **{f"{sign}{bits}": np.dtype(f"{'u' if 'u' in sign else ''}int{bits}") for sign in ("s", "i", "u", "ui") for bits in (8, 16, 32, 64)},
}


def hlo_inputs():
    """Shapes of the parameters of ENTRY, in order."""
    entry = text[re.search(r"^ENTRY ", text, re.M).start():]
    entry = entry[:entry.index("\n}")]
    found = re.findall(r"= (\w+)\[([\d,]*)\]\S* parameter\((\d+)\)", entry)
    shapes = {int(i): (kind, [int(d) for d in dims.split(",") if d]) for kind, dims, i in found}
    return [shapes[i] for i in range(len(shapes))]


def stablehlo_inputs():
    """Types of the arguments of @main."""
    head = text[text.index("@main("):]
    found = re.findall(r"%\w+: tensor<([^>]*)>", head[:re.search(r"\)\s*->", head).start()])
    return [(kind.split("x")[-1], [int(d) for d in kind.split("x")[:-1]]) for kind in found]


def without_aliases(hlo):
    """The text without input_output_alias={...} and buffer_donor={...} in its first line."""
    head, rest = hlo.split("\n", 1)
    for name in ("input_output_alias=", "buffer_donor="):
        start = head.find(name)
        if start < 0:
            continue
        end, depth = head.index("{", start), 0
        while True:
            depth += {"{": 1, "}": -1}.get(head[end], 0)
            end += 1
            if depth == 0:
                break
        head = head[:start].rstrip(", ") + head[end:]
    return head + "\n" + rest


device = jax.devices()[0]
if is_hlo:
    inputs = hlo_inputs()
    parse = getattr(xla_client._xla, "hlo_module_from_text", None) or xla_client.hlo.hlo_module_from_text
    module = parse(without_aliases(text))
    computation = xla_client.XlaComputation(module.as_serialized_hlo_module_proto())
    program = xla_client._xla.mlir.xla_computation_to_mlir_module(computation)
else:
    inputs = stablehlo_inputs()
    program = re.sub(r"\{(tf\.aliasing_output = \d+ : i32|jax\.buffer_donor = true)\}", "", text)

start = time.time()
devices = xla_client.DeviceList((device,))
try:
    executable = device.client.compile_and_load(program, devices, xla_client.CompileOptions())
except TypeError:  # bytes in some versions
    program = program.encode() if isinstance(program, str) else program
    executable = device.client.compile_and_load(program, devices, xla_client.CompileOptions())
compile_s = time.time() - start

random = np.random.default_rng(0)


def array(kind, shape):
    dtype = np.dtype(KINDS[kind])
    if kind in ("f32", "f16", "bf16", "f64"):
        return (0.02 * random.standard_normal(shape, np.float32)).astype(dtype)
    return np.zeros(shape, dtype) if shape == [] else (random.random(shape, np.float32) < 0.9).astype(dtype)


values = [jax.device_put(array(kind, shape), device) for kind, shape in inputs]


def run():
    outputs = executable.execute_sharded(values).disassemble_into_single_device_arrays()
    flat = [x for output in outputs for x in (output if isinstance(output, (list, tuple)) else [output])]
    jax.block_until_ready(flat)


run()
times = []
for _ in range(args.runs):
    start = time.time()
    run()
    times.append(time.time() - start)

folder = tempfile.mkdtemp()
jax.profiler.start_trace(folder)
for _ in range(args.runs):
    run()
jax.profiler.stop_trace()
traces = glob.glob(os.path.join(folder, "**", "*.trace.json.gz"), recursive=True)
events = json.load(gzip.open(sorted(traces)[-1]))["traceEvents"]
processes = {e["pid"]: e["args"]["name"] for e in events if e.get("ph") == "M" and e["name"] == "process_name"}
threads = {(e["pid"], e["tid"]): e["args"]["name"] for e in events if e.get("ph") == "M" and e["name"] == "thread_name"}
on_gpu = any("GPU" in name for name in processes.values())
spent, calls, kinds = collections.Counter(), collections.Counter(), collections.Counter()
for event in events:
    if event.get("ph") != "X":
        continue
    where = processes.get(event["pid"], "")
    thread = threads.get((event["pid"], event["tid"]), "")
    op = event.get("args", {}).get("hlo_op")
    # a GPU's kernels are on its streams; the CPU's are events with the name of an op
    if not ("GPU" in where and "Stream" in thread if on_gpu else op):
        continue
    name = event["name"] if on_gpu else op
    key = name if not op or op == name else f"{op}: {name}"
    ms = event["dur"] / 1000 / args.runs
    spent[key] += ms
    calls[key] += 1
    kinds[re.sub(r"[._]?\d+", "", name)[:60]] += ms
total = sum(spent.values())
print(json.dumps({
    "what": "heaviest_kernels",
    "program": os.path.basename(path),
    "device": device.device_kind,
    "compile_s": round(compile_s, 1),
    "run_ms": round(1000 * sorted(times)[len(times) // 2], 3),
    "kernels_ms": round(total, 3),
    "heaviest": [{"kernel": key[:120], "ms": round(ms, 3), "calls": calls[key] // args.runs, "share": round(ms / total, 4)}
                 for key, ms in spent.most_common(args.top)],
    "kinds": [{"kind": key, "ms": round(ms, 3), "share": round(ms / total, 4)} for key, ms in kinds.most_common(25)],
}))

"""Parses and verifies StableHLO text with jaxlib, and compiles what is short: read_with_jaxlib.py <file>..., a line for each."""

import sys

from jaxlib import xla_client
from jaxlib.mlir import ir
from jaxlib.mlir._mlir_libs import _jax_mlir_ext
from jaxlib.mlir.dialects import chlo, stablehlo

client = xla_client.make_cpu_client()
devices = xla_client.DeviceList(tuple(client.devices()[:1]))
registry = ir.DialectRegistry()
_jax_mlir_ext.register_dialects(registry)
for path in sys.argv[1:]:
    text = open(path).read()
    with ir.Context() as context:
        context.append_dialect_registry(registry)
        context.load_all_available_dialects()
        chlo.register_dialect(context)
        stablehlo.register_dialect(context)
        ir.Module.parse(text).operation.verify()
    if len(text) < 200_000:
        client.compile_and_load(text, devices, xla_client.CompileOptions())
    print("compiled" if len(text) < 200_000 else "read", path)

"""The rate of an 8192^3 product in bfloat16 (or the size given), in TFLOP/s, by PyTorch or, without it, JAX. One JSON line on stdout.

python3 matrix-rate.py [SIZE]
"""
import json
import sys
import time

size = int(sys.argv[1]) if len(sys.argv) > 1 else 8192


def measure(product, wait, runs=20, warmup=3):
    for _ in range(warmup):
        product()
    wait()
    start = time.perf_counter()
    for _ in range(runs):
        product()
    wait()
    return 2 * size**3 * runs / (time.perf_counter() - start) / 1e12


try:
    import torch

    device = "cuda" if torch.cuda.is_available() else "cpu"
    a, b = (torch.randn(size, size, device=device).to(torch.bfloat16) for _ in range(2))
    wait = torch.cuda.synchronize if device == "cuda" else lambda: None
    rates = [measure(lambda: a @ b, wait) for _ in range(3)]
    by, kind = f"torch {torch.__version__}", torch.cuda.get_device_name() if device == "cuda" else "cpu"
except ImportError:
    import jax
    import jax.numpy as jnp

    keys = jax.random.split(jax.random.key(0))
    a, b = (jax.random.normal(key, (size, size)).astype(jnp.bfloat16) for key in keys)
    multiply, last = jax.jit(lambda a, b: a @ b), []

    def product():
        last[:] = [multiply(a, b)]

    rates = [measure(product, lambda: last[0].block_until_ready()) for _ in range(3)]
    by, kind = f"jax {jax.__version__}", jax.devices()[0].device_kind
print(json.dumps({"what": "matrix_rate", "size": size, "dtype": "bf16", "tflop_per_s": max(rates), "by": by, "device": kind}))

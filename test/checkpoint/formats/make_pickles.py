# Writes, as JSON on standard output, pickles of many values in every protocol beside what they hold; and exploits (`exploits MARKER`).
import argparse, base64, builtins, collections, json, os, pickle, subprocess, sys

def shown(v):
    if v is None or isinstance(v, (bool, str)):
        return v
    if isinstance(v, int):
        return v if abs(v) < 2**53 else {"int": str(v)}
    if isinstance(v, float):
        return {"float": "nan" if v != v else "inf" if v == float("inf") else "-inf" if v == float("-inf") else v.hex()}
    if isinstance(v, (bytes, bytearray)):
        return {"bytes": v.hex()}
    if isinstance(v, (list, tuple)):
        return {"list": [shown(x) for x in v]}
    if isinstance(v, (set, frozenset)):
        return {"set": sorted(json.dumps(shown(x)) for x in v)}
    if isinstance(v, dict):
        return {"dict": [[shown(k), shown(x)] for k, x in v.items()]}
    return {"record": type(v).__module__ + "." + type(v).__qualname__, "state": shown(v.__dict__)}

class Thing:
    pass
Thing.__module__ = "some.package"
sys.modules["some"] = sys.modules["some.package"] = type(sys)("some.package")
sys.modules["some.package"].Thing = Thing
thing = Thing()
thing.weight, thing.deep = 3, {"a": [1, 2]}

numbers = [0, 1, -1, 255, 256, 65535, 65536, -65537, 2**31 - 1, 2**31, -(2**31), 2**53 - 1, 2**53 + 1, -(2**63), 2**64, 2**70, -(2**70), 2**600]
floats = [0.0, -0.0, 1.5, -1e-300, 1e308, 0.1, float("inf"), float("-inf"), float("nan"), 5e-324]
texts = ["", "plain", "quote ' \" \\ back", "line\nbreak\ttab\r", "ünïcödé \u4e2d \U0001f600", "x" * 300, "y" * 700, "\ufeffbom"]
shared = [1]
cases = {
    "numbers": numbers, "floats": floats, "texts": texts, "constants": [None, True, False],
    "bytes": [b"", bytes(range(256)), b"z" * 300, bytearray(b"abc")],
    "tuples": [(), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4), ((), ((),))],
    "nested": {"a": {"b": [{"c": (1, [2])}]}, 3: "three", (1, 2): "tuple", None: 0},
    "long list": list(range(2500)), "long dict": {str(i): i for i in range(2500)},
    "sets": [set(), {1, 2, 3}, frozenset({"a"}), frozenset()],
    "ordered": collections.OrderedDict([("b", 1), ("a", 2)]), "default": collections.defaultdict(list, {"k": [1]}),
    "namespace": argparse.Namespace(layers=12, conv="[(1,2,3)]", nested=argparse.Namespace(x=1)), "thing": thing,
    "shared": [shared, shared, {"s": shared}], "empty": [[], {}, "", (), set()],
}

def exploits(marker):
    class Call:
        def __init__(self, f, *args):
            self.f, self.args = f, args
        def __reduce__(self):
            return self.f, self.args
    command = f"touch {marker}"
    made = {
        "os.system": Call(os.system, command),
        "builtins.eval": Call(builtins.eval, f"__import__('os').system({command!r})"),
        "builtins.exec": Call(builtins.exec, f"import os; os.system({command!r})"),
        "subprocess.Popen": Call(subprocess.Popen, ["touch", marker]),
        "builtins.getattr": Call(builtins.getattr, os, "system"),
        "nested": {"model": {"w": [Call(os.system, command)]}, "cfg": Call(os.system, command)},
        "key": {"a": 1, Call(os.system, command): 2},
    }
    out = {}
    for name, value in made.items():
        for protocol in range(6):
            try:
                out[f"{name} {protocol}"] = base64.b64encode(pickle.dumps(value, protocol)).decode()
            except Exception as error:
                if name != "builtins.getattr":
                    raise
    out["raw 0"] = base64.b64encode(f"cos\nsystem\n(S'{command}'\ntR.".encode()).decode()
    out["inst"] = base64.b64encode(f"(S'{command}'\nios\nsystem\n.".encode()).decode()
    out["obj"] = base64.b64encode(b"(cos\nsystem\nS'" + command.encode() + b"'\no.").decode()
    return out

if len(sys.argv) > 2 and sys.argv[1] == "exploits":
    json.dump(exploits(sys.argv[2]), sys.stdout)
else:
    json.dump({name: {"value": shown(value), "pickles": [base64.b64encode(pickle.dumps(value, p)).decode() for p in range(6)]}
               for name, value in cases.items()}, sys.stdout)

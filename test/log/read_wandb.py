# Prints what W&B's own reader finds in a .wandb file, as JSON.
import json
import sys

from wandb.proto import wandb_internal_pb2
from wandb.sdk.internal.datastore import DataStore

store = DataStore()
store.open_for_scan(sys.argv[1])
found = {"history": [], "kinds": []}


def items(entries):
    return {"/".join(entry.nested_key) or entry.key: json.loads(entry.value_json) for entry in entries}


while (data := store.scan_data()) is not None:
    record = wandb_internal_pb2.Record()
    record.ParseFromString(data)
    kind = record.WhichOneof("record_type")
    found["kinds"].append(kind)
    if kind == "run":
        run = record.run
        found["run"] = {
            "id": run.run_id,
            "project": run.project,
            "group": run.run_group,
            "type": run.job_type,
            "name": run.display_name,
            "tags": list(run.tags),
            "began": run.start_time.ToJsonString(),
            "config": items(run.config.update),
        }
    if kind == "history":
        found["history"].append({"step": record.history.step.num, **items(record.history.item)})
    if kind == "summary":
        found["summary"] = items(record.summary.update)
    if kind == "exit":
        found["exit"] = record.exit.exit_code
# NaN and infinities as Python's json writes them are no JSON elsewhere
print(json.dumps(found).replace("NaN", '"NaN"').replace("Infinity", '"Infinity"'))

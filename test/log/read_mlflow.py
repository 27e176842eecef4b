# Prints what MLflow's client finds in a file store, as JSON: argv[1] is the store.
import json
import logging
import pathlib
import sys

from mlflow import MlflowClient

logging.disable(logging.WARNING)
client = MlflowClient(pathlib.Path(sys.argv[1]).resolve().as_uri())
found = []
for experiment in client.search_experiments():
    for run in client.search_runs([experiment.experiment_id]):
        history = {
            name: [[point.step, str(point.value), point.timestamp] for point in client.get_metric_history(run.info.run_id, name)]
            for name in run.data.metrics
        }
        found.append(
            {
                "experiment": experiment.name,
                "id": run.info.run_id,
                "name": run.info.run_name,
                "status": run.info.status,
                "began": run.info.start_time,
                "params": run.data.params,
                "tags": run.data.tags,
                "metrics": history,
            }
        )
print(json.dumps(found))

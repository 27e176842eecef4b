# Cards as others read them: PyYAML's view of the front matter, and huggingface_hub's ModelCard. JSON on stdout.
import json, sys, yaml
from huggingface_hub import ModelCard

cards = []
for path in json.load(sys.stdin)["cards"]:
    text = open(path, encoding="utf-8").read()
    assert text.startswith("---\n"), path
    card = ModelCard(text)
    results = [{"task": r.task_type, "dataset": r.dataset_name, "split": r.dataset_split, "metric": r.metric_type, "value": r.metric_value}
               for r in card.data.eval_results or []]
    cards.append({"yaml": yaml.safe_load(text.split("---\n")[1]), "hub": card.data.to_dict(), "results": results, "body": card.text.lstrip()[:40]})
json.dump(cards, sys.stdout)

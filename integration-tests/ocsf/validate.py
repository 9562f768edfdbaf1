"""Validates OCSF Detection Findings (JSON lines, or one JSON value a file) with
py-ocsf-models. Exit 0: all valid; 1: some are not, each named by file and line."""
import json
import sys

from py_ocsf_models.events.findings.detection_finding import DetectionFinding


def records(path):
    text = open(path, encoding="utf-8").read()
    if text.startswith("---"):  # an insta golden: front matter, then the value
        text = text.split("---", 2)[2]
    try:
        whole = json.loads(text)
        return list(enumerate(whole if isinstance(whole, list) else [whole], 1))
    except json.JSONDecodeError:
        lines = enumerate(text.splitlines(), 1)
        return [(number, json.loads(line)) for number, line in lines if line.strip()]


bad = total = 0
for path in sys.argv[1:]:
    for number, record in records(path):
        total += 1
        try:
            DetectionFinding.model_validate(record)
            if record["type_uid"] != record["class_uid"] * 100 + record["activity_id"]:
                raise ValueError("type_uid is not class_uid * 100 + activity_id")
        except ValueError as error:
            bad += 1
            print(f"{path}:{number}: {error}", file=sys.stderr)
print(f"ocsf: {total} records, {bad} invalid")
sys.exit(1 if bad or not total else 0)

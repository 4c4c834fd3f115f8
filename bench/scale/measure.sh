#!/usr/bin/env bash
# Runs the same federation with more and more clients, and writes time per participant and round and peak memory.
#
#   bench/scale/measure.sh MODEL DATA OUT
#
# OUT gets scale.md and scale.json.
set -euo pipefail

[ $# -eq 3 ] || { echo "usage: bench/scale/measure.sh MODEL DATA OUT" >&2; exit 2; }
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for clients in 1000 10000; do
    for preset in ecolora ecolora+; do
        echo "$clients clients, $preset" >&2
        "$here/../../ecolora" run "$here/scale.yaml" --model "$1" --data "$2" --set federation.clients=$clients --set exchange.preset=$preset \
            --out "$work/$clients-$preset" > /dev/null
    done
done
python3 - "$work" "$3" <<'PYTHON'
import json, os, sys

rows = []
for name in sorted(os.listdir(sys.argv[1]), key=lambda name: (int(name.split("-")[0]), name)):
    with open(os.path.join(sys.argv[1], name, "report.json"), encoding="utf-8") as file:
        report = json.load(file)
    arm, timing = report["arms"][0], report["timing"]
    trained = sum(len(round["participants"]) for round in arm["rounds"])
    rows.append({
        "clients": int(name.split("-")[0]), "preset": name.split("-")[1], "participants": len(arm["rounds"][0]["participants"]), "rounds": len(arm["rounds"]),
        "threads": timing["threads"], "seconds": round(timing["arms"][0]["seconds"], 1), "ms_per_client_round": round(1000 * timing["arms"][0]["seconds"] / trained, 1),
        "peak_mib": round(timing["peakMemoryBytes"] / 2**20), "frames_mb": round((arm["totals"]["up"]["framed"] + arm["totals"]["down"]["framed"]) / 1e6, 2),
        "control_mb": round((arm["totals"]["controlUp"]["framed"] + arm["totals"]["controlDown"]["framed"]) / 1e6, 2),
    })
with open("/proc/cpuinfo", encoding="utf-8") as file:
    cpu = next(line.split(":")[1].strip() for line in file if line.startswith("model name"))
page = "# Scale\n\nMade by `bench/scale/measure.sh`; how to read it is in bench/README.md.\n\n" + f"{cpu}, {rows[0]['threads']} threads.\n\n"
page += "| " + " | ".join(rows[0]) + " |\n|" + " --- |" * len(rows[0]) + "\n"
page += "".join("| " + " | ".join(str(value) for value in row.values()) + " |\n" for row in rows)
os.makedirs(sys.argv[2], exist_ok=True)
with open(os.path.join(sys.argv[2], "scale.md"), "w", encoding="utf-8") as file:
    file.write(page)
with open(os.path.join(sys.argv[2], "scale.json"), "w", encoding="utf-8") as file:
    json.dump({"kind": "bench-scale", "machine": {"cpu": cpu}, "rows": rows}, file, indent=1)
print(page)
PYTHON

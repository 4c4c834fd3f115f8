#!/usr/bin/env python3
"""Writes the dashboards beside it: what each shows is one line here. `make_dashboards.py` writes dashboards/*.json anew.

A query is PromQL; $run is the chosen run. The tests run every query against a real Prometheus that has scraped a run of the services."""
import json
import pathlib

RUN = 'ecolora_run="$run"'


def panel(kind, title, unit, queries, width, height=8, description="", options=None, stack=False):
    """A panel; queries are (PromQL, legend)."""
    defaults = {"unit": unit, "custom": {"lineWidth": 2, "fillOpacity": 30 if stack else 8, "showPoints": "auto", "stacking": {"mode": "normal" if stack else "none"}}} if kind == "timeseries" else {"unit": unit}
    return {
        "type": kind, "title": title, "description": description, "datasource": {"type": "prometheus", "uid": "${datasource}"},
        "gridPos": {"w": width, "h": height}, "fieldConfig": {"defaults": defaults, "overrides": []}, "options": options or {},
        "targets": [{"refId": chr(ord("A") + i), "expr": query, "legendFormat": legend, "instant": kind in ("stat", "bargauge"), "datasource": {"type": "prometheus", "uid": "${datasource}"}}
                    for i, (query, legend) in enumerate(queries)],
    }


def stat(title, unit, query, description="", width=4):
    return panel("stat", title, unit, [(query, "")], width, 4, description, {"colorMode": "none", "graphMode": "none", "reduceOptions": {"calcs": ["lastNotNull"]}})


def lines(title, unit, *queries, description="", width=12, stack=False):
    return panel("timeseries", title, unit, queries, width, 8, description, {"legend": {"displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "multi"}}, stack)


def bars(title, unit, *queries, description="", width=12):
    return panel("bargauge", title, unit, queries, width, 8, description, {"orientation": "horizontal", "displayMode": "basic", "reduceOptions": {"calcs": ["lastNotNull"]}})


def dashboard(uid, title, description, panels, of_run=True):
    x = y = row = 0
    for number, each in enumerate(panels):
        place = each["gridPos"]
        if x + place["w"] > 24:
            x, y, row = 0, y + row, 0
        each["id"], place["x"], place["y"] = number + 1, x, y
        x, row = x + place["w"], max(row, place["h"])
    variables = [{"name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus", "current": {}}]
    if of_run:
        query = "label_values(ecolora_run_state, ecolora_run)"
        variables.append({"name": "run", "label": "Run", "type": "query", "datasource": {"type": "prometheus", "uid": "${datasource}"}, "definition": query, "query": {"query": query, "refId": "run"}, "refresh": 2, "sort": 1})
    return {
        "uid": uid, "title": title, "description": description, "tags": ["ecolora"], "timezone": "browser", "schemaVersion": 39, "version": 1, "editable": True, "refresh": "15s",
        "time": {"from": "now-6h", "to": "now"}, "templating": {"list": variables}, "annotations": {"list": []}, "panels": panels,
        "links": [{"type": "dashboards", "tags": ["ecolora"], "title": "EcoLoRA", "includeVars": True, "asDropdown": False}],
    }


def traffic(direction, stage="framed"):
    return f'ecolora_traffic_bytes_total{{{RUN},ecolora_direction="{direction}",ecolora_stage="{stage}"}}'


def quantile(q, name, by, where=""):
    return f"histogram_quantile({q}, sum by (le, {by}) (rate({name}_bucket{{{where}}}[$__rate_interval])))"


STAGES = ["dense_fp32", "dense_fp16", "segment", "sparse", "golomb", "coded", "framed"]

SAVINGS = dashboard("ecolora-savings", "EcoLoRA: savings", "What a run has sent, and what a dense exchange of the same deliveries would have.", [
    stat("Sent, both ways", "bytes", f'sum(ecolora_traffic_bytes_total{{{RUN},ecolora_stage="framed"}})', "Every message as published, with header, checksum, signature and control messages; the ledger's total."),
    stat("Less than dense FP16", "percentunit", f'ecolora_reduction_ratio{{{RUN},ecolora_baseline="dense_fp16"}}'),
    stat("Less than dense FP32", "percentunit", f'ecolora_reduction_ratio{{{RUN},ecolora_baseline="dense_fp32"}}'),
    stat("A round", "bytes", f'sum(ecolora_traffic_bytes_total{{{RUN},ecolora_stage="framed"}}) / scalar(ecolora_rounds_total{{{RUN}}})', "Bytes of a complete round, on average."),
    stat("Less than the paper's coding", "percentunit", f'1 - sum(ecolora_traffic_bytes_total{{{RUN},ecolora_stage="coded"}}) / sum(ecolora_traffic_bytes_total{{{RUN},ecolora_stage="golomb"}})', "The same entries, had they been coded by Golomb gaps and plain values."),
    stat("Control messages", "percentunit", f'sum(ecolora_traffic_bytes_total{{{RUN},ecolora_direction=~"control-.*"}}) / sum(ecolora_traffic_bytes_total{{{RUN},ecolora_stage="framed"}})', "Share of what was sent that is reports and round events."),
    bars("Up, stage by stage", "bytes", *[(traffic("up", stage), stage) for stage in STAGES], description="From the dense adapter to the frame; docs/ledger.md defines each stage."),
    bars("Down, stage by stage", "bytes", *[(traffic("down", stage), stage) for stage in STAGES]),
    lines("Sent so far", "bytes", (f'sum by (ecolora_direction) (ecolora_traffic_bytes_total{{{RUN},ecolora_stage="framed"}})', "{{ecolora_direction}}"), stack=True),
    lines("Sent so far, by site", "bytes", (f"ecolora_site_traffic_bytes_total{{{RUN}}}", "{{ecolora_site}} {{ecolora_direction}}")),
    lines("Density", "percentunit", (f"ecolora_density_ratio{{{RUN}}}", "{{ecolora_matrix}} {{ecolora_direction}}"), description="Entries that the last round's frames carry, of those in their segments."),
    lines("Reduction", "percentunit", (f"ecolora_reduction_ratio{{{RUN}}}", "against {{ecolora_baseline}}")),
])

TRAINING = dashboard("ecolora-training", "EcoLoRA: training", "How a run learns, and who takes part.", [
    stat("Rounds published", "none", f"ecolora_rounds_total{{{RUN}}}"),
    stat("Of", "none", f"ecolora_rounds_planned{{{RUN}}}"),
    stat("Training loss", "none", f'ecolora_loss{{{RUN},ecolora_kind="training"}}'),
    stat("Held-out loss", "none", f'ecolora_loss{{{RUN},ecolora_kind="held_out"}}'),
    stat("Trainers", "none", f"ecolora_trainers{{{RUN}}}", "Enrolled; with a deadline those that are there."),
    stat("Least coverage", "none", f"min(ecolora_coverage{{{RUN}}})", "Updates of the segment that had the fewest in the last round; 0 means that it kept its value."),
    lines("Loss", "none", (f"ecolora_loss{{{RUN}}}", "{{ecolora_kind}}"), description="Nats per answer token."),
    lines("Coverage", "none", (f"ecolora_coverage{{{RUN}}}", "segment {{ecolora_segment}}"), description="Participants whose update of a segment is in the last round."),
    lines("Participations", "none", (f"ecolora_participations_total{{{RUN}}}", "{{ecolora_state}}"), stack=True),
    lines("Awaited", "none", (f"ecolora_awaited{{{RUN}}}", "{{ecolora_kind}}")),
    lines("What is not sent yet", "none", (f"ecolora_server_residual_norm{{{RUN}}}", "server"), (quantile(0.5, "ecolora_residual_norm", "ecolora_run", RUN), "participants, median"), description="Norms of the residuals."),
    lines("Time to train", "s", (quantile(0.5, "ecolora_training_duration_seconds", "ecolora_operation", RUN), "{{ecolora_operation}}, median"), (quantile(0.95, "ecolora_training_duration_seconds", "ecolora_operation", RUN), "{{ecolora_operation}}, 95 %")),
])

OPERATIONS = dashboard("ecolora-operations", "EcoLoRA: operations", "Whether the services are well.", [
    stat("Services up", "none", 'count(target_info{service_name=~"scheduler|aggregator|codec-.*|trainer-.*"})'),
    stat("Runs under way", "none", 'sum(ecolora_run_state{ecolora_state=~"enrolling|running"}) or vector(0)'),
    stat("Longest without news", "s", 'max(ecolora_run_idle_seconds and on (ecolora_run) (ecolora_run_state{ecolora_state="running"} == 1)) or vector(0)', "Of the runs that are under way."),
    stat("Frames not settled", "none", "sum(ecolora_outbox_depth)"),
    stat("Jobs", "none", "sum(ecolora_jobs)", "Participations and evaluations under way or waiting for a thread."),
    stat("Incomplete messages", "bytes", "sum(ecolora_parts_size_bytes)"),
    lines("Refused messages", "none", ("sum by (job, ecolora_reason) (ecolora_messages_refused_total)", "{{job}}: {{ecolora_reason}}"), description="docs/security.md says what each reason means."),
    lines("Messages that told nothing new", "none", ("sum by (job, ecolora_reason) (ecolora_messages_unheeded_total)", "{{job}}: {{ecolora_reason}}"), description="Repeated, early or late: what a broker that delivers at least once brings."),
    lines("Time to code", "s", (quantile(0.95, "ecolora_codec_duration_seconds", "ecolora_operation"), "{{ecolora_operation}}, 95 %")),
    lines("Codec's throughput", "none", ("sum by (ecolora_operation) (rate(ecolora_codec_entries_total[$__rate_interval])) / sum by (ecolora_operation) (rate(ecolora_codec_duration_seconds_sum[$__rate_interval]))", "{{ecolora_operation}}"), description="Entries a second of coding time."),
    lines("Queues", "none", ("ecolora_outbox_depth", "{{job}}: frames"), ("ecolora_jobs", "{{job}}: jobs")),
    lines("Without news", "s", ("ecolora_run_idle_seconds", "{{ecolora_run}}")),
    lines("Processors", "none", ("sum by (job) (rate(dotnet_process_cpu_time_seconds_total[$__rate_interval]))", "{{job}}"), description="Seconds of processor time a second."),
    lines("Memory", "bytes", ("dotnet_process_memory_working_set_bytes", "{{job}}")),
], of_run=False)

if __name__ == "__main__":
    folder = pathlib.Path(__file__).parent / "dashboards"
    folder.mkdir(exist_ok=True)
    for name, board in {"savings": SAVINGS, "training": TRAINING, "operations": OPERATIONS}.items():
        (folder / f"{name}.json").write_text(json.dumps(board, indent=2, ensure_ascii=False) + "\n")

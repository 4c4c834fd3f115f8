#!/usr/bin/env bash
# Seeded schedules of kills, half over Redis and half over RabbitMQ, on sidecars that delay, repeat, reorder and refuse messages: every run must end with the
# adapter of the undisturbed run in one process. The tests run 20 of them; this runs as many as it is told.
#
#   bench/fault-schedules.sh [COUNT=100] [FIRST_SEED=1]
#
# Needs redis-server and rabbitmq-server, and a build (dotnet build -c Release ecolora-services.slnx). A line a schedule: what was struck, where, and how long the run took.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/.."
ECOLORA_FAULT_SCHEDULES=${1:-100} ECOLORA_FAULT_SEED=${2:-1} exec artifacts/bin/EcoLora.EndToEnd.Tests/release/EcoLora.EndToEnd.Tests \
    -class "*HubFaultsOver*" -showliveoutput

#!/usr/bin/env bash
# Builds everything and runs every test. As root on Debian it first installs what some tests use (python3 and numpy for the independent readers
# and decoders, redis-server, rabbitmq-server and librdkafka1 for the brokers' tests and prometheus for the metrics', which start their own on free ports, nodejs and npm for
# Dapr's JavaScript SDK, which comes from the npm registry); otherwise those tests are reported as skipped, with the reason. Ends with one line: N passed, N failed, N skipped.
set -uo pipefail
cd "$(dirname "$(readlink -f "$0")")"

if ! command -v dotnet >/dev/null; then
    echo "test.sh: expected the .NET 10 SDK (dotnet) on the PATH, found none" >&2
    exit 1
fi
if ! /usr/bin/python3 -c 'import numpy' 2>/dev/null && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    apt-get update -q && apt-get install -y -q --no-install-recommends python3 python3-numpy
fi
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    # Debian's services are neither needed nor wanted: policy-rc.d of containers, or their failure, does not matter.
    missing=()
    for package in redis-server rabbitmq-server prometheus npm; do command -v "$package" >/dev/null || missing+=("$package"); done
    command -v node >/dev/null || missing+=(nodejs)
    # Confluent.Kafka speaks through it, and its mock cluster is the tests' Kafka.
    ldconfig -p | grep -q librdkafka.so.1 || missing+=(librdkafka1)
    [ ${#missing[@]} = 0 ] || { apt-get update -q && apt-get install -y -q --no-install-recommends "${missing[@]}"; }
fi

log=$(mktemp)
trap 'rm -f "$log"' EXIT
if ! dotnet build -c Release --nologo -v quiet ecolora-services.slnx; then
    echo "0 passed, 1 failed, 0 skipped (the build)"
    exit 1
fi
# The tests start many processes that live for seconds: what the runtime would learn of them to run them faster later costs more than it brings.
export DOTNET_TieredPGO=0
# Three test projects at a time on two cores: those that start brokers and services wait a good part of their time.
dotnet test --solution ecolora-services.slnx -c Release --no-build --max-parallel-test-modules 3 2>&1 | tee "$log"
status=${PIPESTATUS[0]}

count() { sed -n "s/^ *$1: \([0-9]*\).*/\1/p" "$log" | tail -n 1; }
echo
echo "$(count succeeded) passed, $(count failed) failed, $(count skipped) skipped"
exit "$status"

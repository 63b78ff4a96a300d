#!/bin/sh
# Makes the figures of docs/performance.md: measure.sh [MODEL]. Takes some minutes on an idle machine.
set -eu
cd "$(dirname "$0")/.."
tandem=build/bin/tandem
model=${1:-build/models/SmolLM2-135M-Instruct.Q4_1.gguf}
work=$(mktemp -d)
running=
finish() {
  [ -z "$running" ] || { kill "$running" && wait "$running"; } || true
  rm -rf "$work"
}
trap finish EXIT

# Starts a role in the background and waits until it has written its ready file.
start() {
  rm -f "$work/ready"
  "$tandem" "$@" --ready-file="$work/ready" >"$work/log" 2>&1 &
  running=$!
  tries=0
  until [ -e "$work/ready" ]; do
    tries=$((tries + 1))
    if [ "$tries" -gt 600 ] || ! kill -0 "$running" 2>/dev/null; then
      cat "$work/log" >&2
      exit 1
    fi
    sleep 0.1
  done
  port=$(sed 's/.*"http":\([0-9]*\).*/\1/' "$work/ready")
}

stop() {
  kill "$running"
  wait "$running" || true
  running=
}

load() {
  "$tandem" bench serve --url "http://127.0.0.1:$port" --requests 32 --input-tokens 512 \
    --output-tokens 64 --concurrency 1,4,16 --seed "$1"
}

grep -m1 'model name' /proc/cpuinfo
echo "one instance:"
start serve "$model" --port=0 --no-enable-prefix-caching --disable-log-requests
load 1
stop
echo "one prefiller and one decoder:"
start up "$model" --port-base=0
load 2
stop
echo "the store:"
"$tandem" bench store --batch 4 --object-sizes 4KB,1MB,14MB --segment-size 1GB

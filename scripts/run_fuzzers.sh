#!/bin/sh
# Builds the fuzz targets with clang, ASan and UBSan, and runs them one after the other:
# run_fuzzers.sh [SECONDS_IN_ALL]
# The inputs are drawn from FUZZ_SEED (default 1, so that a change is judged by much the same inputs
# whenever it is tried); 0 draws others each time, for long runs that look for more.
set -eu
cd "$(dirname "$0")/.."
total=${1:-60}

cmake --preset fuzz >/dev/null
cmake --build --preset fuzz --target fuzzers
set -- build-fuzz/bin/*_fuzz
each=$((total / $#))
[ "$each" -gt 0 ] || each=1
for fuzzer; do
  name=$(basename "$fuzzer")
  echo "$name: $each s"
  mkdir -p "build-fuzz/corpus/$name"
  seeds=fuzz/corpus/${name%_fuzz}
  [ -d "$seeds" ] || seeds=
  "$fuzzer" -seed="${FUZZ_SEED:-1}" -max_total_time="$each" -timeout=10 -rss_limit_mb=2048 -print_final_stats=0 -verbosity=0 \
    -artifact_prefix=build-fuzz/ "build-fuzz/corpus/$name" $seeds
done

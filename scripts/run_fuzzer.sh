#!/bin/sh
# Runs one fuzz target that is built: run_fuzzer.sh NAME SECONDS
# The inputs are drawn from FUZZ_SEED (default 1, so that a change is judged by much the same inputs
# whenever it is tried); 0 draws others each time, for long runs that look for more.
set -eu
name=$1
log=build-fuzz/$name.log

mkdir -p "build-fuzz/corpus/$name"
seeds=fuzz/corpus/${name%_fuzz}
[ -d "$seeds" ] || seeds=
status=0
"build-fuzz/bin/$name" -seed="${FUZZ_SEED:-1}" -max_total_time="$2" -timeout=10 -rss_limit_mb=2048 \
  -print_final_stats=1 -print_funcs=0 -artifact_prefix="build-fuzz/$name-" \
  "build-fuzz/corpus/$name" $seeds >"$log" 2>&1 || status=1

# The lock keeps what several print from being mixed.
{
  flock 9
  if [ "$status" = 0 ]; then
    echo "$name: $(sed -n 's/^stat::number_of_executed_units: *//p' "$log") inputs in $2 s"
  else
    echo "$name failed:"
    cat "$log"
  fi
} 9>build-fuzz/output.lock
exit "$status"

#!/bin/sh
# Builds the fuzz targets with clang, ASan and UBSan, and runs as many at a time as there are
# processors: run_fuzzers.sh [SECONDS_FOR_MODEL_FILES [SECONDS_FOR_EACH_OTHER]]
# Prints how many inputs each has tried, and what one that fails has printed, when it ends. Fails if
# one does, after all have run.
set -eu
cd "$(dirname "$0")/.."
model_files=${1:-60}
others=${2:-3}

cmake --preset fuzz >/dev/null
cmake --build --preset fuzz --target fuzzers

# Parsers of files that users download get more; they come first, so that the short ones fill the end.
long="chat_template_fuzz gguf_fuzz safetensors_fuzz tokenizer_json_fuzz"
{
  for name in $long; do echo "$name $model_files"; done
  for path in build-fuzz/bin/*_fuzz; do
    name=$(basename "$path")
    case " $long " in *" $name "*) ;; *) echo "$name $others" ;; esac
  done
} | xargs -n 2 -P "$(nproc)" scripts/run_fuzzer.sh

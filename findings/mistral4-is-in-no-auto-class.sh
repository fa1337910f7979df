#!/usr/bin/env bash
# transformers 5.24.0: Mistral 4.
# One would guess: what AutoConfig knows and has a ...ForCausalLM, AutoModelForCausalLM opens.
# Seen: AutoConfig makes a Mistral4Config and the class Mistral4ForCausalLM is there, but the table of causal models lacks
# `mistral4`; the text model must be named by its class.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check transformers==5.24.0
"$work/venv/bin/python" - 2>/dev/null > "$work/seen" <<'PY'
import pathlib
import transformers
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES as causal
print(transformers.__version__)
print("config:", type(transformers.AutoConfig.for_model("mistral4")).__name__)
source = pathlib.Path(transformers.__file__).parent / "models/mistral4/modeling_mistral4.py"
print("class:", "class Mistral4ForCausalLM(" in source.read_text())
print("among the causal models: mistral", "mistral" in causal, "mistral4", "mistral4" in causal)
PY
cat "$work/seen"
diff - "$work/seen" <<'SEEN'
5.24.0
config: Mistral4Config
class: True
among the causal models: mistral True mistral4 False
SEEN

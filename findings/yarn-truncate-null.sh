#!/usr/bin/env bash
# transformers 5.24.0 with torch 2.15.0: rope_type yarn with "truncate": null, as to_dict writes what nobody set.
# One would guess: null is what leaving it out is, the default (true: the ramp's ends are rounded to whole pairs).
# Seen: null computes as false; frequencies differ from the second pair on.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check transformers==5.24.0 torch==2.15.0 numpy
"$work/venv/bin/python" - 2>/dev/null > "$work/seen" <<'PY'
import transformers
from transformers import LlamaConfig, LlamaForCausalLM
def second(**more):
    rope = {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 64, "rope_theta": 10000.0, **more}
    model = LlamaForCausalLM(LlamaConfig(
        vocab_size=30, hidden_size=64, intermediate_size=16, num_hidden_layers=1, num_attention_heads=1,
        max_position_embeddings=256, rope_parameters=rope))
    return f"{model.model.rotary_emb.inv_freq[1].item():.4f}"
print(transformers.__version__, "absent", second(), "null", second(truncate=None), "true", second(truncate=True),
      "false", second(truncate=False))
PY
cat "$work/seen"
diff - "$work/seen" <<'SEEN'
5.24.0 absent 0.6874 null 0.6801 true 0.6874 false 0.6801
SEEN

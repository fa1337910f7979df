#!/usr/bin/env bash
# transformers 5.24.0 with torch 2.15.0: save_pretrained of OLMo Hybrid, whose values are wider than its keys.
# One would guess: a folder in the released layout, with q_conv1d as long as q_proj and v_conv1d as long as v_proj.
# Seen: the one convolution is cut into thirds (22, 22, 20 of 64 channels where q, k, v have 16, 16, 32), and the norm behind
# attention is saved as `feedforward_layer_norm`. transformers reads it back, since it joins and renames likewise; whoever reads
# the files by their names computes something else, or is told of shapes that do not fit.
# Camelid says which shapes it asks for; its case is cut as the released files are (tests/beyond/olmo-hybrid/case/reference.json).
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check transformers==5.24.0 torch==2.15.0 numpy safetensors
"$work/venv/bin/python" - "$work/out" 2>/dev/null > "$work/seen" <<'PY'
import sys
import transformers
from safetensors import safe_open
from transformers import OlmoHybridConfig, OlmoHybridForCausalLM
config = OlmoHybridConfig(vocab_size=30, hidden_size=32, intermediate_size=16, num_hidden_layers=4, num_attention_heads=2,
                          linear_num_key_heads=2, linear_num_value_heads=2, linear_key_head_dim=8, pad_token_id=0,
                          eos_token_id=1)
OlmoHybridForCausalLM(config).save_pretrained(sys.argv[1])
print(transformers.__version__)
with safe_open(f"{sys.argv[1]}/model.safetensors", "np") as file:
    for name in sorted(file.keys()):
        if ".0.linear_attn" in name and ("conv1d" in name or name.endswith(("q_proj.weight", "v_proj.weight"))):
            print(name, file.get_slice(name).get_shape())
        if ".3." in name and "norm" in name and "self_attn" not in name:
            print(name)
PY
cat "$work/seen"
diff - "$work/seen" <<'SEEN'
5.24.0
model.layers.0.linear_attn.k_conv1d.weight [22, 1, 4]
model.layers.0.linear_attn.q_conv1d.weight [22, 1, 4]
model.layers.0.linear_attn.q_proj.weight [16, 32]
model.layers.0.linear_attn.v_conv1d.weight [20, 1, 4]
model.layers.0.linear_attn.v_proj.weight [32, 32]
model.layers.3.feedforward_layer_norm.weight
model.layers.3.post_feedforward_layernorm.weight
SEEN

#!/usr/bin/env bash
# transformers 4.57.6 with torch 2.15.0: a folder that 5.24.0 saved, whose config.json has `rope_parameters`.
# One would guess: what 4 does not know is refused or told, or the base and the scaling are read from there.
# Seen: the key is taken along unread and nothing is said; the base is 10000 and nothing is scaled, so that the logits are 1.2 of
# their largest off. Under the keys of 4 (`rope_theta`, `rope_scaling`) both versions compute the same.
# Camelid reads both, and `convert` writes the keys of 4, which 5 reads too.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
cat > "$work/run.py" <<'PY'
import json
import sys
import torch
import transformers
from transformers import LlamaConfig, LlamaForCausalLM
work, version = sys.argv[1], transformers.__version__
scaling = dict(rope_type="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=64)
if version == "5.24.0":
    torch.manual_seed(0)
    model = LlamaForCausalLM(LlamaConfig(
        vocab_size=50, hidden_size=32, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2,
        max_position_embeddings=256, initializer_range=0.3, rope_parameters=dict(scaling, rope_theta=500000.0)))
    for folder in ["saved-by-5", "keys-of-4"]:
        model.save_pretrained(f"{work}/{folder}")
    config = json.load(open(f"{work}/keys-of-4/config.json"))
    del config["rope_parameters"]
    json.dump(dict(config, rope_theta=500000.0, rope_scaling=scaling), open(f"{work}/keys-of-4/config.json", "w"))
ids = torch.arange(90)[None] % 50
for folder in ["saved-by-5", "keys-of-4"]:
    model = LlamaForCausalLM.from_pretrained(f"{work}/{folder}", dtype=torch.float32).eval()
    with torch.no_grad():
        logits = model(ids).logits[0]
    if version == "5.24.0":
        torch.save(logits, f"{work}/{folder}.pt")
    else:
        reference = torch.load(f"{work}/{folder}.pt")
        off = ((logits - reference).abs().max() / reference.abs().max()).item()
        print(f"{version} of {folder}: {'equal' if off < 1e-5 else f'{off:.1f} off'}")
PY
for version in 5.24.0 4.57.6; do
  "$work/venv/bin/pip" install --quiet --disable-pip-version-check "transformers==$version" torch==2.15.0 numpy
  "$work/venv/bin/python" "$work/run.py" "$work" >> "$work/seen" 2>> "$work/said"
done
cat "$work/seen"
diff - "$work/seen" <<'SEEN'
4.57.6 of saved-by-5: 1.2 off
4.57.6 of keys-of-4: equal
SEEN
if grep --ignore-case rope "$work/said"; then exit 1; fi

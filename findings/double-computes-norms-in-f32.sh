#!/usr/bin/env bash
# transformers 5.24.0 with torch 2.15.0: model.double(), the usual way to a reference in f64.
# One would guess: all of the network then computes in f64, with errors near 1e-16.
# Seen: RMSNorm casts its input to f32 and back whatever the type, so the error is near 1e-7; logits are f64 by type only.
# Camelid's references are made with every f32 that the code names read as f64 (tests/reference/make_case.py).
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check transformers==5.24.0 torch==2.15.0 numpy
"$work/venv/bin/python" - 2>/dev/null > "$work/seen" <<'PY'
import torch
import transformers
from transformers import LlamaConfig, LlamaForCausalLM
torch.manual_seed(0)
model = LlamaForCausalLM(LlamaConfig(
    vocab_size=30, hidden_size=64, intermediate_size=16, num_hidden_layers=1, num_attention_heads=1)).double()
norm, x = model.model.norm, torch.randn(1, 9, 64, dtype=torch.float64)
with torch.no_grad():
    ours = x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + norm.variance_epsilon)
    error = (norm(x) - ours).abs().max().item()
print(transformers.__version__, norm(x).dtype, "error above 1e-9:", error > 1e-9)
PY
cat "$work/seen"
diff - "$work/seen" <<'SEEN'
5.24.0 torch.float64 error above 1e-9: True
SEEN

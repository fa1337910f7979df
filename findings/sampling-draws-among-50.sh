#!/usr/bin/env bash
# transformers 5.24.0 with torch 2.15.0: GenerationConfig(do_sample=True).
# One would guess: its top_k is None, so tokens are drawn among all of the vocabulary; 4.x had a default of 50, which is gone.
# Seen: top_k prints as None, and no more than 50 tokens are ever drawn; top_k=0 alone draws among all 300.
# Camelid draws among 50 too where generation_config.json says do_sample and no top_k, and says so.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check transformers==5.24.0 torch==2.15.0 numpy
"$work/venv/bin/python" - 2>/dev/null > "$work/seen" <<'PY'
import torch
import transformers
from transformers import GenerationConfig, LlamaConfig, LlamaForCausalLM
torch.manual_seed(0)
model = LlamaForCausalLM(LlamaConfig(
    vocab_size=300, hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2)).eval()
def drawn(**more):
    settings = GenerationConfig(do_sample=True, max_new_tokens=1, pad_token_id=0, **more)
    ids = model.generate(torch.ones(8000, 1, dtype=torch.long), generation_config=settings)[:, 1]
    return settings.top_k, ids.unique().numel()
print(transformers.__version__, *drawn())
print(transformers.__version__, *drawn(top_k=0))
PY
cat "$work/seen"
diff - "$work/seen" <<'SEEN'
5.24.0 None 50
5.24.0 0 300
SEEN

#!/usr/bin/env bash
# transformers 5.24.0 with torch 2.15.0: tie_word_embeddings is true, and the file holds an lm_head.weight of its own.
# One would guess: the flag decides, as it does in llama.cpp and did in 4.x: the head is the embedding.
# Seen: the file decides, with a warning; the head is the file's, and logits are others than the flag says.
# Camelid keeps the file's head too, says so, and names --allow-tensor for the other reading.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
for version in 4.57.6 5.24.0; do
  python3 -m venv "$work/$version"
  "$work/$version/bin/pip" install --quiet --disable-pip-version-check "transformers==$version" torch==2.15.0 numpy
  "$work/$version/bin/python" - "$work/model-$version" 2>/dev/null >> "$work/seen" <<'PY'
import sys
import torch
import transformers
from safetensors.torch import load_file, save_file
from transformers import LlamaConfig, LlamaForCausalLM
folder = sys.argv[1]
LlamaForCausalLM(LlamaConfig(
    vocab_size=30, hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2,
    tie_word_embeddings=True)).save_pretrained(folder)
tensors = load_file(f"{folder}/model.safetensors")
tensors["lm_head.weight"] = tensors["model.embed_tokens.weight"] * 2 + 1
save_file(tensors, f"{folder}/model.safetensors", metadata={"format": "pt"})
model = LlamaForCausalLM.from_pretrained(folder)
print(transformers.__version__, "the head is the file's:", torch.equal(model.lm_head.weight, tensors["lm_head.weight"]))
PY
done
cat "$work/seen"
diff - "$work/seen" <<'SEEN'
4.57.6 the head is the file's: False
5.24.0 the head is the file's: True
SEEN

#!/usr/bin/env bash
# llama.cpp as in xllamacpp 2026.10.11549, and transformers 5.24.0: the groups of DeepSeek V2's experts.
# One would guess: a file of DeepSeek V2 that says `expert_group_count` keeps the groups that V2 keeps, those with the best expert. Of one
# chosen expert groups then decide nothing: the best of all is the best of its group, so that a file with groups runs as one without.
# Seen: groups are judged by the sum of their best two, as V3 has it, whatever the scores are; the file runs otherwise. V2's 236B is such a
# model. Camelid judges groups by their best where the file's router is V2's, a softmax without corrections.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check numpy==2.4.6 gguf==0.19.0 xllamacpp==2026.10.11549 transformers==5.24.0
# Its C interface without its headers: of these structs only the sizes matter.
cat > "$work/joint.c" <<'C'
#include <stdint.h>
#include <string.h>
struct model_params { uint64_t opaque[10]; };
struct context_params { uint64_t opaque[20]; };
struct batch { uint64_t opaque[7]; };
struct model_params llama_model_default_params(void);
struct context_params llama_context_default_params(void);
void *llama_model_load_from_file(const char *, struct model_params);
void *llama_init_from_model(void *, struct context_params);
struct batch llama_batch_get_one(int32_t *, int32_t);
int32_t llama_decode(void *, struct batch);
float *llama_get_logits_ith(void *, int32_t);
void llama_log_set(void (*)(int, const char *, void *), void *);
static void quiet(int level, const char *text, void *data) { (void)level; (void)text; (void)data; }
int joint(const char *path, int32_t *ids, int n, float *out, int vocab) {
    llama_log_set(quiet, 0);
    void *model = llama_model_load_from_file(path, llama_model_default_params());
    void *context = model ? llama_init_from_model(model, llama_context_default_params()) : 0;
    if (!context || llama_decode(context, llama_batch_get_one(ids, n))) return 1;
    memcpy(out, llama_get_logits_ith(context, -1), vocab * sizeof(float));
    return 0;
}
C
cc -shared -fPIC -o "$work/joint.so" "$work/joint.c"
cat > "$work/see.py" <<'PY'
import ctypes, importlib.util, pathlib, sys
import gguf, numpy
wheel = importlib.util.find_spec("xllamacpp").submodule_search_locations[0]
ctypes.CDLL(f"{wheel}/xllamacpp.abi3.so", mode=ctypes.RTLD_GLOBAL)
joint, work, V, D, E = ctypes.CDLL(f"{sys.argv[1]}/joint.so").joint, sys.argv[1], 96, 64, 8
code = pathlib.Path(importlib.util.find_spec("transformers").submodule_search_locations[0]) / "models/deepseek_v2/modeling_deepseek_v2.py"
print("transformers judges V2's groups by their best:", "self.num_experts // self.num_group).max(dim=-1)" in code.read_text())

def logits(ids, **said):
    file, random = f"{work}/model.gguf", numpy.random.default_rng(0)
    w = gguf.GGUFWriter(file, "deepseek2")
    w.add_block_count(1), w.add_context_length(64), w.add_embedding_length(D), w.add_feed_forward_length(96), w.add_vocab_size(V)
    w.add_head_count(4), w.add_head_count_kv(1), w.add_layer_norm_rms_eps(1e-6), w.add_rope_freq_base(1e4), w.add_rope_dimension_count(16)
    w.add_q_lora_rank(32), w.add_kv_lora_rank(32), w.add_key_length(48), w.add_value_length(32), w.add_key_length_mla(32), w.add_value_length_mla(16)
    w.add_leading_dense_block_count(0), w.add_expert_count(E), w.add_expert_used_count(1), w.add_expert_feed_forward_length(32)
    w.add_expert_shared_count(1), w.add_expert_weights_scale(4.0), w.add_expert_gating_func(gguf.ExpertGatingFuncType.SOFTMAX)
    w.add_tokenizer_model("none")
    for key, value in said.items():
        w.add_uint32(f"deepseek2.{key}", value)
    shapes = {"token_embd": (V, D), "output": (V, D), "output_norm": (D,), "attn_norm": (D,), "ffn_norm": (D,), "attn_q_a": (32, D),
        "attn_q_a_norm": (32,), "attn_q_b": (4 * 32, 32), "attn_kv_a_mqa": (48, D), "attn_kv_a_norm": (32,), "attn_k_b": (4, 32, 16),
        "attn_v_b": (4, 16, 32), "attn_output": (D, 64), "ffn_gate_inp": (E, D), "ffn_gate_exps": (E, 32, D), "ffn_up_exps": (E, 32, D),
        "ffn_down_exps": (E, D, 32), "ffn_gate_shexp": (32, D), "ffn_up_shexp": (32, D), "ffn_down_shexp": (D, 32)}
    for name, shape in shapes.items():
        name = name if name.startswith(("token", "output")) else f"blk.0.{name}"
        w.add_tensor(f"{name}.weight", (random.standard_normal(shape) / (40 if "gate_inp" in name else 4) + (len(shape) == 1)).astype(numpy.float32))
    w.write_header_to_file(), w.write_kv_data_to_file(), w.write_tensors_to_file(), w.close()
    out = numpy.zeros(V, numpy.float32)
    assert joint(file.encode(), (ctypes.c_int * len(ids))(*ids), len(ids), out.ctypes.data_as(ctypes.c_void_p), V) == 0
    return out

for count, used in ((1, 1), (2, 1), (4, 1)):
    said = {"expert_group_count": count, "expert_group_used_count": used}
    same = sum(bool((logits([token], **said) == logits([token])).all()) for token in range(24))
    print(f"{count} groups, {used} kept, one expert chosen: of 24 tokens as without groups: {same}")
PY
"$work/venv/bin/python" "$work/see.py" "$work" > "$work/seen" 2> "$work/errors" || { cat "$work/errors"; exit 1; }
cat "$work/seen"
diff - "$work/seen" <<'SEEN'
transformers judges V2's groups by their best: True
1 groups, 1 kept, one expert chosen: of 24 tokens as without groups: 24
2 groups, 1 kept, one expert chosen: of 24 tokens as without groups: 23
4 groups, 1 kept, one expert chosen: of 24 tokens as without groups: 19
SEEN

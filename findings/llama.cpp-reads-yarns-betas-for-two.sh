#!/usr/bin/env bash
# llama.cpp as in xllamacpp 2026.10.11549: YaRN's `beta_fast`, `beta_slow` and `attention_factor` in a GGUF file.
# One would guess: `ARCH.rope.scaling.yarn_beta_fast`, `…_beta_slow` and `…_attn_factor`, which its converter writes for every
# architecture, are what the file is computed with.
# Seen: of the two here only `mistral3` reads the betas (in the source `grok` does too), and neither the factor; a `llama` file that says
# them gives the same bits as one that does not. Camelid reads all three.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check numpy==2.4.6 gguf==0.19.0 xllamacpp==2026.10.11549
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
import ctypes, importlib.util, sys
import gguf, numpy
wheel = importlib.util.find_spec("xllamacpp").submodule_search_locations[0]
ctypes.CDLL(f"{wheel}/xllamacpp.abi3.so", mode=ctypes.RTLD_GLOBAL)
joint, work, V, D = ctypes.CDLL(f"{sys.argv[1]}/joint.so").joint, sys.argv[1], 96, 64
ids = [(7 * i * i + 3) % 90 for i in range(60)]

def logits(arch, **said):
    file, random = f"{work}/model.gguf", numpy.random.default_rng(0)
    w = gguf.GGUFWriter(file, arch)
    w.add_block_count(1), w.add_context_length(64), w.add_embedding_length(D), w.add_feed_forward_length(96)
    w.add_head_count(4), w.add_head_count_kv(4), w.add_layer_norm_rms_eps(1e-5), w.add_rope_freq_base(100.0), w.add_vocab_size(V)
    w.add_rope_dimension_count(16), w.add_rope_scaling_type(gguf.RopeScalingType.YARN), w.add_rope_scaling_factor(4.0)
    w.add_rope_scaling_orig_ctx_len(16), w.add_tokenizer_model("none")
    for key, value in said.items():
        w.add_float32(f"{arch}.rope.scaling.yarn_{key}", value)
    shapes = {"token_embd": (V, D), "output": (V, D), "output_norm": (D,), "blk.0.attn_norm": (D,), "blk.0.ffn_norm": (D,)}
    shapes |= {f"blk.0.attn_{name}": (D, D) for name in ("q", "k", "v", "output")}
    shapes |= {"blk.0.ffn_gate": (96, D), "blk.0.ffn_up": (96, D), "blk.0.ffn_down": (D, 96)}
    for name, shape in shapes.items():
        w.add_tensor(f"{name}.weight", (random.standard_normal(shape) / 4 + (len(shape) == 1)).astype(numpy.float32))
    w.write_header_to_file(), w.write_kv_data_to_file(), w.write_tensors_to_file(), w.close()
    out = numpy.zeros(V, numpy.float32)
    assert joint(file.encode(), (ctypes.c_int * 60)(*ids), 60, out.ctypes.data_as(ctypes.c_void_p), V) == 0
    return out

for arch in ("llama", "mistral3"):
    plain = logits(arch)
    assert plain.std() > 0.1
    for said in ({"beta_fast": 4.0, "beta_slow": 0.5}, {"attn_factor": 2.0}):
        print(f"{arch}: a file that says {said} gives the same bits as one that does not:", bool((logits(arch, **said) == plain).all()))
PY
"$work/venv/bin/python" "$work/see.py" "$work" > "$work/seen" 2> "$work/errors" || { cat "$work/errors"; exit 1; }
cat "$work/seen"
diff - "$work/seen" <<'SEEN'
llama: a file that says {'beta_fast': 4.0, 'beta_slow': 0.5} gives the same bits as one that does not: True
llama: a file that says {'attn_factor': 2.0} gives the same bits as one that does not: True
mistral3: a file that says {'beta_fast': 4.0, 'beta_slow': 0.5} gives the same bits as one that does not: False
mistral3: a file that says {'attn_factor': 2.0} gives the same bits as one that does not: True
SEEN

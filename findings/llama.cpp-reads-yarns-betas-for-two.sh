#!/usr/bin/env bash
# llama.cpp as in llama-cpp-python 0.3.36 (its converter) and xllamacpp 2026.10.11549 (its library): YaRN's `beta_fast`, `beta_slow`
# and `attention_factor`.
# One would guess: the converter writes them (`rope.scaling.yarn_beta_fast`, …), so the library computes with them.
# Seen: only the architectures `grok` and `mistral3` read the betas, and no attention factor survives; elsewhere (Llama here) a file
# runs as if it said 32, 1 and nothing, without a word. A model is read by camelid with the numbers that the file says.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check transformers==5.24.0 torch==2.15.0 numpy xllamacpp==2026.10.11549
"$work/venv/bin/pip" download --quiet --disable-pip-version-check --no-deps --no-binary :all: -d "$work" llama-cpp-python==0.3.36 2> /dev/null
tar xzf "$work/llama_cpp_python-0.3.36.tar.gz" -C "$work"
cat > "$work/joint.c" <<'C'
#include <string.h>
#include "llama.h"
static void quiet(enum ggml_log_level level, const char *text, void *data) { (void)level; (void)text; (void)data; }
int joint(const char *path, const int *ids, int n, float *out, int vocab) {
    llama_log_set(quiet, 0);
    struct llama_model *model = llama_model_load_from_file(path, llama_model_default_params());
    if (!model) return 1;
    struct llama_context_params params = llama_context_default_params();
    params.n_ctx = 256; params.flash_attn_type = LLAMA_FLASH_ATTN_TYPE_DISABLED;
    params.type_k = params.type_v = GGML_TYPE_F32;
    struct llama_context *context = llama_init_from_model(model, params);
    struct llama_batch batch = llama_batch_init(n, 0, 1);
    batch.n_tokens = n;
    for (int i = 0; i < n; i++) {
        batch.token[i] = ids[i]; batch.pos[i] = i; batch.n_seq_id[i] = 1; batch.seq_id[i][0] = 0; batch.logits[i] = 1;
    }
    if (llama_decode(context, batch)) return 2;
    for (int i = 0; i < n; i++) memcpy(out + (size_t)i * vocab, llama_get_logits_ith(context, i), vocab * sizeof(float));
    return 0;
}
C
source="$work/llama_cpp_python-0.3.36/vendor/llama.cpp"
cc -shared -fPIC -o "$work/joint.so" "$work/joint.c" -I"$source/include" -I"$source/ggml/include"
cat > "$work/see.py" <<'PY'
import ctypes, importlib.util, sys
from pathlib import Path
work, source = Path(sys.argv[1]), Path(sys.argv[2])
sys.path[:0] = [str(source / "gguf-py"), str(source)]
import gguf, numpy, torch, transformers
from conversion.base import ModelBase, ModelType
import conversion.llama
wheel = importlib.util.find_spec("xllamacpp").submodule_search_locations[0]
ctypes.CDLL(f"{wheel}/xllamacpp.abi3.so", mode=ctypes.RTLD_GLOBAL)
library = ctypes.CDLL(str(work / "joint.so"))
cls, ids = ModelBase.from_model_architecture("LlamaForCausalLM", ModelType.TEXT), [(7 * i * i + 3) % 90 for i in range(60)]

def set_vocab(self):  # none: ids go in as they are
    self.gguf_writer.add_tokenizer_model("none")
    self.gguf_writer.add_vocab_size(96)

cls = type("LlamaModel", (cls,), {"model_arch": cls.model_arch, "set_vocab": set_vocab})

def model(**scaling):
    torch.manual_seed(0)
    rope = {"rope_type": "yarn", "rope_theta": 100.0, "factor": 4.0, "original_max_position_embeddings": 16, **scaling}
    config = transformers.LlamaConfig(vocab_size=96, hidden_size=64, intermediate_size=96, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=64, rope_parameters=rope, initializer_range=0.2, tie_word_embeddings=False)
    return transformers.LlamaForCausalLM(config).eval()

def theirs(model):
    with torch.no_grad():
        return model(torch.tensor([ids])).logits[0].numpy()

def ran(model):
    model.save_pretrained(work / "model")
    (work / "model/tokenizer.json").write_text('{"model": {"type": "BPE", "vocab": {}}, "added_tokens": []}')
    file = work / "model.gguf"
    with torch.inference_mode():
        cls(work / "model", gguf.LlamaFileType.ALL_F32, file, eager=True, model_name="m").write()
    fields = gguf.GGUFReader(file).fields
    keys = [key.split(".")[-1] for key in fields if "yarn_" in key]
    out = numpy.zeros((len(ids), 96), numpy.float32)
    assert library.joint(str(file).encode(), (ctypes.c_int * len(ids))(*ids), len(ids), out.ctypes.data_as(ctypes.c_void_p), 96) == 0
    return keys, out

def near(a, b):
    return bool(abs(a - b).max() / abs(b).max() < 1e-4)

plain = model()
for said in ({}, {"beta_fast": 4.0, "beta_slow": 0.5}, {"attention_factor": 2.0}):
    own = model(**said)
    keys, logits = ran(own)
    print(said, "in the file:", sorted(keys), "as transformers:", near(logits, theirs(own)), "as if not said:", near(logits, theirs(plain)))
PY
"$work/venv/bin/python" "$work/see.py" "$work" "$source" 2> "$work/errors" | tee "$work/seen" || { cat "$work/errors"; exit 1; }
diff - "$work/seen" <<'SEEN'
SEEN

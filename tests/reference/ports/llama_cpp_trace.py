"""What llama.cpp computes of a text, node by node through `cb_eval`, as a file for `camelid compare-trace`.

    pip install xllamacpp==2026.10.11549 numpy safetensors
    python llama_cpp_trace.py MODEL.gguf OUT.safetensors ID,ID,… [rope_freq_base=10000 …]

In llama.cpp's default precision. What follows the ids are fields of its context's parameters, which `Context` lists as this
version has them: another version may have others."""
import ctypes as c
import glob
import os
import sys

import numpy as np
import xllamacpp
from safetensors.numpy import save_file

WORDS = ("n_ctx n_batch n_ubatch n_seq_max n_rs_seq n_outputs_max reserved n_threads n_threads_batch ctx_type rope_scaling_type "
         "pooling_type attention_type flash_attn_type").split()
FLOATS = "rope_freq_base rope_freq_scale yarn_ext_factor yarn_attn_factor yarn_beta_fast yarn_beta_slow".split()
EVAL = c.CFUNCTYPE(c.c_bool, c.c_void_p, c.c_bool, c.c_void_p)


struct = lambda *fields: type("Struct", (c.Structure,), {"_fields_": fields})
Context = struct(*[(name, c.c_int32) for name in WORDS], *[(name, c.c_float) for name in FLOATS], ("yarn_orig_ctx", c.c_uint32),
                 ("defrag_thold", c.c_float), ("cb_eval", EVAL), ("data", c.c_void_p), ("rest", c.c_ubyte * 256))
Batch = struct(("n_tokens", c.c_int32), *[(name, c.c_void_p) for name in ("token", "embd", "pos", "n_seq_id", "seq_id", "logits")])
Tensor = struct(("type", c.c_int32), ("buffer", c.c_void_p), ("ne", c.c_int64 * 4))
RESULTS = {"llama_model_default_params": struct(("all", c.c_ubyte * 256)), "llama_context_default_params": Context,
           "llama_batch_get_one": Batch, "ggml_get_name": c.c_char_p, "ggml_is_contiguous": c.c_bool,
           "llama_model_load_from_file": c.c_void_p, "llama_init_from_model": c.c_void_p}


def main(model, out, ids, *settings):
    lib = c.CDLL(glob.glob(os.path.join(os.path.dirname(xllamacpp.__file__), "*.so"))[0])
    for name, result in RESULTS.items(): getattr(lib, name).restype = result
    ids, seen = np.array([int(i) for i in ids.split(",")], np.int32), {}

    def node(at, ask, _):
        tensor, at = Tensor.from_address(at), c.c_void_p(at)
        if not ask and tensor.type == 0 and lib.ggml_is_contiguous(at):  # f32; a later node of the same name replaces an earlier one
            value = np.empty(tensor.ne[::-1], np.float32)
            lib.ggml_backend_tensor_get(at, value.ctypes.data_as(c.c_void_p), c.c_size_t(0), c.c_size_t(value.nbytes))
            seen[lib.ggml_get_name(at).decode()] = value[0] if value.shape[1] > 1 else value[0, 0]
        return True

    lib.llama_backend_init()
    params = lib.llama_context_default_params()
    params.cb_eval = EVAL(node)
    for name, value in (setting.split("=") for setting in settings):
        setattr(params, name, type(getattr(params, name))(float(value)))
    loaded = lib.llama_model_load_from_file(model.encode(), lib.llama_model_default_params())
    context = lib.llama_init_from_model(c.c_void_p(loaded), params)
    seen.clear()  # of the run that reserves memory
    batch = lib.llama_batch_get_one(ids.ctypes.data_as(c.c_void_p), len(ids))
    assert context and lib.llama_decode(c.c_void_p(context), batch) == 0, "llama.cpp could not run the text"
    save_file(seen | {"input_ids": ids}, out)
    print(f"{out}: {len(seen)} nodes of {len(ids)} tokens")


if __name__ == "__main__": main(*sys.argv[1:])

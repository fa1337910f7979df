import sys
import ctypes
import numpy as np
import llama_cpp

ids = [int(x) for x in sys.argv[2].split(",")]
llama_cpp.llama_backend_init()
params = llama_cpp.llama_model_default_params()
model = llama_cpp.llama_model_load_from_file(sys.argv[1].encode(), params)
if not model:
    sys.exit("llama.cpp does not load the file")
context = llama_cpp.llama_context_default_params()
context.n_ctx = max(len(ids), 32)
context.n_batch = context.n_ubatch = context.n_ctx
context.type_k = context.type_v = 0
context.flash_attn_type = 0
ctx = llama_cpp.llama_init_from_model(model, context)
batch = llama_cpp.llama_batch_init(len(ids), 0, 1)
batch.n_tokens = len(ids)
for at, token in enumerate(ids):
    batch.token[at], batch.pos[at], batch.n_seq_id[at], batch.seq_id[at][0], batch.logits[at] = token, at, 1, 0, 1
if llama_cpp.llama_decode(ctx, batch):
    sys.exit("llama.cpp does not run the file")
vocab = llama_cpp.llama_vocab_n_tokens(llama_cpp.llama_model_get_vocab(model))
logits = [np.ctypeslib.as_array(llama_cpp.llama_get_logits_ith(ctx, at), (vocab,)).copy() for at in range(len(ids))]
open(sys.argv[3], "wb").write(np.stack(logits).astype("<f4").tobytes())
print(f"llama.cpp of llama-cpp-python {llama_cpp.__version__}")

import sys
import torch
import transformers
from transformers import AutoModelForCausalLM

transformers.logging.set_verbosity_error()
model, info = AutoModelForCausalLM.from_pretrained(
    sys.argv[1], dtype=torch.float32, attn_implementation="eager", output_loading_info=True
)
wrong = {what: sorted(names) for what, names in info.items() if names}
if wrong:
    sys.exit(f"transformers does not take every tensor: {wrong}")
ids = torch.tensor([[int(x) for x in sys.argv[2].split(",")]])
with torch.no_grad():
    logits = model.eval()(ids, use_cache=False).logits[0].float()
open(sys.argv[3], "wb").write(logits.contiguous().numpy().astype("<f4").tobytes())
print(f"transformers {transformers.__version__} ({type(model).__name__})")

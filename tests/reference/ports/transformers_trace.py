"""What transformers computes of a text, module by module, as a folder for `camelid compare-trace`.

    pip install torch==2.7.1 transformers==5.24.0 safetensors
    python transformers_trace.py MODEL OUT_FOLDER ID,ID,… [query_pre_attn_scalar=64 …]

In the checkpoint's own type, or in that of a setting `dtype=float32`. What else follows the ids are keys of config.json."""
import json
import sys

import torch
from transformers import AutoConfig, AutoModelForCausalLM
from transformers.model_debugging_utils import model_addition_debugger_context


def main(model, out, ids, *settings):
    settings = dict(setting.split("=") for setting in settings)
    dtype = settings.pop("dtype", "auto")
    config = AutoConfig.from_pretrained(model)
    for name, value in settings.items(): setattr(config, name, json.loads(value))
    loaded = AutoModelForCausalLM.from_pretrained(model, config=config, dtype=dtype, attn_implementation="eager").eval()
    ids = torch.tensor([[int(i) for i in ids.split(",")]])
    # All layers, and tensors as files: as text they are cut short.
    with torch.no_grad(), model_addition_debugger_context(loaded, out, do_prune_layers=False, use_repr=False):
        loaded(input_ids=ids, use_cache=False)


if __name__ == "__main__": main(*sys.argv[1:])

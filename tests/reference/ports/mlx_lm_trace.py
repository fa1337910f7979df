"""What mlx-lm computes of a text, module by module, as a file for `camelid compare-trace`.

    pip install 'mlx[cpu]==0.32.4' mlx-lm==0.32.2
    python mlx_lm_trace.py MODEL_FOLDER OUT.safetensors ID,ID,…

Each module's output stands under the module's path, what the model returns under `logits`."""
import pathlib
import sys

import mlx.core as mx
from mlx_lm.utils import load_model


def main(folder, out, ids):
    model, _ = load_model(pathlib.Path(folder))
    ids, seen = mx.array([[int(i) for i in ids.split(",")]]), {}

    def shown(path, cls):
        def call(self, *args, **kwargs):
            value = cls.__call__(self, *args, **kwargs)
            if isinstance(value, mx.array): seen[path] = value
            return value
        return type(cls.__name__, (cls,), {"__call__": call})

    for path, module in model.named_modules():
        if path: module.__class__ = shown(path, type(module))
    seen["logits"] = model(ids)
    mx.save_safetensors(out, {name: mx.contiguous(value) for name, value in seen.items()} | {"input_ids": ids})
    print(f"{out}: {len(seen)} modules of {ids.size} tokens")


if __name__ == "__main__": main(*sys.argv[1:])

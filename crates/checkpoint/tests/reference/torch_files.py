"""Writes the .bin files of tests/data, with PyTorch itself. Run by hand:

    python3 -m venv /tmp/venv && /tmp/venv/bin/pip install torch==2.6.0 numpy==2.4.6
    /tmp/venv/bin/python tests/reference/torch_files.py tests/data

`reference.bin` is a state dictionary with every type that is read, with views of every kind; beside each tensor that is
not contiguous stands `NAME.expected`, a contiguous copy. `older.bin` is in the format before 1.6. `module.bin` is the
state dictionary of a module as `save_pretrained` stores it: parameters, and versions as an attribute.
"""

import sys
from collections import OrderedDict
from pathlib import Path

import torch

folder = Path(sys.argv[1])
torch.manual_seed(7)
tensors = OrderedDict()

for dtype in (torch.float64, torch.float32, torch.float16, torch.bfloat16):
    name = str(dtype).removeprefix("torch.")
    tensors[name] = torch.randn(3, 5).to(dtype)
    tensors[f"{name}.expected"] = tensors[name].to(torch.float32)
for dtype in (torch.int8, torch.int16, torch.int32, torch.int64):
    tensors[str(dtype).removeprefix("torch.")] = torch.tensor([torch.iinfo(dtype).min, -1, 7], dtype=dtype)
tensors["uint8"] = torch.tensor([0, 255], dtype=torch.uint8)
tensors["bool"] = torch.tensor([True, False])

whole = torch.randn(4, 6, 2)
views = {
    "whole": whole,
    "rows": whole[1:3],
    "transposed": whole.transpose(0, 2),
    "columns": whole[:, 2:5],
    "every.other": whole[::2, 1::3],
    "number": whole[3, 5, 1],
    "expanded": whole[0, :1, :].expand(4, 2),
    "nothing": whole[:, :0],
    "one.column": whole[:, :1, :1],
}
for name, view in views.items():
    tensors[name] = view
    tensors[f"{name}.expected"] = view.clone(memory_format=torch.contiguous_format)
tensors["parameter"] = torch.nn.Parameter(torch.randn(2, 3))
tensors["parameter.expected"] = tensors["parameter"].detach().clone()

torch.save(tensors, folder / "reference.bin")
torch.save({"a": torch.zeros(1)}, folder / "older.bin", _use_new_zipfile_serialization=False)
torch.save(torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.LayerNorm(2)).state_dict(), folder / "module.bin")

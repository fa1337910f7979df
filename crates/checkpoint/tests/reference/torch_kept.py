"""What people's .bin files hold beside plain tensors: python torch_kept.py, with torch 2.15.0; writes ../data/kept*.bin.

kept.bin: tensors and parameters with attributes, entries that are no tensors, an expanded buffer, types that are not read.
kept_4.bin: pickle protocol 4. kept_meta.bin: a tensor without numbers. kept_nested.bin: the tensors one level down.
"""
import pathlib

import torch

DATA = pathlib.Path(__file__).resolve().parents[1] / "data"
plain = torch.arange(6, dtype=torch.float32).reshape(2, 3)
attribute = plain.clone()
attribute.ds_id = 3
parameter = torch.nn.Parameter(plain.clone())
parameter.ds_tensor = "x"
kept = {
    "plain": plain,
    "attribute": attribute,
    "parameter": parameter,
    "none": None,
    "version": "1",
    "count": 7,
    "size": torch.Size([1]),
    "list": [1, 2],
    "expanded": torch.tensor(2.5).expand(4),
    "float8": torch.ones(4).to(torch.float8_e4m3fn),
    "uint16": torch.tensor([1, 65535], dtype=torch.uint16),
}
torch.save(kept, DATA / "kept.bin")
torch.save({"plain": plain, "parameter": parameter}, DATA / "kept_4.bin", pickle_protocol=4)
torch.save({"plain": plain, "ghost": plain.to("meta")}, DATA / "kept_meta.bin")
torch.save({"model": {"plain": plain}, "step": 3}, DATA / "kept_nested.bin")

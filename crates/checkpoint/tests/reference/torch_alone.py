"""A tensor that was saved alone, as intermediate logging of engines does: python torch_alone.py, with torch 2.7.1; writes ../data/alone.bin."""
import pathlib

import torch

torch.save(torch.arange(6, dtype=torch.bfloat16).reshape(2, 3), pathlib.Path(__file__).resolve().parents[1] / "data" / "alone.bin")

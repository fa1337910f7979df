"""Writes tests/data/reference.gguf: every type that the crate reads, with its numbers by the reference, and every kind
of metadata. Run by hand:

    python3 -m venv /tmp/venv && /tmp/venv/bin/pip install gguf==0.19.0 numpy==2.4.6
    /tmp/venv/bin/python tests/reference/gguf_vectors.py tests/data/reference.gguf

The package `gguf` is ggml's own (llama.cpp, gguf-py). It quantises the small types; for the K types it has only the way
back, so that their blocks are made here: random bits, with scales of a sensible size.
"""

import sys

import numpy as np
from gguf import GGMLQuantizationType as T
from gguf import GGUFEndian, GGUFValueType, GGUFWriter
from gguf import quants

rng = np.random.default_rng(20240612)
writer = GGUFWriter(sys.argv[1], "testing", endianess=GGUFEndian.LITTLE)

writer.add_uint8("kinds.u8", 255)
writer.add_int8("kinds.i8", -128)
writer.add_uint16("kinds.u16", 65535)
writer.add_int16("kinds.i16", -32768)
writer.add_uint32("kinds.u32", 2**32 - 1)
writer.add_int32("kinds.i32", -(2**31))
writer.add_uint64("kinds.u64", 2**64 - 1)
writer.add_int64("kinds.i64", -(2**63))
writer.add_float32("kinds.f32", 1e-5)
writer.add_float64("kinds.f64", 1e-5)
writer.add_bool("kinds.bool", True)
writer.add_string("kinds.string", "γ and ▁")
writer.add_array("kinds.array.string", ["<s>", "", "▁the"])
writer.add_array("kinds.array.f32", [0.5, -1000.0])
writer.add_array("kinds.array.i32", [-1, 2, 3])
writer.add_key_value("kinds.array.bool", [True, False], GGUFValueType.ARRAY, sub_type=GGUFValueType.BOOL)

ROWS, COLUMNS = 2, 512


def halves(count, scale):
    return (rng.standard_normal(count) * scale).astype(np.float16).view(np.uint8).reshape(count, 2)


def k_blocks(kind):
    """Random blocks: d (and dmin) of a sensible size, every other byte free."""
    count = ROWS * COLUMNS // 256
    bytes_per_block = {T.Q4_K: 144, T.Q5_K: 176, T.Q6_K: 210}[kind]
    blocks = rng.integers(0, 256, (count, bytes_per_block), dtype=np.uint8)
    if kind == T.Q6_K:
        blocks[:, 208:210] = halves(count, 1e-3)
    else:
        blocks[:, 0:2] = halves(count, 1e-3)
        blocks[:, 2:4] = halves(count, 1e-2)
    return blocks.reshape(ROWS, -1)


for kind in (T.Q4_0, T.Q4_1, T.Q5_0, T.Q5_1, T.Q8_0, T.Q4_K, T.Q5_K, T.Q6_K):
    name = kind.name.lower()
    if name.endswith("_k"):
        data = k_blocks(kind)
    else:
        data = quants.quantize(rng.standard_normal((ROWS, COLUMNS)).astype(np.float32), kind)
    writer.add_tensor(name, data, raw_dtype=kind)
    writer.add_tensor(f"{name}.expected", quants.dequantize(data, kind).astype(np.float32))

values = rng.standard_normal((3, 5)).astype(np.float32)
writer.add_tensor("f32", values)
writer.add_tensor("f16", values.astype(np.float16))
writer.add_tensor("f16.expected", values.astype(np.float16).astype(np.float32))
bf16 = quants.quantize(values, T.BF16)
writer.add_tensor("bf16", bf16, raw_dtype=T.BF16)
writer.add_tensor("bf16.expected", quants.dequantize(bf16, T.BF16).astype(np.float32))
writer.add_tensor("f64", values.astype(np.float64) / 3)
writer.add_tensor("f64.expected", (values.astype(np.float64) / 3).astype(np.float32))
for kind in (np.int8, np.int16, np.int32, np.int64):
    writer.add_tensor(np.dtype(kind).name, np.array([np.iinfo(kind).min, -1, 7], kind))

writer.write_header_to_file()
writer.write_kv_data_to_file()
writer.write_tensors_to_file()
writer.close()

"""Writes tests/data/reference.gguf: every type that the crate reads, with its numbers by the reference, and every kind
of metadata. Run by hand:

    python3 -m venv /tmp/venv && /tmp/venv/bin/pip install gguf==0.19.0 numpy==2.4.6
    /tmp/venv/bin/python tests/reference/gguf_vectors.py tests/data/reference.gguf

The package `gguf` is ggml's own (llama.cpp, gguf-py). It quantises the small types; for the others it has only the way
back, so that their blocks are made here: random bits, with scales of a sensible size. Q1_0 and Q2_0 it can't decode at all:
their numbers are by the formulas of ggml's `dequantize_row_q1_0` and `dequantize_row_q2_0`.
"""

import sys

import numpy as np
from gguf import GGMLQuantizationType as T
from gguf import GGML_QUANT_SIZES, GGUFEndian, GGUFValueType, GGUFWriter
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


# Where a block keeps its scales of 16 bits. IQ1_M spreads one over the upper bits of four others; NVFP4 and MXFP4 have
# scales of 8 bits, for which every byte is as good.
SCALES = {
    T.Q4_K: {0: 1e-3, 2: 1e-2}, T.Q5_K: {0: 1e-3, 2: 1e-2}, T.Q6_K: {208: 1e-3}, T.Q2_K: {80: 1e-3, 82: 1e-2},
    T.Q3_K: {108: 1e-3}, T.IQ4_NL: {0: 1e-3}, T.IQ4_XS: {0: 1e-3}, T.IQ2_XXS: {0: 1e-3}, T.IQ2_XS: {0: 1e-3},
    T.IQ2_S: {0: 1e-3}, T.IQ3_XXS: {0: 1e-3}, T.IQ3_S: {0: 1e-3}, T.IQ1_S: {0: 1e-3}, T.TQ1_0: {52: 1}, T.TQ2_0: {64: 1},
    T.IQ1_M: {}, T.MXFP4: {}, T.NVFP4: {},
}  # fmt: skip


def blocks_of(kind):
    """Random blocks: scales of a sensible size, every other byte free."""
    numbers, size = GGML_QUANT_SIZES[kind]
    count = ROWS * COLUMNS // numbers
    blocks = rng.integers(0, 256, (count, size), dtype=np.uint8)
    for at, scale in SCALES[kind].items():
        blocks[:, at : at + 2] = halves(count, scale)
    if kind == T.IQ1_M:
        d = halves(count, 1e-3).view("<u2").astype(np.uint16)
        spread = (d >> np.array([0, 4, 8, 12], np.uint16) & 15) << 12
        rest = blocks[:, 48:56].copy().view("<u2") & 0x0FFF
        blocks[:, 48:56] = (rest | spread).astype("<u2").view(np.uint8)
    if kind == T.MXFP4:
        # 2^-128 and its like too: the two exponents below the normal floats, and the largest.
        blocks[:, 0] = rng.integers(110, 135, count)
        blocks[:3, 0] = [0, 1, 254]
    if kind == T.NVFP4:
        blocks[0, :4] = [0, 0x7F, 0x07, 0xFE]
    return blocks.reshape(ROWS, -1)


KINDS = (T.Q4_0, T.Q4_1, T.Q5_0, T.Q5_1, T.Q8_0, T.Q4_K, T.Q5_K, T.Q6_K, T.Q2_K, T.Q3_K, T.IQ4_NL, T.IQ4_XS, T.MXFP4,
         T.NVFP4, T.IQ2_XXS, T.IQ2_XS, T.IQ2_S, T.IQ3_XXS, T.IQ3_S, T.IQ1_S, T.IQ1_M, T.TQ1_0, T.TQ2_0)  # fmt: skip
for kind in KINDS:
    name = kind.name.lower()
    if kind in SCALES:
        data = blocks_of(kind)
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



def few_bits(name, number, numbers, bits, value):
    """Q1_0 and Q2_0: d f16, then the numbers of `bits` bits, the first in the lowest."""
    count = ROWS * COLUMNS // numbers
    q = rng.integers(0, 1 << bits, (count, numbers), dtype=np.uint8)
    d = halves(count, 1)
    packed = (q.reshape(count, -1, 8 // bits) << np.arange(0, 8, bits, dtype=np.uint8)).sum(axis=-1).astype(np.uint8)
    expected = value(q.astype(np.float32)) * d.view(np.float16).astype(np.float32)
    blocks = np.concatenate([d, packed], axis=1).reshape(ROWS, -1)
    return name, number, blocks, expected.reshape(ROWS, COLUMNS).astype(np.float32)


# The writer knows Q1_0 by its size only, and Q2_0 not at all: both are told to it under their numbers.
for name, number, blocks, expected in (
    few_bits("q1_0", 41, 128, 1, lambda q: 2 * q - 1),
    few_bits("q2_0", 42, 64, 2, lambda q: q - 1),
):
    writer.add_tensor_info(name, (ROWS, COLUMNS), np.dtype(np.int8), blocks.nbytes, raw_dtype=number)
    writer.tensors[-1][name].tensor = blocks
    writer.add_tensor(f"{name}.expected", expected)

writer.write_header_to_file()
writer.write_kv_data_to_file()
writer.write_tensors_to_file()
writer.close()

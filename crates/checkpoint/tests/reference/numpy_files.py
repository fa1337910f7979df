"""Arrays as NumPy writes them: stored and deflated, in every type that is read, in rows and in columns.

    pip install numpy==2.3.5 ml_dtypes==0.5.3
    python numpy_files.py ../data
"""
import pathlib
import sys

import ml_dtypes
import numpy

folder = pathlib.Path(sys.argv[1])
numbers = numpy.arange(12).reshape(3, 4)
arrays = {f"rows.{name}": numbers.astype(name) for name in
          ["float64", "float32", "float16", "int64", "int32", "int16", "int8", "uint64", "uint32", "uint16", "uint8"]}
arrays["rows.bool"] = numbers % 2 == 1
arrays["rows.bfloat16"] = numbers.astype(ml_dtypes.bfloat16)
arrays["columns.float32"] = numpy.asfortranarray(numbers.astype(numpy.float32))
arrays["columns.deep"] = numpy.asfortranarray(numpy.arange(24, dtype=numpy.float32).reshape(2, 3, 4))
arrays["one.row"] = numpy.asfortranarray(numbers[:1].astype(numpy.float32))
arrays["number"] = numpy.float32(3)
arrays["nothing"] = numpy.zeros((3, 0), numpy.float32)
numpy.savez(folder / "stored.npz", **arrays)
numpy.savez_compressed(folder / "deflated.npz", **arrays)
numpy.save(folder / "alone.npy", arrays["columns.float32"])
numpy.savez(folder / "objects.npz", objects=numpy.array([{"a": 1}], dtype=object))
numpy.savez(folder / "big_endian.npz", big=numbers.astype(">f4"))

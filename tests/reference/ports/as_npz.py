"""The tensors of a dump in safetensors as one NumPy archive: python as_npz.py trace.safetensors trace.npz

    pip install numpy==2.3.5 ml_dtypes==0.5.3 safetensors==0.6.2
"""
import sys

import ml_dtypes  # gives NumPy the type bfloat16
import numpy
from safetensors.numpy import load_file

source, out = sys.argv[1:]
numpy.savez_compressed(out, **load_file(source))

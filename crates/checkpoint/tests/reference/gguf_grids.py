"""Writes src/quantised/grids/*.bin: the points of the grids that the IQ types choose from. Run by hand:

    python3 -m venv /tmp/venv && /tmp/venv/bin/pip install gguf==0.19.0 numpy==2.4.6
    /tmp/venv/bin/python tests/reference/gguf_grids.py src/quantised/grids

The package `gguf` unpacks them to numbers; they are packed again here: the places of a point's numbers in the list of
values, from the lowest bits on, two bits each in the grids of eight numbers and four in those of four.
"""

import sys
from pathlib import Path

import numpy as np
from gguf import quants

folder = Path(sys.argv[1])
for name in ("IQ2_XXS", "IQ2_XS", "IQ2_S", "IQ3_XXS", "IQ3_S", "IQ1_S"):
    kind = getattr(quants, name)
    kind.init_grid()
    points = kind.grid.reshape(kind.grid_shape)
    places = np.searchsorted(np.array(kind.grid_map, np.float32), points)
    width = 16 // kind.grid_shape[1]
    packed = (places.astype(np.uint16) << (width * np.arange(kind.grid_shape[1]))).sum(axis=1)
    (folder / f"{name.lower().replace('iq1_s', 'iq1')}.bin").write_bytes(packed.astype("<u2").tobytes())

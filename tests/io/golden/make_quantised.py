# SPDX-License-Identifier: Apache-2.0
# Writes quantised.gguf: what ggml (of llama-cpp-python 0.3.36) makes of values. `values.T` are the blocks of type T for
# `values`; `weights.T` are the mean squared errors of its type T for the rows of `weights`: normal, Laplace, with a few
# large ones, and above zero.
import ctypes
import os
import pathlib
import sys

import gguf
import llama_cpp
import numpy as np
from gguf import GGMLQuantizationType as Type

folder = os.environ.get("LLAMA_CPP_LIB_PATH") or pathlib.Path(llama_cpp.__file__).parent / "lib"
ggml = ctypes.CDLL(str(pathlib.Path(folder) / "libggml-base.so"))
ggml.ggml_quantize_chunk.restype = ctypes.c_size_t
floats = ctypes.POINTER(ctypes.c_float)


def quantise(values, type):
    stored = np.zeros(gguf.quant_shape_to_byte_shape(values.shape, type), np.uint8)
    rows, columns = (ctypes.c_int64(n) for n in values.shape)
    ggml.ggml_quantize_chunk(
        ctypes.c_int(type), values.ctypes.data_as(floats), stored.ctypes.data_as(ctypes.c_void_p), ctypes.c_int64(0),
        rows, columns, floats())
    return stored


random = np.random.default_rng(2)
writer = gguf.GGUFWriter(sys.argv[1], "llama")
values = (random.standard_normal((16, 32)) * 0.02).astype(np.float32)
values[1] *= 1e-6
values[2] *= 1e5
values[3] = 0
values[4, ::2] = -0.0
values[5] = random.integers(-8, 9, 32) * 0.5  # ties
values[6] = np.linspace(-1, 1, 32)  # largest magnitudes of both signs
values[7, 1:] = 0
values[8] = np.arange(32) * 1e-9
values[9] = 0.3
values[10] = -0.3
values[11] = np.linspace(0.5, 1, 32) * (2**-9 * (1 - 2**-24))  # just below a power of two
values[12] += 5
values[13] -= 5
values[14] = np.float32(3e-38)
values[15] = -np.abs(values[15])
writer.add_tensor("values", values)
for name in ("Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "MXFP4"):
    writer.add_tensor("values." + name, quantise(values, Type[name]), raw_dtype=Type[name])

weights = np.stack([random.standard_normal(2048), random.laplace(size=2048), random.standard_normal(2048),
                    np.abs(random.standard_normal(2048)) + 1])
weights[2, ::97] *= 8
weights = (weights * 0.02).astype(np.float16).astype(np.float32)
writer.add_tensor("weights", weights.astype(np.float16))
for name in ("Q4_K", "Q5_K", "Q6_K"):
    error = gguf.dequantize(quantise(weights, Type[name]), Type[name]).astype(np.float64) - weights
    writer.add_tensor("weights." + name, np.mean(error**2, axis=1).astype(np.float32))

writer.write_header_to_file()
writer.write_kv_data_to_file()
writer.write_tensors_to_file()
writer.close()

# SPDX-License-Identifier: Apache-2.0
# Writes every_type.gguf with the format's own library (made with gguf 0.19.0, numpy 2.4.6): a key of each type of value,
# and for each block format T random blocks `T` with what they decode to, `T.values`, and what the library makes of
# `values`, `values.T`, where it writes T.
import sys

import gguf
import numpy as np
from gguf import GGMLQuantizationType as Type

random = np.random.default_rng(1)
writer = gguf.GGUFWriter(sys.argv[1], "llama")

G = gguf.GGUFValueType
numbers = [G.UINT8, G.INT8, G.UINT16, G.INT16, G.UINT32, G.INT32, G.UINT64, G.INT64]
for type in numbers:
    bits = 8 * np.dtype(type.name.lower()).itemsize
    signed = type.name.startswith("INT")
    extremes = [-(2 ** (bits - 1)), 2 ** (bits - 1) - 1] if signed else [0, 2**bits - 1]
    writer.add_key_value("one." + type.name, extremes[1], type)
    writer.add_key_value("list." + type.name, extremes, G.ARRAY, sub_type=type)
for type in (G.FLOAT32, G.FLOAT64):
    writer.add_key_value("one." + type.name, 0.1, type)
    writer.add_key_value("list." + type.name, [1.5, -2.0], G.ARRAY, sub_type=type)
writer.add_bool("one.BOOL", True)
writer.add_array("list.BOOL", [True, False])
writer.add_string("one.STRING", "a \u00e9\u4e16\U0001f600 text")
writer.add_token_list(["<unk>", "", "\u2581the", "\u4e16\u754c"])
writer.add_token_scores([0.0, -1.5, -2.0, -3.0])
writer.add_token_types([2, 1, 1, 6])
writer.add_chat_template("{% for m in messages %}{{ m['content'] }}{% endfor %}")

# Where the half-precision scales of each format are.
halves = {
    "Q4_0": [0], "Q4_1": [0, 2], "Q5_0": [0], "Q5_1": [0, 2], "Q8_0": [0], "Q2_K": [80, 82], "Q3_K": [108],
    "Q4_K": [0, 2], "Q5_K": [0, 2], "Q6_K": [208], "IQ4_NL": [0], "MXFP4": [],
}


def add(name, blocks):
    blocks = blocks.reshape(1, -1)
    writer.add_tensor(name, blocks, raw_dtype=Type[name])
    writer.add_tensor(name + ".values", np.array(gguf.dequantize(blocks, Type[name]), np.float32))


for name, infinity in (("F16", 0x7C00), ("BF16", 0x7F80)):
    codes = np.append(np.arange(0, infinity, 499), [infinity - 1, infinity])
    add(name, np.append(codes, codes | 0x8000).astype(np.uint16).view(np.uint8))
for name, places in halves.items():
    blocks = random.integers(0, 256, (5, gguf.GGML_QUANT_SIZES[Type[name]][1]), dtype=np.uint8)
    blocks[0], blocks[1] = 255, 0
    for place in places:  # the largest, the smallest, a small negative one, and any
        scales = blocks[:, place : place + 2].copy().view(np.uint16) & 0xBBFF
        scales[:3, 0] = [0x7BFF, 0x0001, 0x83FF]
        blocks[:, place : place + 2] = scales.view(np.uint8)
    if name == "MXFP4":
        blocks[:, 0] = [0, 1, 2, 254, 255]
    add(name, blocks)

values = (random.standard_normal((12, 32)) * 0.02).astype(np.float32)
values[1] *= 1e-6
values[2] *= 1e5
values[3] = 0
values[4, ::2] = -0.0
values[5] = random.integers(-8, 9, 32) * 0.5  # ties
values[6] = np.linspace(-1, 1, 32)  # largest magnitudes of both signs
values[7, 1:] = 0
values[8] = np.arange(32) * 1e-9
writer.add_tensor("values", values)
for name in ("F16", "BF16", "Q8_0", "Q4_0"):
    stored = gguf.quantize(values, Type[name])
    writer.add_tensor("values." + name, stored, raw_dtype=Type[name])

writer.write_header_to_file()
writer.write_kv_data_to_file()
writer.write_tensors_to_file()
writer.close()

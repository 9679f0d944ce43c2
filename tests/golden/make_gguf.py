# SPDX-License-Identifier: Apache-2.0
"""Makes gguf/*.gguf and gguf/expected.safetensors. Not part of the build.

usage: make_gguf.py      needs: pip install gguf llama-cpp-python numpy safetensors

Tiny random models of each architecture, written with the gguf package alone, and the logits that llama.cpp computes.
"""
import ctypes
import pathlib

import gguf
import llama_cpp
import numpy as np
from safetensors.numpy import save_file

HERE = pathlib.Path(__file__).resolve().parent / "gguf"
H, HEADS, KV, D, F, V, L, T = 16, 2, 1, 8, 24, 20, 2, 12
EXPERTS, ACTIVE, FE = 4, 2, 8
EPS = 1e-3


class Model:
    def __init__(self, arch, seed):
        self.arch, self.random = arch, np.random.default_rng(seed)
        self.writer = gguf.GGUFWriter(HERE / f"{arch}.gguf", arch)
        self.u32("block_count", L + 2 if arch == "smollm3" else L), self.u32("context_length", 64), self.u32("embedding_length", H)
        self.u32("attention.head_count", HEADS)
        self.u32("attention.head_count_kv", HEADS if arch in ("gpt2", "olmoe") else KV)
        self.writer.add_tokenizer_model("none")
        self.u32("vocab_size", V)

    def u32(self, key, value):
        self.writer.add_key_value(f"{self.arch}.{key}", value, gguf.GGUFValueType.UINT32)

    def f32(self, key, value):
        self.writer.add_key_value(f"{self.arch}.{key}", value, gguf.GGUFValueType.FLOAT32)

    def add(self, name, *shape, mean=0.0, std=0.25):
        # Few bits, so that the files pack well.
        value = np.round((mean + std * self.random.standard_normal(shape)) * 128) / 128
        self.writer.add_tensor(name, value.astype(np.float32))

    def linear(self, name, out, in_, bias=False):
        self.add(name + ".weight", out, in_)
        if bias:
            self.add(name + ".bias", out)

    def norm(self, name, size=H, bias=False):
        self.add(name + ".weight", size, mean=1.0)
        if bias:
            self.add(name + ".bias", size)

    def ends(self, tied=False, bias=False, head_bias=False):
        self.add("token_embd.weight", V, H, std=0.5)
        self.norm("output_norm", bias=bias)
        if not tied:
            self.linear("output", V, H, head_bias)

    def attention(self, b, bias=False, o_bias=False, d=D, heads=HEADS, kv=KV):
        for part, count in (("q", heads), ("k", kv), ("v", kv)):
            self.linear(f"{b}attn_{part}", count * d, H, bias)
        self.linear(b + "attn_output", H, heads * d, o_bias)

    def ffn(self, b, width=F):
        for part, shape in (("gate", (width, H)), ("up", (width, H)), ("down", (H, width))):
            self.linear(f"{b}ffn_{part}", *shape)

    def experts(self, b, bias=False, shared=0, select=False):
        self.linear(b + "ffn_gate_inp", EXPERTS, H, bias)
        for part, shape in (("gate", (FE, H)), ("up", (FE, H)), ("down", (H, FE))):
            self.add(f"{b}ffn_{part}_exps.weight", EXPERTS, *shape)
            if bias:
                self.add(f"{b}ffn_{part}_exps.bias", EXPERTS, shape[0])
            if shared:
                out, in_ = (shared if n == FE else n for n in shape)
                self.add(f"{b}ffn_{part}_shexp.weight", out, in_)
        if select:
            self.add(b + "exp_probs_b.bias", EXPERTS, std=0.1)

    def moe_keys(self, **extra):
        self.u32("expert_count", EXPERTS), self.u32("expert_used_count", ACTIVE)
        for key, value in extra.items():
            self.u32(key, value)


def build(arch, seed):
    m = Model(arch, seed)
    layer_norm = arch in ("gpt2", "phi2")
    m.f32("attention.layer_norm_epsilon" if layer_norm else "attention.layer_norm_rms_epsilon",
          1e-6 if arch == "deepseek2" else EPS)
    m.u32("feed_forward_length", FE if arch == "olmoe" else F)
    if arch not in ("gpt2", "gemma", "phi2"):
        m.f32("rope.freq_base", 500.0)
    tied = arch in ("gpt2", "llama", "gemma", "gemma2", "gemma3", "smollm3")
    m.ends(tied, layer_norm, arch == "phi2")
    if arch == "gpt2":
        m.add("position_embd.weight", 64, H)
    if arch == "llama":
        m.writer.add_tensor("rope_freqs.weight", np.array([1, 1.5, 4, 8], np.float32))
    if arch == "qwen3":
        m.u32("attention.key_length", D), m.u32("attention.value_length", D)
        m.writer.add_rope_scaling_type(gguf.RopeScalingType.YARN)
        m.f32("rope.scaling.factor", 4.0), m.u32("rope.scaling.original_context_length", 16)
    if arch == "qwen2moe":
        m.moe_keys(expert_feed_forward_length=FE, expert_shared_feed_forward_length=F)
    if arch in ("qwen3moe", "olmoe"):
        m.moe_keys(expert_feed_forward_length=FE)
    if arch == "gemma2":
        m.u32("attention.sliding_window", 5), m.f32("attn_logit_softcapping", 2.0), m.f32("final_logit_softcapping", 3.0)
    if arch == "gemma3":
        m.u32("attention.sliding_window", 5), m.u32("attention.sliding_window_pattern", 2)
        m.f32("rope.freq_base_swa", 100.0), m.f32("rope.scaling.factor", 4.0)
        m.writer.add_rope_scaling_type(gguf.RopeScalingType.LINEAR)
    if arch in ("phi2", "glm4", "glm4moe"):
        m.u32("rope.dimension_count", D // 2)
    if arch == "phi3":
        m.u32("rope.scaling.original_context_length", 8), m.f32("rope.scaling.attn_factor", 1.25)
        for name, factors in (("long", [1, 2, 3, 4]), ("short", [1, 1, 1, 1.5])):
            m.writer.add_tensor(f"rope_factors_{name}.weight", np.array(factors, np.float32))
    if arch == "olmo2":
        m.u32("attention.sliding_window", 5)
        m.writer.add_key_value("olmo2.attention.sliding_window_pattern", [True, False], gguf.GGUFValueType.ARRAY,
                               gguf.GGUFValueType.BOOL)
    if arch == "deepseek2":
        rn, rr, vd, kl, ql = 6, 4, 5, 8, 12
        m.u32("attention.q_lora_rank", ql), m.u32("attention.kv_lora_rank", kl)
        m.u32("attention.key_length", kl + rr), m.u32("attention.value_length", kl)
        m.u32("attention.key_length_mla", rn + rr), m.u32("attention.value_length_mla", vd)
        m.u32("rope.dimension_count", rr), m.u32("leading_dense_block_count", 1)
        m.moe_keys(expert_feed_forward_length=FE, expert_shared_count=2, expert_group_count=2,
                   expert_group_used_count=1, expert_gating_func=2)
        m.f32("expert_weights_scale", 2.5)
        m.writer.add_expert_weights_norm(True)
        m.writer.add_rope_scaling_type(gguf.RopeScalingType.YARN)
        m.f32("rope.scaling.factor", 4.0), m.u32("rope.scaling.original_context_length", 16)
        m.f32("rope.scaling.yarn_log_multiplier", 0.1)
    if arch == "gpt-oss":
        m.u32("attention.sliding_window", 5)
        m.moe_keys(expert_feed_forward_length=FE)
    if arch == "glm4moe":
        m.u32("leading_dense_block_count", 1), m.f32("expert_weights_scale", 1.5)
        m.writer.add_expert_weights_norm(True)
        m.moe_keys(expert_feed_forward_length=FE, expert_shared_count=1)
    if arch == "granite":
        m.f32("embedding_scale", 3.0), m.f32("residual_scale", 0.5), m.f32("attention.scale", 0.25)
        m.f32("logit_scale", 2.0)

    for i in range(L + 2 if arch == "smollm3" else L):
        b = f"blk.{i}."
        if arch != "olmo2":
            m.norm(b + "attn_norm", bias=layer_norm)
        if arch == "gpt2":
            m.linear(b + "attn_qkv", 3 * H, H, True)
            m.linear(b + "attn_output", H, H, True)
        elif arch == "phi3":
            m.linear(b + "attn_qkv", (HEADS + 2 * KV) * D, H)
            m.linear(b + "attn_output", H, HEADS * D)
        elif arch == "deepseek2":
            m.linear(b + "attn_q_a", ql, H), m.norm(b + "attn_q_a_norm", ql)
            m.linear(b + "attn_q_b", HEADS * (rn + rr), ql)
            m.linear(b + "attn_kv_a_mqa", kl + rr, H), m.norm(b + "attn_kv_a_norm", kl)
            m.add(b + "attn_k_b.weight", HEADS, kl, rn), m.add(b + "attn_v_b.weight", HEADS, vd, kl)
            m.linear(b + "attn_output", H, HEADS * vd)
        else:
            m.attention(b, arch in ("qwen2", "qwen2moe", "phi2", "gpt-oss", "glm4", "glm4moe"),
                        arch in ("phi2", "gpt-oss"), kv=HEADS if arch == "olmoe" else KV)
        if arch in ("qwen3", "qwen3moe", "gemma3", "glm4moe"):
            m.norm(b + "attn_q_norm", D), m.norm(b + "attn_k_norm", D)
        if arch in ("olmo2", "olmoe"):
            m.norm(b + "attn_q_norm", HEADS * D), m.norm(b + "attn_k_norm", (HEADS if arch == "olmoe" else KV) * D)
        if arch == "gpt-oss":
            m.add(b + "attn_sinks.weight", HEADS, std=1.0)
        if arch in ("gemma2", "gemma3", "olmo2", "glm4"):
            m.norm(b + "post_attention_norm"), m.norm(b + "post_ffw_norm")
        if arch in ("gpt-oss", "glm4moe"):
            m.norm(b + "post_attention_norm")
        elif arch not in ("olmo2", "phi2"):
            m.norm(b + "ffn_norm", bias=layer_norm)
        if arch in ("gpt2", "phi2"):
            m.linear(b + "ffn_up", F, H, True), m.linear(b + "ffn_down", H, F, True)
        elif arch in ("phi3", "glm4"):
            m.linear(b + "ffn_up", 2 * F, H), m.linear(b + "ffn_down", H, F)
        elif arch == "qwen2moe":
            m.experts(b, shared=F)
            m.add(b + "ffn_gate_inp_shexp.weight", H)
        elif arch in ("qwen3moe", "olmoe"):
            m.experts(b)
        elif arch == "gpt-oss":
            m.experts(b, bias=True)
        elif arch in ("deepseek2", "glm4moe") and i >= 1:
            m.experts(b, shared=FE * (2 if arch == "deepseek2" else 1), select=True)
        else:
            m.ffn(b)
    return m


def logits_of(path, ids):
    params = llama_cpp.llama_model_default_params()
    model = llama_cpp.llama_model_load_from_file(str(path).encode(), params)
    assert model, path
    options = llama_cpp.llama_context_default_params()
    options.n_ctx = options.n_batch = options.n_ubatch = 64
    options.n_threads = options.n_threads_batch = 1
    options.flash_attn_type = 0
    options.type_k = options.type_v = 0  # float32
    context = llama_cpp.llama_init_from_model(model, options)
    batch = llama_cpp.llama_batch_init(len(ids), 0, 1)
    batch.n_tokens = len(ids)
    for i, token in enumerate(ids):
        batch.token[i], batch.pos[i], batch.n_seq_id[i], batch.logits[i] = token, i, 1, 1
        batch.seq_id[i][0] = 0
    assert llama_cpp.llama_decode(context, batch) == 0
    rows = [np.ctypeslib.as_array(llama_cpp.llama_get_logits_ith(context, i), (V,)).copy() for i in range(len(ids))]
    llama_cpp.llama_free(context)
    llama_cpp.llama_model_free(model)
    return np.stack(rows)


ARCHITECTURES = ("gpt2 llama qwen2 qwen2moe qwen3 qwen3moe gemma gemma2 gemma3 phi2 phi3 olmo2 olmoe deepseek2 gpt-oss "
                 "glm4 glm4moe granite smollm3").split()

if __name__ == "__main__":
    HERE.mkdir(exist_ok=True)
    silent = llama_cpp.llama_log_callback(lambda *_: None)
    llama_cpp.llama_log_set(silent, ctypes.c_void_p(0))
    llama_cpp.llama_backend_init()
    ids = np.random.default_rng(1).integers(0, V, T)
    out = {"ids": ids.astype(np.int32)}
    for seed, arch in enumerate(ARCHITECTURES):
        model = build(arch, seed)
        writer = model.writer
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        path = HERE / f"{arch}.gguf"
        out[arch] = logits_of(path, [int(i) for i in ids])
        print(arch, path.stat().st_size, "bytes; largest logit", np.abs(out[arch]).max())
    save_file(out, HERE / "expected.safetensors")

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""How adapter/ was made: a tiny random Llama of transformers, and two adapters of it by PEFT, computed in float64.

    pip install torch transformers peft && python3 tests/golden/make_adapter.py

Neither the build nor the tests need it. All weights and matrices are exact in bfloat16.
"""
import json
import pathlib
import shutil

import peft
import torch
from safetensors.torch import load_file, save_file
from transformers import LlamaConfig, LlamaForCausalLM

HERE = pathlib.Path(__file__).resolve().parent / "adapter"
CONFIG = LlamaConfig(vocab_size=29, hidden_size=32, intermediate_size=40, num_hidden_layers=2, num_attention_heads=4,
                     num_key_value_heads=2, max_position_embeddings=32, rms_norm_eps=1e-5, tie_word_embeddings=False,
                     bos_token_id=0, eos_token_id=1)
ADAPTERS = {
    "patterns": peft.LoraConfig(r=4, lora_alpha=6, target_modules=["q_proj", "v_proj", "down_proj"], lora_dropout=0.1,
                                rank_pattern={"down_proj": 2, "model.layers.1.self_attn.v_proj": 3},
                                alpha_pattern={"down_proj": 5}, task_type="CAUSAL_LM"),
    "rslora": peft.LoraConfig(r=3, lora_alpha=4, target_modules="all-linear", use_rslora=True, task_type="CAUSAL_LM"),
}


def random_values(model, seed, wanted):
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if wanted(name):
                size = 1 + 0.1 * torch.randn(parameter.shape, generator=generator) if "norm" in name else \
                    0.2 * torch.randn(parameter.shape, generator=generator)
                parameter.copy_(size.bfloat16())


def main():
    shutil.rmtree(HERE, ignore_errors=True)
    HERE.mkdir()
    base = LlamaForCausalLM(CONFIG)
    random_values(base, 1, lambda name: True)
    base.to(torch.bfloat16).save_pretrained(HERE / "base")
    (HERE / "base" / "generation_config.json").unlink()
    ids = torch.randint(0, 29, (2, 7), generator=torch.Generator().manual_seed(2))
    dout = torch.randn((2, 7, 29), generator=torch.Generator().manual_seed(3)).bfloat16().double()
    expected = {"ids": ids.int(), "dout": dout.float()}
    for seed, (name, config) in enumerate(ADAPTERS.items()):
        plain = LlamaForCausalLM.from_pretrained(HERE / "base", dtype=torch.float64, attn_implementation="eager")
        if seed == 0:
            expected["base"] = plain(ids).logits.detach()
        model = peft.get_peft_model(plain, config).double()
        random_values(model, 10 + seed, lambda n: "lora_" in n)
        model.eval()
        logits = model(ids).logits
        logits.backward(dout)
        expected[name] = logits.detach()
        for parameter, value in model.named_parameters():
            if value.grad is not None:
                expected[f"{name}/{parameter.replace('.default', '')}"] = value.grad.clone()
        model.to(torch.bfloat16).save_pretrained(HERE / name)
        (HERE / name / "README.md").unlink()
        file = HERE / name / "adapter_config.json"
        config = json.loads(file.read_text())
        config["base_model_name_or_path"] = "base"  # not a path of one machine
        config["target_modules"] = sorted(config["target_modules"])
        file.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")
    save_file({name: value.contiguous() for name, value in expected.items()}, HERE / "expected.safetensors")


main()

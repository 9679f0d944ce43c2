// SPDX-License-Identifier: Apache-2.0
// Which type each tensor of a GGUF file has that is written, as llama-quantize has it:
// - vectors, norms, routers and learned positions are float32;
// - the embedding and the head of a model of fewer than 8 bits are Q8_0, of one of blocks of 256 Q6_K;
// - all other matrices are of the wanted type;
// - rows that are no whole blocks fall back to another type, in the end to half.
#pragma once

#include "../../core/blocks.hpp"
#include "../../core/shape.hpp"

namespace atom::pretrained {

struct GgufTypeRule {
  BlockType type;           // of matrices
  std::uint32_t file_type;  // general.file_type
  BlockType ends;           // of the embedding and the head
  BlockType fallback;       // of rows that are no whole blocks
};

// clang-format off
inline constexpr std::array<GgufTypeRule, 12> gguf_type_rules = {{
    {BlockType::f32, 0, BlockType::f32, BlockType::f32},     {BlockType::f16, 1, BlockType::f16, BlockType::f16},
    {BlockType::bf16, 32, BlockType::bf16, BlockType::bf16}, {BlockType::q8_0, 7, BlockType::q8_0, BlockType::f16},
    {BlockType::q4_0, 2, BlockType::q8_0, BlockType::f16},   {BlockType::q4_1, 3, BlockType::q8_0, BlockType::f16},
    {BlockType::q5_0, 8, BlockType::q8_0, BlockType::f16},   {BlockType::q5_1, 9, BlockType::q8_0, BlockType::f16},
    {BlockType::q4_k, 14, BlockType::q6_k, BlockType::q5_0}, {BlockType::q5_k, 16, BlockType::q6_k, BlockType::q5_1},
    {BlockType::q6_k, 18, BlockType::q6_k, BlockType::q8_0}, {BlockType::mxfp4, 38, BlockType::q8_0, BlockType::f16},
}};
// clang-format on

// The rule for that type. Error: there is none.
inline const GgufTypeRule& gguf_type_rule(BlockType type) {
  const auto* found = std::ranges::find(gguf_type_rules, type, &GgufTypeRule::type);
  if (found != gguf_type_rules.end()) return *found;
  std::string known;
  for (const GgufTypeRule& rule : gguf_type_rules)
    known += (known.empty() ? "" : ", ") + std::string(name_of(rule.type));
  fail("weights", "matrices of type ", name_of(type), " are not made, expected one of ", known);
}

// The type of a matrix of rows of `columns`, the embedding or the head or another. Error: no rule for it.
inline BlockType gguf_matrix_type(bool at_end, Index columns, BlockType wanted) {
  BlockType type = at_end ? gguf_type_rule(wanted).ends : gguf_type_rule(wanted).type;
  while (columns % info_of(type).values != 0) type = gguf_type_rule(type).fallback;
  return type;
}

// The type of the tensor in a file whose matrices are to be `wanted`. Error: no rule for it.
inline BlockType gguf_type(std::string_view name, const Shape& shape, BlockType wanted) {
  if (shape.rank() < 2 || !name.ends_with(".weight") || name.ends_with("_norm.weight") ||
      name.find("ffn_gate_inp") != name.npos || name == "position_embd.weight")
    return BlockType::f32;
  return gguf_matrix_type(name == "token_embd.weight" || name == "output.weight", shape[-1], wanted);
}

}  // namespace atom::pretrained

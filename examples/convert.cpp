// SPDX-License-Identifier: Apache-2.0
// A model from one form to another: Hugging Face folder, GGUF file or run folder to a folder or a GGUF file, with its
// tokenizer and chat template, in another type of weights, with adapters merged into it.
#include "adapted_model.hpp"
#include "cli.hpp"
#include "model_path.hpp"

#include <atom/atom.hpp>
#include <atom/io/save_tokenizer.hpp>
#include <atom/pretrained/folder.hpp>
#include <atom/pretrained/folder_form.hpp>
#include <atom/pretrained/generation_config.hpp>
#include <atom/pretrained/gguf/save_gguf.hpp>

using namespace atom;

namespace {

constexpr std::string_view type_names[] = {"f32", "f16", "bf16", "q8_0", "q4_0"};

DType dtype_named(const std::string& type) {
  if (type == "f32") return DType::f32;
  if (type == "f16") return DType::f16;
  check(type == "bf16", "--type", "folders hold f32, f16 or bf16: found ", type);
  return DType::bf16;
}
BlockType block_type_named(const std::string& type) {
  if (type == "f32") return BlockType::f32;
  if (type == "bf16") return BlockType::bf16;
  if (type == "q8_0") return BlockType::q8_0;
  return type == "q4_0" ? BlockType::q4_0 : BlockType::f16;
}

// What a GGUF file keeps beside its weights, as files of a folder.
void save_companions(const std::string& folder, const std::string& in) {
  const auto tokenizer = pretrained::load_tokenizer(in);
  io::save_tokenizer(folder + "/tokenizer.json", tokenizer);
  auto settings = io::Json::object({{"tokenizer_class", "PreTrainedTokenizerFast"}});
  const auto special = pretrained::load_special_tokens(in);
  for (const auto& [name, token] : special.members()) settings.set(name, token);
  io::write_file(folder + "/tokenizer_config.json", to_pretty_text(settings));
  if (const auto text = pretrained::load_chat_template(in)) io::write_file(folder + "/chat_template.jinja", *text);
}

void to_folder(FullModel& model, const std::string& in, const std::string& out, const std::string& type) {
  const auto dtype = type.empty() ? std::optional<DType>() : dtype_named(type);
  io::write_folder(out, [&](const std::string& folder) {
    if (!pretrained::is_gguf(in)) return pretrained::save_like(folder, model, in, {.dtype = dtype});
    pretrained::set_folder_form(model, in);
    const auto ends = pretrained::load_generation_config(in).ends;
    pretrained::save(folder, model,
                     {.dtype = dtype,
                      .end_of_text = ends.empty() ? std::nullopt : std::optional(ends[0]),
                      .model_type = pretrained::folder_model_type(in)});
    save_companions(folder, in);
  });
}

}  // namespace

int main(int argc, char** argv) {
  std::string in, out, type, adapter;
  int threads = default_thread_count();
  CLI::App app{"Converts a model.\nExample: convert runs/stories stories.gguf --type q8_0"};
  app.add_option("in", in, "Hugging Face folder, GGUF file or run folder")->required();
  app.add_option("out", out, "FILE.gguf, or a folder that is made or replaced")->required();
  app.add_option("--type", type,
                 "of the weights: f32, f16, bf16, and in GGUF files q8_0 or q4_0; else the folder's own, f16")
      ->check(CLI::IsMember(std::vector<std::string>(std::begin(type_names), std::end(type_names))));
  app.add_option("--adapter", adapter, "folder of low-rank adapters to merge")->check(CLI::ExistingDirectory);
  app.add_option("--threads", threads, "threads")->check(CLI::PositiveNumber);
  return cli::run(app, argc, argv, [&] {
    set_default_threads(threads);
    in = model_path(in);
    auto model = pretrained::load_model<FullModel>(in);
    add_adapter(model, in, adapter);
    if (!adapter.empty()) nn::merge_lora(model, {.dequantise = true});
    if (pretrained::is_gguf(out))
      pretrained::save_gguf(out, model, pretrained::gguf_options(in, block_type_named(type)));
    else
      to_folder(model, in, out, type);
    fmt::print("{}\n", out);
    return 0;
  });
}

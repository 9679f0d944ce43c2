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
#include <map>

using namespace atom;

namespace {

// The types of GGUF files by the names of the command line, such as q4_k.
std::map<std::string, BlockType> gguf_types() {
  std::map<std::string, BlockType> types;
  for (const auto& rule : pretrained::gguf_type_rules)
    types[CLI::detail::to_lower(std::string(name_of(rule.type)))] = rule.type;
  return types;
}

DType dtype_named(const std::string& type) {
  if (type == "f32") return DType::f32;
  if (type == "f16") return DType::f16;
  check(type == "bf16", "--type", "folders hold f32, f16 or bf16: found ", type);
  return DType::bf16;
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

void to_gguf(FullModel& model, const std::string& in, const std::string& out, BlockType type) {
  pretrained::save_gguf(out, model, pretrained::gguf_options(in, type));
  std::map<BlockType, std::vector<std::string>> others;  // what is in place of the type
  const io::Gguf file(out);
  for (const auto& tensor : file.tensors())
    if (tensor.type != BlockType::f32 && tensor.shape[-1] % info_of(type).values != 0)
      others[tensor.type].push_back(tensor.name);
  for (const auto& [other, names] : others)
    fmt::print(stderr, "{}{}: rows are no whole blocks of {}, stored as {}\n", names[0],
               names.size() == 1 ? "" : fmt::format(" and {} more", names.size() - 1), name_of(type), name_of(other));
}

}  // namespace

int main(int argc, char** argv) {
  std::string in, out, type, adapter;
  int threads = default_thread_count();
  CLI::App app{"Converts a model.\nExample: convert runs/stories stories.gguf --type q8_0"};
  app.add_option("in", in, "Hugging Face folder, GGUF file or run folder")->required();
  app.add_option("out", out, "FILE.gguf, or a folder that is made or replaced")->required();
  app.add_option("--type", type,
                 "of the weights; folders hold f32, f16 or bf16. Else the folder's own, in GGUF files f16")
      ->check(CLI::IsMember(gguf_types()));
  app.add_option("--adapter", adapter, "folder of low-rank adapters to merge")->check(CLI::ExistingDirectory);
  app.add_option("--threads", threads, "threads")->check(CLI::PositiveNumber);
  return cli::run(app, argc, argv, [&] {
    set_default_threads(threads);
    in = model_path(in);
    auto model = pretrained::load_model<FullModel>(in);
    add_adapter(model, in, adapter);
    if (!adapter.empty()) nn::merge_lora(model, {.dequantise = true});
    if (pretrained::is_gguf(out))
      to_gguf(model, in, out, type.empty() ? BlockType::f16 : gguf_types().at(type));
    else
      to_folder(model, in, out, type);
    fmt::print("{}\n", out);
    return 0;
  });
}

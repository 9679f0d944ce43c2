// SPDX-License-Identifier: Apache-2.0
// Any bytes as a config.json: an Error, or a configuration that is the same again from its own form, and whose tensors,
// where they are few, are those of a model of that shape.
#include <atom/io/json.hpp>
#include <atom/models/parameter_count.hpp>
#include <atom/pretrained/own_config.hpp>
#include <atom/pretrained/weights.hpp>

#include <cstdlib>
#include <cstring>

using namespace atom;

namespace {

void check_tensors(const pretrained::PublishedModel& model) {
  const auto& c = model.config;
  if (!model.family || c.layers * std::max<Index>(c.moe.experts, 1) > 256) return;
  const auto shapes = models::meta_transformer(c);
  const auto count = models::parameter_count(shapes);
  if (count.active > count.total || count.embedding > count.total) std::abort();
  const auto parameters = pretrained::parameters_of(shapes);
  Index stored = 0;
  for (const auto& tensor : model.tensors())
    if (!tensor.duplicate) stored += element_count(pretrained::published_shape(tensor, parameters));
  if (stored != count.total + count.buffers) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  try {
    const auto model = pretrained::read_config(io::parse_json(text, "config.json"));
    const io::Json own = pretrained::config_json(model.config);
    if (io::parse_json(to_pretty_text(own), "again") != own) std::abort();
    if (!pretrained::detail::says(pretrained::read_config(own).config, model.config)) std::abort();
    check_tensors(model);
  } catch (const Error& error) {
    if (std::strlen(error.what()) > 2000 || std::string_view(error.what()).starts_with("[again")) std::abort();
  }
  return 0;
}

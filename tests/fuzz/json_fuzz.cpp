// SPDX-License-Identifier: Apache-2.0
// Any bytes as JSON: an Error, or a value that is equal after writing and reading it, compact and pretty.
#include <atom/io/json.hpp>

#include <cstdlib>
#include <cstring>

using namespace atom;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  try {
    const io::Json value = io::parse_json(text, "fuzz");
    const io::JsonLimits limits = {.values = 1 << 20};  // what is written may be denser than what was read
    if (io::parse_json(to_text(value), "again", limits) != value) std::abort();
    if (io::parse_json(to_pretty_text(value), "again", limits) != value) std::abort();
    if (value.is_object()) value.get_optional<std::vector<std::int32_t>>("a");
  } catch (const Error& error) {
    if (std::strlen(error.what()) > 1000 || std::string_view(error.what()).starts_with("[again")) std::abort();
  }
  return 0;
}

// SPDX-License-Identifier: Apache-2.0
// A byte for the splitter, any bytes as a tiktoken file, and after a zero byte as a text to encode: an Error, or a
// tokenizer whose ids decode to the text.
#include <atom/io/tiktoken.hpp>

#include <cstdlib>
#include <cstring>

using namespace atom;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const auto splitter = static_cast<io::Splitter>(data[0] % (static_cast<unsigned>(io::Splitter::marked_words) + 1));
  const std::string_view all(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::size_t zero = std::min(all.find('\0'), all.size());
  const std::string_view own = zero < all.size() ? all.substr(zero + 1) : std::string_view("abc ab \n a1 bcab");
  try {
    const io::Tokenizer tokenizer = io::parse_tiktoken(all.substr(0, zero), "fuzz", splitter);
    try {
      const auto ids = tokenizer.encode(own);
      std::string bytes;
      for (const TokenId id : ids) tokenizer.append_bytes(bytes, id);
      if (bytes != own) std::abort();
      static_cast<void>(tokenizer.decode(ids));
    } catch (const Error& error) {  // a byte that the vocabulary lacks
      if (!std::string_view(error.what()).starts_with("[tokenizer] the byte")) std::abort();
    }
  } catch (const Error& error) {
    if (std::strlen(error.what()) > 1000) std::abort();
  }
  return 0;
}

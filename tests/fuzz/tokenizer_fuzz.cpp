// SPDX-License-Identifier: Apache-2.0
// Any bytes as a tokenizer.json, and after a zero byte as a text to encode: an Error, or a tokenizer that gives the
// same ids and texts when it was written and read again.
#include <atom/io/tokenizer_json.hpp>

#include <cstdlib>
#include <cstring>

using namespace atom;

namespace {

std::vector<TokenId> encode_and_decode(const io::Tokenizer& tokenizer, std::string_view text) {
  std::vector<TokenId> ids;
  try {
    ids = tokenizer.encode(text);
  } catch (const Error&) {  // a character that the vocabulary lacks
    return {-1};
  }
  for (const bool skip : {false, true}) {
    const std::string decoded = tokenizer.decode(ids, {.skip_special = skip});
    for (std::size_t at = 0; at < decoded.size();) {
      const auto character = utf8_at(decoded, at);
      if (character.code == no_character) std::abort();
      at += character.length;
    }
  }
  for (const TokenId id : ids)
    if (id < 0 || id >= tokenizer.size()) std::abort();
  return ids;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view all(reinterpret_cast<const char*>(data), size);
  const std::size_t zero = std::min(all.find('\0'), all.size());
  const std::string_view own = zero < all.size() ? all.substr(zero + 1) : std::string_view();
  try {
    const io::Tokenizer tokenizer = io::parse_tokenizer(all.substr(0, zero), "fuzz");
    const io::Tokenizer again = io::parse_tokenizer(io::to_json_text(tokenizer), "again");
    for (const std::string_view text :
         {own, std::string_view("ab  c<|e|>\n 12 \xE2\x96\x81 na\xC3\xAFve a\xCC\x81 \xFF")})
      if (encode_and_decode(tokenizer, text) != encode_and_decode(again, text)) std::abort();
  } catch (const Error& error) {
    if (std::strlen(error.what()) > 2000 || std::string_view(error.what()).starts_with("[again")) std::abort();
  }
  return 0;
}

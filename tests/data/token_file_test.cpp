// SPDX-License-Identifier: Apache-2.0
#include <atom/data/token_file.hpp>

#include "../catch.hpp"
#include "../io/scratch.hpp"

using namespace atom;
using data::TokenFile;

namespace {

std::vector<TokenId> ramp(Index count, TokenId first = 0) {
  std::vector<TokenId> ids(static_cast<std::size_t>(count));
  for (TokenId& id : ids) id = first++;
  return ids;
}

std::vector<TokenId> read(const TokenFile& file, Index first, Index count) {
  std::vector<TokenId> ids(static_cast<std::size_t>(count), -7);
  file.read(first, ids);
  return ids;
}

std::string with_header(std::uint32_t mark, std::uint32_t version, std::uint32_t count, std::string_view body) {
  std::array<std::uint32_t, 256> header{mark, version, count};
  return std::string(reinterpret_cast<const char*>(header.data()), sizeof header) + std::string(body);
}

}  // namespace

TEST_CASE("ids of 16 and 32 bits are written and read by position", "[data]") {
  const Scratch scratch;
  for (const Index vocab : {65536, 65537}) {
    const auto ids = ramp(1000, 64000);
    data::write_tokens(scratch / "a.bin", ids, {.vocab = vocab});
    CHECK(std::filesystem::file_size(scratch / "a.bin") == (vocab == 65536 ? 2000 : 4000));
    const TokenFile file(scratch / "a.bin", {.vocab = vocab});
    CHECK(file.size() == 1000);
    CHECK(read(file, 0, 1000) == ids);
    CHECK(read(file, 998, 2) == ramp(2, 64998));
    CHECK(read(file, 500, 1) == ramp(1, 64500));
    CHECK(read(file, 1000, 0).empty());
  }
}

TEST_CASE("several files are one stream", "[data]") {
  const Scratch scratch;
  std::vector<std::string> paths;
  for (TokenId i = 0; i < 5; ++i) {
    paths.push_back(scratch / to_text(i, ".bin"));
    data::write_tokens(paths.back(), ramp(i * 3 + 1, 100 * i), {.vocab = 500});
  }
  const TokenFile file(paths, {.vocab = 500});
  REQUIRE(file.size() == 35);
  const auto all = read(file, 0, 35);
  CHECK(all[0] == 0);
  CHECK(all[1] == 100);
  CHECK(all[34] == 412);
  for (Index first = 0; first <= 35; ++first)
    for (Index count = 0; first + count <= 35; ++count)
      if (read(file, first, count) != std::vector<TokenId>(all.begin() + first, all.begin() + first + count))
        FAIL_CHECK("differs from " << first << ", " << count);
}

TEST_CASE("llm.c's header is known, and what follows it", "[data]") {
  const Scratch scratch;
  const std::string path = scratch / "a.bin";
  data::write_text(path, with_header(20240520, 1, 2, std::string("\x01\x00\x02\x01", 4)));
  CHECK(read(TokenFile(path, {.vocab = 50257}), 0, 2) == std::vector<TokenId>{1, 258});
  data::write_text(path, with_header(20240801, 7, 1, std::string("\x01\x00\x01\x00", 4)));
  CHECK(read(TokenFile(path, {.vocab = 128000}), 0, 1) == std::vector<TokenId>{65537});
  data::write_text(path, with_header(20240520, 2, 2, "abcd"));
  CHECK(error_of([&] { TokenFile(path, {.vocab = 9}); }) == "[" + path + "] header of an unknown version: 2");
  data::write_text(path, with_header(20240520, 1, 3, "abcd"));
  CHECK(error_of([&] { TokenFile(path, {.vocab = 9}); }) ==
        "[" + path + "] the header says 3 tokens of 2 bytes, which does not fit the size of 1028 bytes");
}

TEST_CASE("bad token files and ids are one sentence", "[data]") {
  const Scratch scratch;
  const std::string path = scratch / "a.bin", at = "[" + path + "] ";
  const auto open_error = [&](data::TokenFileOptions options) { return error_of([&] { TokenFile(path, options); }); };
  CHECK(open_error({.vocab = 9}) == at + "cannot open: No such file or directory");
  CHECK(open_error({}) == at + "needs the size of the vocabulary: found 0");
  CHECK(open_error({.vocab = 9, .width = 3}) == at + "ids take 2 or 4 bytes: found 3");
  data::write_text(path, "abc");
  CHECK(open_error({.vocab = 9}) == at + "no whole number of tokens of 2 bytes: the size is 3 bytes");
  data::write_text(path, "");
  CHECK(open_error({.vocab = 9}) == at + "has no tokens");
  CHECK(error_of([&] { TokenFile(scratch.path(), {.vocab = 9}); }) == "[" + scratch.path() + "] not a regular file");
  CHECK(error_of([&] { TokenFile(std::vector<std::string>(), {.vocab = 9}); }) == "[token_file] needs a file");

  data::write_tokens(path, ramp(10), {.vocab = 10});
  const TokenFile file(path, {.vocab = 9});
  CHECK(read(file, 0, 9) == ramp(9));
  CHECK(error_of([&] { read(file, 5, 5); }) == at + "token 9 is not in the vocabulary: found 9, expected 0 to 8");
  CHECK(error_of([&] { read(file, 5, 6); }) == "[token_file] read beyond the end: found 10 tokens, expected 6 from 5");
  CHECK(error_of([&] { read(file, -1, 1); }).starts_with("[token_file] read beyond the end"));
  std::filesystem::resize_file(path, 4);
  CHECK(error_of([&] { read(file, 0, 9); }) == at + "became shorter while it was read: ended at byte 4");

  data::write_text(path, std::string("\xFF\xFF\xFF\xFF", 4));
  CHECK(error_of([&] { read(TokenFile(path, {.vocab = 100000}), 0, 1); }) ==
        at + "token 0 is not in the vocabulary: found 4294967295, expected 0 to 99999");
  CHECK(error_of([&] { data::write_tokens(path, ramp(3), {.vocab = 2}); }) ==
        at + "token 2 is not in the vocabulary: found 2, expected 0 to 1");
  CHECK(error_of([&] { data::write_tokens(path, ramp(3), {.vocab = 70000, .width = 2}); }) ==
        at + "a vocabulary of 70000 needs ids of 4 bytes");
}

// SPDX-License-Identifier: Apache-2.0
#include <atom/io/checksum.hpp>

#include "catch.hpp"
#include "io/scratch.hpp"

#include <fstream>

using namespace atom;

namespace {

std::uint64_t sum_of(std::string_view text) { return io::checksum_of(std::as_bytes(std::span(text))); }

}  // namespace

TEST_CASE("checksums are those of xxhsum -H64") {
  CHECK(sum_of("") == 0xef46db3751d8e999U);
  CHECK(sum_of("a") == 0xd24ec4f1a98c6e5bU);
  CHECK(sum_of("abc") == 0x44bc2cf5ad770999U);
  CHECK(sum_of("Nobody inspects the spammish repetition") == 0xfbcea83c8a378bf1U);
}

TEST_CASE("a checksum does not depend on how the bytes are cut") {
  std::string text;
  for (int i = 0; i < 1000; ++i) text += static_cast<char>(i * 37);
  for (std::size_t piece = 1; piece < 100; ++piece) {
    io::Checksum sum;
    for (std::size_t at = 0; at < text.size(); at += piece) sum.add(std::string_view(text).substr(at, piece));
    REQUIRE(sum.value() == sum_of(text));
  }
}

TEST_CASE("any flipped bit of a folder is found") {
  const Scratch scratch;
  const std::string folder = scratch / "model";
  io::write_folder(folder, [](const std::string& temporary) {
    io::write_file(temporary + "/config.json", "{\"layers\": 2}");
    std::filesystem::create_directory(temporary + "/training");
    io::write_file(temporary + "/training/state", std::string_view("\0\1\2\3", 4));
    io::write_checksums(temporary);
  });
  CHECK(io::has_checksums(folder));
  io::verify_checksums(folder);
  for (const char* name : {"/config.json", "/training/state", "/checksums.xxh64"}) {
    const std::string content = io::read_file(folder + name);
    for (std::size_t bit = 0; bit < 8 * content.size(); ++bit) {
      std::string damaged = content;
      damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ 1 << bit % 8);
      std::fstream(folder + name) << damaged;  // in place: no wait for the disk
      REQUIRE_THROWS_AS(io::verify_checksums(folder), Error);
    }
    io::write_file(folder + name, content);
  }
  io::verify_checksums(folder);

  const std::string list = folder + "/checksums.xxh64";
  io::write_file(folder + "/training/state", "other");
  CHECK(error_of([&] { io::verify_checksums(folder); }) ==
        "[" + list +
            "] the folder does not have the listed content: found '30272ceaa6e6625a  training/state', expected "
            "'ffced8604453cc1e  training/state'");
  std::filesystem::remove(folder + "/training/state");
  CHECK(error_of([&] { io::verify_checksums(folder); }).find("found '', expected '") != std::string::npos);
}

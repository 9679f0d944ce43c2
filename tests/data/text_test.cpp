// SPDX-License-Identifier: Apache-2.0
#include <atom/data/text.hpp>

#include "../catch.hpp"
#include "../io/scratch.hpp"

using namespace atom;

TEST_CASE("text goes to a file and comes back byte for byte", "[data]") {
  const Scratch scratch;
  std::string text;
  for (int i = 0; i < 200000; ++i) text += static_cast<char>(i * 7);
  data::write_text(scratch / "a.txt", text);
  CHECK(data::read_text(scratch / "a.txt") == text);
  data::write_text(scratch / "a.txt", "short");
  CHECK(data::read_text(scratch / "a.txt") == "short");
}

TEST_CASE("a missing, empty or impossible file is one sentence that names it", "[data]") {
  const Scratch scratch;
  const std::string path = scratch / "a.txt";
  CHECK(error_of([&] { data::read_text(path); }) == "[" + path + "] cannot open: No such file or directory");
  data::write_text(path, "");
  CHECK(error_of([&] { data::read_text(path); }) == "[" + path + "] is empty: expected text");
  CHECK(error_of([&] { data::read_text(scratch.path()); }) ==
        "[" + scratch.path() + "] cannot be read: Is a directory");
  CHECK(error_of([&] { data::write_text(scratch / "no/a.txt", "x"); }) ==
        "[" + scratch.path() + "/no/a.txt] cannot open: No such file or directory");
  CHECK(error_of([&] { data::write_text("/dev/full", "x"); }) ==
        "[/dev/full] cannot be written: No space left on device");
}

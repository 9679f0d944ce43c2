// SPDX-License-Identifier: Apache-2.0
#include <atom/io/file.hpp>

#include <cstring>

#include "catch.hpp"
#include "io/scratch.hpp"

#include <fstream>
#include <set>

using namespace atom;
using io::read_file;
using io::write_file;
using io::write_folder;

namespace {

std::set<std::string> entries(const std::string& folder) {
  std::set<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) names.insert(entry.path().filename());
  return names;
}

}  // namespace

TEST_CASE("a file is read by position") {
  const Scratch scratch;
  const std::string path = scratch / "letters";
  write_file(path, "abcdefgh");
  const io::File file(path);
  CHECK(file.size() == 8);
  std::string piece(3, ' ');
  file.read(2, std::as_writable_bytes(std::span(piece)));
  CHECK(piece == "cde");
  file.read(8, {});
  CHECK(read_file(path) == "abcdefgh");

  CHECK(error_of([&] { file.read(6, std::as_writable_bytes(std::span(piece))); }) ==
        "[" + path + "] read beyond the end: found 8 bytes, expected 3 at offset 6");
  CHECK(error_of([&] { file.read(~std::uint64_t{0}, std::as_writable_bytes(std::span(piece))); }) ==
        "[" + path + "] read beyond the end: found 8 bytes, expected 3 at offset 18446744073709551615");
  CHECK(error_of([&] { read_file(path, 7); }) == "[" + path + "] too large: found 8 bytes, expected at most 7");
  CHECK(error_of([&] { read_file(scratch / "none"); }) ==
        "[" + (scratch / "none") + "] cannot open: No such file or directory");
  CHECK(error_of([&] { read_file(scratch.path()); }) == "[" + scratch.path() + "] not a regular file");
}

TEST_CASE("a file that becomes shorter while it is read is an error") {
  const Scratch scratch;
  const std::string path = scratch / "shrinks";
  write_file(path, "abcdefgh");
  const io::File file(path);
  std::filesystem::resize_file(path, 4);
  std::string all(8, ' ');
  CHECK(error_of([&] { file.read(0, std::as_writable_bytes(std::span(all))); }) ==
        "[" + path + "] became shorter while it was read: ended at offset 4");
}

TEST_CASE("a file that is open keeps its content when the name is saved again") {
  const Scratch scratch;
  const std::string path = scratch / "model";
  write_file(path, "old");
  const io::File file(path);
  write_file(path, "new and longer");
  std::string text(3, ' ');
  file.read(0, std::as_writable_bytes(std::span(text)));
  CHECK(text == "old");
  CHECK(read_file(path) == "new and longer");
}

TEST_CASE("a failed save leaves the old content and nothing beside it") {
  const Scratch scratch;
  const std::string path = scratch / "file";
  write_file(path, "old");
  CHECK_THROWS_AS(write_file(path,
                             [](io::FileWriter& writer) {
                               writer.write("half of the n");
                               throw std::runtime_error("stop");
                             }),
                  std::runtime_error);
  CHECK(read_file(path) == "old");
  CHECK_THROWS_AS(write_folder(scratch / "folder",
                               [](const std::string& folder) {
                                 write_file(folder + "/a", "a");
                                 throw std::runtime_error("stop");
                               }),
                  std::runtime_error);
  CHECK(entries(scratch.path()) == std::set<std::string>{"file"});
  CHECK(error_of([&] { write_file(scratch / "none/file", "text"); }) ==
        "[" + (scratch / "none/file") + "] cannot be saved: cannot create a file beside it: No such file or directory");
  CHECK(error_of([&] { write_file("", "text"); }) == "[] not a name to save under");
}

TEST_CASE("a folder appears whole and is replaced whole") {
  const Scratch scratch;
  const std::string path = scratch / "step-1";
  write_folder(path, [&](const std::string& folder) {
    CHECK_FALSE(std::filesystem::exists(path));
    write_file(folder + "/weights", "1");
    std::filesystem::create_directory(folder + "/training");
    std::ofstream(folder + "/training/state") << "written by other means";
  });
  CHECK(entries(path) == std::set<std::string>{"weights", "training"});
  CHECK(read_file(path + "/training/state") == "written by other means");
  write_folder(path, [](const std::string& folder) { write_file(folder + "/other", "2"); });
  CHECK(entries(path) == std::set<std::string>{"other"});
  CHECK(entries(scratch.path()) == std::set<std::string>{"step-1"});
}

TEST_CASE("leftovers of killed writers are removed by the next save, and nothing else is") {
  const Scratch scratch;
  std::filesystem::create_directories(scratch / "step-1.tmp-4000000/training");
  std::ofstream(scratch / "step-1.tmp-4000000/weights") << "half";
  std::ofstream(scratch / "step-1.tmp-4000001") << "half";
  for (const char* other : {"step-10.tmp-4000000", "step-1.tmp-notes", "step-1.tmp"}) std::ofstream(scratch / other);
  write_folder(scratch / "step-1", [](const std::string& folder) { write_file(folder + "/weights", "whole"); });
  CHECK(entries(scratch.path()) ==
        std::set<std::string>{"step-1", "step-10.tmp-4000000", "step-1.tmp-notes", "step-1.tmp"});
}

TEST_CASE("a second writer of a name is refused and does no harm") {
  const Scratch scratch;
  const std::string path = scratch / "file";
  write_file(path, [&](io::FileWriter& writer) {
    writer.write("fir");
    CHECK(error_of([&] { write_file(path, "second"); }) ==
          "[" + path + "] cannot be saved: cannot create a file beside it: File exists");
    writer.write("st");
  });
  CHECK(read_file(path) == "first");
  CHECK(entries(scratch.path()) == std::set<std::string>{"file"});
}

TEST_CASE("writing to a full device is one sentence") {
  if (!std::filesystem::exists("/dev/full")) return;
  io::FileWriter writer("model", io::detail::Descriptor("/dev/full", O_WRONLY));
  CHECK(error_of([&] { writer.write("text"); }) == "[model] cannot write at offset 0: No space left on device");
}

TEST_CASE("a file as memory outlives the object that opened it") {
  const std::string path = "/tmp/atom-mapped-" + std::to_string(::getpid());
  io::write_file(path, "bytes");
  const auto memory = io::File(path).map();
  CHECK(std::memcmp(memory.get(), "bytes", 5) == 0);
  io::write_file(path, "");
  CHECK(io::File(path).map() == nullptr);
  CHECK(std::memcmp(memory.get(), "bytes", 5) == 0);  // another file has the name now
  ::unlink(path.c_str());
}

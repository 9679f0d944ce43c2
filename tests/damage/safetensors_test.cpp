// SPDX-License-Identifier: Apache-2.0
// More than 100,000 damaged files: each ends in an error of one sentence or in tensors that mean the same when written
// again, never in a crash, and no small file makes the reader hold much memory.
#include <atom/io/save_safetensors.hpp>

#include "catch.hpp"
#include "damage/heap.hpp"
#include "io/scratch.hpp"

#include <sys/mman.h>

#include <cstring>

using namespace atom;

namespace {

constexpr std::size_t MiB = std::size_t{1} << 20U;

// A file in memory that is opened by name.
class MemoryFile {
 public:
  MemoryFile() : number_(::memfd_create("damaged", MFD_CLOEXEC)), path_(to_text("/proc/self/fd/", number_)) {}
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;
  ~MemoryFile() { ::close(number_); }

  const std::string& path() const { return path_; }
  void set(std::string_view content) const {
    REQUIRE(::ftruncate(number_, 0) == 0);
    REQUIRE(::pwrite(number_, content.data(), content.size(), 0) == static_cast<ssize_t>(content.size()));
  }

 private:
  int number_;
  std::string path_;
};

struct Verdicts {
  int rejected = 0, accepted = 0;
  std::size_t memory = 0;  // most held by one call
};

// Opens the content; checks the sentence, or that the tensors can be read and written again with the same meaning.
bool judge(const MemoryFile& file, std::string_view content, Verdicts& verdicts) {
  file.set(content);
  bool accepted = false;
  std::string message;
  const std::size_t memory = heap::peak_of([&] {
    try {
      const io::Safetensors tensors(file.path());
      accepted = true;
    } catch (const Error& error) {
      message = error.what();
    }
  });
  verdicts.memory = std::max(verdicts.memory, memory);
  ++(accepted ? verdicts.accepted : verdicts.rejected);
  if (!accepted) {
    const bool sentence =
        message.starts_with("[" + file.path()) && message.size() < 500 && message.find('\n') == message.npos;
    if (!sentence) FAIL(message);
    return false;
  }
  const io::Safetensors tensors(file.path());
  std::vector<io::TensorInfo> again(tensors.tensors().begin(), tensors.tensors().end());
  const std::string header = io::detail::layout("again", again, tensors.metadata());
  const auto parsed = io::parse_safetensors(std::string_view(header).substr(8), "again", header.size(),
                                            header.size() + (again.empty() ? 0 : again.back().end - header.size()));
  bool same = parsed.tensors.size() == again.size();
  for (const io::TensorInfo& tensor : tensors.tensors()) {
    const auto found = std::ranges::find(parsed.tensors, tensor.name, &io::TensorInfo::name);
    same = same && found->shape == tensor.shape && found->dtype == tensor.dtype && found->bytes() == tensor.bytes();
    std::vector<std::byte> bytes(tensor.bytes());
    tensors.read(tensor, bytes);
  }
  if (!same) FAIL("not the same again: " << content);
  return true;
}

std::string with_length(std::string_view header, std::string_view data) {
  const std::uint64_t length = header.size();
  std::string content(8, '\0');
  std::memcpy(content.data(), &length, 8);
  return content.append(header).append(data);
}

const std::string header =
    R"({"__metadata__":{"format":"pt"},"a.weight":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},)"
    R"("a.bias":{"dtype":"BF16","shape":[2],"data_offsets":[24,28]},"n":{"dtype":"I64","shape":[],"data_offsets":[28,36]},)"
    R"("empty":{"dtype":"F16","shape":[0,7],"data_offsets":[36,36]},"p":{"dtype":"F4","shape":[2,2],"data_offsets":[36,38]}})";
const std::string data(38, '\x5a');
const std::string intact = with_length(header, data);

}  // namespace

TEST_CASE("no truncation of a file is accepted") {
  const MemoryFile file;
  Verdicts verdicts;
  REQUIRE(judge(file, intact, verdicts));
  for (std::size_t size = 0; size < intact.size(); ++size) REQUIRE_FALSE(judge(file, intact.substr(0, size), verdicts));
  CHECK(verdicts.memory < MiB);
}

TEST_CASE("every flipped bit of a header") {
  const MemoryFile file;
  Verdicts verdicts;
  for (std::size_t bit = 0; bit < 8 * (8 + header.size()); ++bit) {
    std::string damaged = intact;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ 1 << bit % 8);
    judge(file, damaged, verdicts);
  }
  CHECK(verdicts.rejected > 2000);
  CHECK(verdicts.accepted > 100);  // names and metadata carry no redundancy: that is what checksums.xxh64 is for
  CHECK(verdicts.memory < MiB);
}

TEST_CASE("every number of a header, and every two, replaced") {
  std::vector<std::pair<std::size_t, std::size_t>> numbers;  // begin, end
  for (std::size_t at = 0; at < header.size(); ++at) {
    if (header[at] < '0' || header[at] > '9' || (header[at - 1] != '[' && header[at - 1] != ',')) continue;
    numbers.emplace_back(at, header.find_first_not_of("0123456789", at));
  }
  REQUIRE(numbers.size() == 17);
  const std::vector<std::string> values = {"0",
                                           "1",
                                           "-1",
                                           "2147483648",
                                           "4294967296",
                                           "9223372036854775808",
                                           "18446744073709551615",
                                           "18446744073709551616",
                                           "37",
                                           "38",
                                           "39",
                                           "1.0",
                                           "1e2",
                                           "null",
                                           "\"1\"",
                                           "[]"};
  const MemoryFile file;
  Verdicts verdicts;
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    for (std::size_t j = i; j < numbers.size(); ++j) {
      for (const std::string& first : values) {
        for (const std::string& second : values) {
          std::string damaged = header;
          if (j != i) damaged.replace(numbers[j].first, numbers[j].second - numbers[j].first, second);
          damaged.replace(numbers[i].first, numbers[i].second - numbers[i].first, first);
          judge(file, with_length(damaged, data), verdicts);
          if (j == i) break;
        }
      }
    }
  }
  CHECK(verdicts.rejected > 30'000);
  CHECK(verdicts.memory < MiB);
}

TEST_CASE("every byte of the header length, and its limits, replaced") {
  const MemoryFile file;
  Verdicts verdicts;
  for (std::size_t at = 0; at < 8; ++at) {
    for (int value = 0; value < 256; ++value) {
      std::string damaged = intact;
      damaged[at] = static_cast<char>(value);
      REQUIRE(judge(file, damaged, verdicts) == (damaged == intact));
    }
  }
  for (const std::uint64_t size : {std::uint64_t{intact.size()}, std::uint64_t{1} << 31U, std::uint64_t{1} << 32U,
                                   std::uint64_t{1} << 63U, std::uint64_t{100'000'001}}) {
    for (const std::uint64_t length : {size - 1, size, size + 1, 0 - size}) {
      std::string damaged = intact;
      std::memcpy(damaged.data(), &length, 8);
      REQUIRE_FALSE(judge(file, damaged, verdicts));
    }
  }
  CHECK(verdicts.memory < MiB);
}

TEST_CASE("headers with bytes changed, cut out and put in at random") {
  const MemoryFile file;
  Verdicts verdicts;
  std::uint64_t state = 1;
  const auto below = [&](std::size_t bound) {
    state = state * 6364136223846793005U + 1442695040888963407U;
    return static_cast<std::size_t>((state >> 33U) % bound);
  };
  for (int round = 0; round < 65'000; ++round) {
    std::string damaged = header;
    for (std::size_t change = 0; change <= below(3); ++change) {
      const std::size_t at = below(damaged.size()), length = std::min(below(12), damaged.size() - at);
      if (const std::size_t kind = below(4); kind == 0)
        damaged[at] = static_cast<char>(below(256));
      else if (kind == 1)
        damaged.erase(at, length);
      else if (kind == 2)
        damaged.insert(below(damaged.size()), damaged.substr(at, length));
      else
        damaged.replace(at, 1, 1, "{}[],:\"0123456789-.eE\\"[below(22)]);
    }
    judge(file, with_length(damaged, data), verdicts);
  }
  CHECK(verdicts.rejected > 50'000);
  CHECK(verdicts.memory < MiB);
}

TEST_CASE("large hostile headers are refused within 16 MiB and twice their size") {
  const MemoryFile file;
  const auto refused = [&](const std::string& text) {
    Verdicts verdicts;
    const std::string content = with_length(text, "");
    CHECK_FALSE(judge(file, content, verdicts));
    CHECK(verdicts.memory < 16 * MiB + 2 * content.size());
  };
  const auto repeated = [](std::string_view piece, std::size_t bytes) {
    std::string text;
    while (text.size() < bytes) text += piece;
    return text;
  };
  refused(repeated("[", 8 * MiB));
  refused(repeated("{\"a\":", 8 * MiB));
  refused("{\"" + repeated("a", 8 * MiB));
  refused("{\"" + repeated("\\\"", 8 * MiB));
  refused("{\"a\":" + repeated("1", 8 * MiB));
  refused("{\"a\":[" + repeated("0,", 8 * MiB) + "0]}");
  refused("{\"a\":{" + repeated("\"\":0,", 8 * MiB) + "\"\":0}}");
  refused("{\"__metadata__\":{" + repeated("\"\":\"\",", 8 * MiB) + "\"\":\"\"}}");
  refused("{" + repeated("\"a\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]},", 8 * MiB) + "\"\":0}");
  refused("{" + repeated(" ", 8 * MiB) + "}");
}

TEST_CASE("every truncation and every flipped bit of an index") {
  const Scratch scratch;
  io::save_safetensors_folder(scratch.path(), {{.name = "a"}, {.name = "b"}},
                              [](const io::TensorInfo&, io::FileWriter& writer) { writer.write("1234"); },
                              {.metadata = {}, .shard_bytes = 4});
  const std::string index = scratch / "model.safetensors.index.json", content = io::read_file(index);
  int rejected = 0;
  std::size_t memory = 0;
  for (std::size_t bit = 0; bit < 9 * content.size(); ++bit) {
    std::string damaged = content.substr(0, bit < content.size() ? bit : content.size());
    if (const std::size_t flip = bit - content.size(); bit >= content.size())
      damaged[flip / 8] = static_cast<char>(damaged[flip / 8] ^ 1 << flip % 8);
    const int descriptor = ::open(index.c_str(), O_WRONLY | O_CLOEXEC);
    REQUIRE(::pwrite(descriptor, damaged.data(), damaged.size(), 0) == static_cast<ssize_t>(damaged.size()));
    REQUIRE(::ftruncate(descriptor, static_cast<off_t>(damaged.size())) == 0);
    ::close(descriptor);
    std::string message;
    memory = std::max(memory, heap::peak_of([&] { message = error_of([&] { io::Safetensors tensors(index); }); }));
    if (message != "no error") ++rejected;
    if (message != "no error" && !message.starts_with("[" + scratch.path())) FAIL(message);
    if (message == "no error" && bit < content.size() - 2)
      FAIL("a truncation was accepted");  // the end is a line break
  }
  CHECK(rejected > 1000);
  CHECK(memory < MiB);
}

TEST_CASE("an index of 200 bytes holds less than 1 MiB") {
  const Scratch scratch;
  const std::string index = scratch / "x.index.json";
  std::string many;
  for (char name = 'a'; name <= 'r'; ++name) many += to_text(many.empty() ? "" : ",", '"', name, R"(":"y")");
  for (const std::string& map :
       {many, std::string(180, '['), std::string(179, ' ') + '1', std::string(R"("a":"../y")"),
        std::string(R"("a":"y\nz")"), std::string(R"("a":"x.index.json")"), R"("a":")" + std::string(150, 'y') + '"'}) {
    io::write_file(index, R"({"weight_map":{)" + map + "}}");
    const std::size_t memory =
        heap::peak_of([&] { CHECK(error_of([&] { io::Safetensors tensors(index); }).starts_with("[/")); });
    CHECK(memory < MiB);
  }
}

TEST_CASE("running out of memory at any allocation is an exception, and nothing is lost") {
  const Scratch scratch;
  const std::string path = scratch / "x.safetensors";
  const auto write = [](const io::TensorInfo& tensor, io::FileWriter& writer) {
    writer.write(std::string(static_cast<std::size_t>(tensor.bytes()), 'x'));
  };
  io::save_safetensors(path, {{.name = "a"}, {.name = "b", .shape = {2}}}, write);
  std::array<std::byte, 8> bytes{};

  // Fails allocation 0, 1, 2, ... of the call, that one only and then all after it too, until the call succeeds.
  const auto points = [&](const auto& call) {
    int failures = 0;
    for (const bool for_good : {false, true}) {
      for (bool failed = true; failed; failures += failed) {
        const std::size_t before = heap::held;
        heap::fail_for_good = for_good;
        heap::until_failure = failures;
        try {
          call();
          failed = false;
        } catch (const std::exception&) {  // std::bad_alloc, or the Error of a library call that ran out
        }
        heap::until_failure = -1;
        if (heap::held != before) FAIL("leaked " << heap::held - before << " bytes at allocation " << failures);
      }
      if (!for_good) CHECK(failures > 10);
      if (!for_good) failures = 0;
    }
    return failures;
  };
  CHECK(points([&] {
          const io::Safetensors tensors(path);
          tensors.read(*tensors.find("b"), bytes);
        }) > 10);
  CHECK(points([&] {
          io::parse_json(R"({"a": [1, 2.5, {"b": "a text that needs an allocation"}], "c": null})", "f");
        }) > 10);
  CHECK(points([&] {
          io::write_folder(scratch / "folder", [&](const std::string& folder) {
            io::save_safetensors(folder + "/y", {{.name = "a"}, {.name = "c", .shape = {3}}}, write);
          });
        }) > 10);
  CHECK(points([&] { io::save_safetensors(path, {{.name = "a"}, {.name = "c", .shape = {3}}}, write); }) > 10);
  CHECK(io::Safetensors(path).find("c") != nullptr);
}

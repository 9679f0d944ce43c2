// SPDX-License-Identifier: Apache-2.0
// More than 100,000 damaged files: each ends in an error of one sentence or in a file that means the same when written
// again, never in a crash, and no small file makes the reader hold much memory.
#include <atom/io/gguf.hpp>
#include <atom/io/save_gguf.hpp>

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

// Every tensor in floats, if its type has them; every value as text.
void read_all(const io::Gguf& file) {
  std::string text;
  for (const auto& [key, value] : file.metadata().entries()) {
    append_text(text, value);
    if (value.is_array() && value.type() == io::GgufType::text)
      for (const std::string_view element : value.as<std::vector<std::string_view>>()) text += element;
    else if (value.is_array() && value.type() == io::GgufType::f32)
      for (const float element : value.as<std::vector<float>>()) append_text(text, element);
  }
  for (const io::GgufTensor& tensor : file.tensors()) {
    std::vector<float> values(static_cast<std::size_t>(element_count(tensor.shape)));
    if (io::can_dequantise(tensor.type)) io::read_elements(file, tensor, std::span(values));
  }
}

// Opens the content; checks the sentence, or that all can be read, and is the same bytes when written again.
bool judge(const MemoryFile& file, std::string_view content, Verdicts& verdicts) {
  file.set(content);
  bool accepted = false;
  std::string message;
  const std::size_t memory = heap::peak_of([&] {
    try {
      const io::Gguf opened(file.path());
      accepted = true;
    } catch (const Error& error) {
      message = error.what();
    }
  });
  verdicts.memory = std::max(verdicts.memory, memory);
  ++(accepted ? verdicts.accepted : verdicts.rejected);
  if (!accepted) {
    const bool sentence =
        message.starts_with("[" + file.path()) && message.size() < 700 && message.find('\n') == message.npos;
    if (!sentence) FAIL(message);
    return false;
  }
  const io::Gguf opened(file.path());
  read_all(opened);
  std::vector<io::GgufTensor> again(opened.tensors().begin(), opened.tensors().end());
  std::string written = io::detail::gguf_layout("again", again, opened.metadata());
  for (const io::GgufTensor& tensor : again) {
    written.resize(static_cast<std::size_t>(tensor.begin));
    written += content.substr(static_cast<std::size_t>(opened.find(tensor.name)->begin), tensor.bytes());
  }
  file.set(written);
  const io::Gguf reopened(file.path());
  bool same = reopened.metadata() == opened.metadata() && reopened.tensors().size() == opened.tensors().size();
  for (const io::GgufTensor& tensor : opened.tensors()) {
    const io::GgufTensor* found = reopened.find(tensor.name);
    same = same && found->type == tensor.type && found->shape == tensor.shape && found->bytes() == tensor.bytes();
  }
  if (!same) FAIL("not the same again");
  return true;
}

// A file put together by hand, and where the numbers in its header are: offset and size.
struct Handmade {
  std::string text;
  std::vector<std::pair<std::size_t, std::size_t>> numbers;
  std::size_t header = 0;

  template <class T> Handmade& number(T value) {
    numbers.emplace_back(text.size(), sizeof value);
    text.append(reinterpret_cast<const char*>(&value), sizeof value);
    return *this;
  }
  Handmade& string(std::string_view value) {
    number(std::uint64_t{value.size()});
    text += value;
    return *this;
  }
  Handmade& tensor(std::string_view name, const std::vector<Index>& extents, BlockType type, std::uint64_t offset) {
    string(name).number(static_cast<std::uint32_t>(extents.size()));
    for (const Index extent : extents) number(extent);
    return number(static_cast<std::uint32_t>(type)).number(offset);
  }
};

const Handmade made = [] {
  Handmade file;
  file.text = "GGUF";
  file.number(3U).number(std::uint64_t{4}).number(std::uint64_t{5});
  file.string("general.alignment").number(4U).number(32U);
  file.string("arch").number(8U).string("llama");
  file.string("tokens").number(9U).number(8U).number(std::uint64_t{3}).string("a").string("").string("bcd");
  file.string("scores").number(9U).number(6U).number(std::uint64_t{2}).number(0.5F).number(-1.F);
  file.string("flag").number(7U).number(std::uint8_t{1});
  file.tensor("w", {32, 2}, BlockType::q4_0, 0).tensor("n", {3}, BlockType::f32, 64);
  file.tensor("none", {7, 0}, BlockType::f16, 96).tensor("x", {2, 2, 4}, BlockType::bf16, 96);
  file.header = file.text.size();
  file.text.resize((file.header + 31) / 32 * 32, '\0');
  file.text.resize(file.text.size() + 128, '\x5a');
  return file;
}();
const std::string& intact = made.text;

}  // namespace

TEST_CASE("no truncation of a GGUF file is accepted") {
  const MemoryFile file;
  Verdicts verdicts;
  REQUIRE(judge(file, intact, verdicts));
  for (std::size_t size = 0; size < intact.size(); ++size) REQUIRE_FALSE(judge(file, intact.substr(0, size), verdicts));
  for (std::size_t more = 1; more < 65; ++more) REQUIRE_FALSE(judge(file, intact + std::string(more, 'x'), verdicts));
  CHECK(verdicts.memory < MiB);
}

TEST_CASE("every flipped bit of a GGUF header") {
  const MemoryFile file;
  Verdicts verdicts;
  for (std::size_t bit = 0; bit < 8 * made.header; ++bit) {
    std::string damaged = intact;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ 1 << bit % 8);
    judge(file, damaged, verdicts);
  }
  CHECK(verdicts.rejected > 1500);
  CHECK(verdicts.accepted > 100);  // names and values carry no redundancy: that is what checksums.xxh64 is for
  CHECK(verdicts.memory < MiB);
}

TEST_CASE("every number of a GGUF header, and every two, replaced") {
  REQUIRE(made.numbers.size() == 49);
  std::vector<std::uint64_t> values = {0, 1, 2, 3, 8, 31, 33, 64, intact.size(), 0x7fffffff, 0x80000000, 0xffffffff};
  for (const std::uint64_t value : {std::uint64_t{1} << 32U, std::uint64_t{1} << 63U, ~std::uint64_t{0}})
    values.insert(values.end(), {value, value - 1, value - 31});
  const std::array<std::uint64_t, 7> fewer = {0, 1, 33, 0x80000000, ~std::uint64_t{0}, std::uint64_t{1} << 63U, 9};
  const auto replace = [](std::string& text, std::pair<std::size_t, std::size_t> number, std::uint64_t value) {
    std::memcpy(&text[number.first], &value, number.second);
  };
  const MemoryFile file;
  Verdicts verdicts;
  for (std::size_t i = 0; i < made.numbers.size(); ++i) {
    for (const std::uint64_t value : values) {
      std::string damaged = intact;
      replace(damaged, made.numbers[i], value);
      judge(file, damaged, verdicts);
    }
    for (std::size_t j = i + 1; j < made.numbers.size(); ++j) {
      for (const std::uint64_t first : fewer) {
        for (const std::uint64_t second : fewer) {
          std::string damaged = intact;
          replace(damaged, made.numbers[i], first);
          replace(damaged, made.numbers[j], second);
          judge(file, damaged, verdicts);
        }
      }
    }
  }
  CHECK(verdicts.rejected > 50'000);
  CHECK(verdicts.memory < MiB);
}

TEST_CASE("GGUF files with bytes changed, cut out and put in at random") {
  const MemoryFile file;
  Verdicts verdicts;
  std::uint64_t state = 1;
  const auto below = [&](std::size_t bound) {
    state = state * 6364136223846793005U + 1442695040888963407U;
    return static_cast<std::size_t>((state >> 33U) % bound);
  };
  for (int round = 0; round < 40'000; ++round) {
    std::string damaged = intact;
    for (std::size_t change = 0; change <= below(3); ++change) {
      const std::size_t at = below(made.header), length = std::min(below(12), damaged.size() - at);
      if (const std::size_t kind = below(4); kind == 0)
        damaged[at] = static_cast<char>(below(256));
      else if (kind == 1)
        damaged.erase(at, length);
      else if (kind == 2)
        damaged.insert(below(made.header), damaged.substr(at, length));
      else
        damaged[at] = static_cast<char>(below(16));
    }
    judge(file, damaged, verdicts);
  }
  CHECK(verdicts.rejected > 25'000);
  CHECK(verdicts.memory < MiB);
}

TEST_CASE("large hostile GGUF files are refused within 16 MiB and twice their size") {
  const MemoryFile file;
  const auto refused = [&](std::uint64_t tensors, std::uint64_t keys, std::string_view rest) {
    Verdicts verdicts;
    Handmade made_up;
    made_up.text = "GGUF";
    made_up.number(3U).number(tensors).number(keys).text += rest;
    CHECK_FALSE(judge(file, made_up.text, verdicts));
    CHECK(verdicts.memory < 16 * MiB + 2 * made_up.text.size());
  };
  const auto repeated = [](const std::string& piece, std::size_t bytes) {
    std::string text;
    while (text.size() < bytes) text += piece;
    return text;
  };
  const auto array = [](std::uint32_t type, std::uint64_t count) {
    return Handmade().string("k").number(9U).number(type).number(count).text;
  };
  const std::string zeros(8 * MiB, '\0');
  refused(0, 65'536, zeros);
  refused(65'536, 0, zeros);
  refused(0, 1, Handmade().number(std::uint64_t{8 * MiB}).text + zeros);
  refused(0, 1, array(8, MiB) + zeros.substr(1));
  refused(0, 1, array(8, std::uint64_t{1} << 30U) + zeros);
  refused(0, 1, array(0, std::uint64_t{1} << 30U) + zeros);
  refused(0, 2, array(8, MiB) + zeros);
  refused(0, 65'536, repeated(Handmade().string("k").number(0U).number(std::uint8_t{1}).text, 8 * MiB));
  refused(0, 65'536,
          repeated(Handmade().string(std::string(100, 'k')).number(8U).string(std::string(20, 'v')).text, 8 * MiB));
  refused(65'536, 0, repeated(Handmade().tensor("t", {}, BlockType::f32, 0).text, 8 * MiB));
  refused(65'536, 0, repeated(Handmade().tensor(std::string(63, 't'), {1, 1, 1, 1}, BlockType::f32, 0).text, 8 * MiB));
  refused(65'536, 0, repeated(Handmade().tensor(std::string(20'000, 't'), {1}, BlockType::f32, 0).text, 8 * MiB));
}

TEST_CASE("running out of memory with a GGUF file is an exception, and nothing is lost") {
  const Scratch scratch;
  const std::string path = scratch / "x.gguf";
  io::GgufMetadata metadata;
  metadata.set("a key that needs an allocation", "a value that needs an allocation");
  metadata.set("tokens", std::vector<std::string>{"a", "b"});
  const std::vector<io::GgufTensor> tensors = {{.name = "a tensor whose name needs an allocation"},
                                               {.name = "b", .type = BlockType::q8_0, .shape = {64}}};
  const std::vector<float> ones(64, 1.F);
  const auto fill = [&](const io::GgufTensor& tensor, io::FileWriter& writer) {
    io::write_elements(writer, std::span(ones).first(tensor.bytes() == 4 ? 1 : 64), tensor.type);
  };
  io::save_gguf(path, metadata, tensors, fill);

  // Fails allocation 0, 1, 2, ... of the call, that one only and then all after it too, until the call succeeds.
  const auto points = [&](const auto& call) {
    int failures = 0;
    for (const bool for_good : {false, true}) {
      failures = 0;
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
      CHECK(failures > 10);
    }
    return failures;
  };
  CHECK(points([&] {
          const io::Gguf file(path);
          std::vector<float> values(64);
          io::read_elements(file, *file.find("b"), std::span(values));
          static_cast<void>(file.metadata().get<std::vector<std::string_view>>("tokens"));
        }) > 10);
  CHECK(points([&] { io::save_gguf(path, metadata, tensors, fill); }) > 10);
  CHECK(io::Gguf(path).find("b") != nullptr);
}

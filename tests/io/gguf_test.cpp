// SPDX-License-Identifier: Apache-2.0
#include <atom/io/gguf.hpp>
#include <atom/io/save_gguf.hpp>

#include "catch.hpp"
#include "io/scratch.hpp"

#include <cstring>

using namespace atom;
using io::Gguf;
using io::GgufMetadata;
using io::GgufTensor;
using io::GgufType;
using Texts = std::vector<std::string>;

namespace {

const std::string golden = ATOM_TEST_DIR "/io/golden/every_type.gguf";

// Writes bytes 0, 1, 2, ... for every tensor.
const auto count_up = [](const GgufTensor& tensor, io::FileWriter& writer) {
  std::string bytes;
  for (std::uint64_t i = 0; i < tensor.bytes(); ++i) bytes += static_cast<char>(i);
  writer.write(bytes);
};

// A header put together by hand.
class Text {
 public:
  explicit Text(std::uint64_t tensors = 0, std::uint64_t keys = 0, std::uint32_t version = 3) {
    raw("GGUF").number(version).number(tensors).number(keys);
  }
  template <class T> Text& number(T value) {
    text_.append(reinterpret_cast<const char*>(&value), sizeof value);
    return *this;
  }
  Text& raw(std::string_view bytes) {
    text_ += bytes;
    return *this;
  }
  Text& string(std::string_view value) { return number(std::uint64_t{value.size()}).raw(value); }
  Text& key(std::string_view name, std::uint32_t type) { return string(name).number(type); }
  Text& tensor(std::string_view name, const std::vector<std::int64_t>& extents, std::uint32_t type,
               std::uint64_t offset) {
    string(name).number(static_cast<std::uint32_t>(extents.size()));
    for (const std::int64_t extent : extents) number(extent);
    return number(type).number(offset);
  }
  Text& data(std::size_t bytes) {
    text_.resize((text_.size() + 31) / 32 * 32 + bytes);
    return *this;
  }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

// The error of opening a file of that content, without its name.
std::string refusal(std::string_view content) {
  const Scratch scratch;
  const std::string path = scratch / "x";
  io::write_file(path, content);
  std::string message = error_of([&] { Gguf file(path); });
  if (message.starts_with("[" + path)) message.replace(1, path.size(), "x");
  return message;
}
std::string refusal(const Text& content) { return refusal(content.text()); }

}  // namespace

TEST_CASE("GGUF tensors and values are written and read back") {
  const Scratch scratch;
  const std::string path = scratch / "model.gguf";
  GgufMetadata metadata;
  metadata.set("general.architecture", "llama").set("llama.block_count", std::uint32_t{2}).set("eps", 1e-5F);
  metadata.set("tokens", Texts{"a", "", "\xe4\xb8\x96"}).set("flags", std::vector<bool>{true, false});
  metadata.set("none", Texts{}).set("eps", 1e-6F);
  io::save_gguf(path, metadata,
                {{.name = "b", .type = BlockType::q8_0, .shape = {3, 64}},
                 {.name = "a", .type = BlockType::f16, .shape = {2, 3, 5}},
                 {.name = "scalar"},
                 {.name = "empty", .shape = {0, 5}},
                 {.name = "last", .type = BlockType::bf16, .shape = {3}}},
                count_up);
  const Gguf file(path);
  CHECK(file.metadata() == metadata);
  CHECK(file.metadata().entries()[2].key == "eps");
  CHECK(file.metadata().get<double>("eps") == double{1e-6F});
  CHECK(file.metadata().get<Texts>("tokens") == Texts{"a", "", "\xe4\xb8\x96"});
  REQUIRE(file.tensors().size() == 5);
  CHECK(file.tensors()[0].name == "a");
  CHECK(file.find("c") == nullptr);
  const GgufTensor *a = file.find("a"), *b = file.find("b");
  REQUIRE((a != nullptr && b != nullptr));
  CHECK(a->shape == Shape{2, 3, 5});
  CHECK(b->bytes() == 6 * 34);
  CHECK(b->begin % 32 == 0);
  CHECK(a->begin == b->end + (32 - b->end % 32) % 32);
  CHECK(io::File(path).size() % 32 == 0);
  std::array<std::byte, 60> bytes{};
  file.read(*a, bytes);
  CHECK(bytes[59] == std::byte{59});
  file.read(*a, std::span(bytes).first(2), 5);
  CHECK(bytes[1] == std::byte{6});
  CHECK(error_of([&] { file.read(*a, bytes, 1); }) ==
        "[" + path + "] tensor \"a\" has 60 bytes: found a read of 60 at 1");

  const std::string first = io::read_file(path);
  io::save_gguf(path, metadata,
                {{.name = "b", .type = BlockType::q8_0, .shape = {3, 64}},
                 {.name = "a", .type = BlockType::f16, .shape = {2, 3, 5}},
                 {.name = "scalar"},
                 {.name = "empty", .shape = {0, 5}},
                 {.name = "last", .type = BlockType::bf16, .shape = {3}}},
                count_up);
  CHECK(io::read_file(path) == first);
}

TEST_CASE("GGUF elements are converted on the way in and out") {
  const Scratch scratch;
  const std::string path = scratch / "x.gguf";
  std::vector<float> values(70'016);  // more than one piece
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i % 255) - 127;
  const Shape shape = {static_cast<Index>(values.size() / 32), 32};
  const std::vector<double> doubles(values.begin(), values.end());
  for (const BlockType type : {BlockType::f32, BlockType::f16, BlockType::bf16, BlockType::q8_0, BlockType::q4_0}) {
    CAPTURE(name_of(type));
    io::save_gguf(path, {}, {{.name = "a", .type = type, .shape = shape}, {.name = "b", .type = type, .shape = shape}},
                  [&](const GgufTensor& tensor, io::FileWriter& writer) {
                    if (tensor.name == "a")
                      io::write_elements(writer, std::span<const float>(values), type);
                    else
                      io::write_elements(writer, std::span<const double>(doubles), type);
                  });
    const Gguf file(path);
    std::vector<float> found(values.size()), part(64);
    std::vector<double> again(values.size());
    std::vector<bfloat16> narrow(values.size());
    io::read_elements(file, *file.find("a"), std::span(found));
    io::read_elements(file, *file.find("b"), std::span(again));
    io::read_elements(file, *file.find("b"), std::span(narrow));
    io::read_elements(file, *file.find("a"), std::span(part), 960);
    const float limit = type == BlockType::q4_0 ? 16.F : type == BlockType::q8_0 ? 0.51F : 0.F;
    std::size_t near = 0, same = 0;
    for (std::size_t i = 0; i < values.size(); ++i) {
      near += std::abs(found[i] - values[i]) <= limit;
      same += again[i] == double{found[i]} && narrow[i] == bfloat16(found[i]);
    }
    CHECK(near == values.size());
    CHECK(same == values.size());
    CHECK(std::equal(part.begin(), part.end(), found.begin() + 960));
    const auto read = [&](std::size_t count, std::uint64_t first) {
      return error_of([&] { io::read_elements(file, *file.find("a"), std::span(found).first(count), first); });
    };
    CHECK(read(32, values.size()) == to_text("[", path, ": tensor \"a\"] has 70016 values in blocks of ",
                                             info_of(type).values, ": found a read of 32 from 70016"));
    CHECK((read(1, 0) == "no error") == (info_of(type).values == 1));
    CHECK((read(32, 1) == "no error") == (info_of(type).values == 1));
  }
  io::save_gguf(path, {}, {{.name = "a", .type = BlockType::i32, .shape = {2}}}, count_up);
  const Gguf file(path);
  std::vector<float> two(2);
  CHECK(error_of([&] { io::read_elements(file, *file.find("a"), std::span(two)); }) ==
        "[" + path + ": tensor \"a\"] values of type I32 cannot be read");
}

TEST_CASE("a GGUF file of the format's own library is read, and written again byte for byte") {
  // golden/every_type.gguf: make_gguf.py with gguf 0.19.0.
  const Gguf file(golden);
  const GgufMetadata& metadata = file.metadata();
  CHECK(metadata.get<std::string>("general.architecture") == "llama");
  CHECK(metadata.get<int>("one.UINT8") == 255);
  CHECK(metadata.get<int>("one.INT8") == 127);
  CHECK(metadata.get<int>("one.UINT16") == 65535);
  CHECK(metadata.get<int>("one.INT16") == 32767);
  CHECK(metadata.get<Index>("one.UINT32") == 4294967295);
  CHECK(metadata.get<int>("one.INT32") == 2147483647);
  CHECK(metadata.get<std::uint64_t>("one.UINT64") == ~std::uint64_t{0});
  CHECK(metadata.get<Index>("one.INT64") == std::numeric_limits<Index>::max());
  CHECK(metadata.get<float>("one.FLOAT32") == 0.1F);
  CHECK(metadata.get<double>("one.FLOAT64") == 0.1);
  CHECK(metadata.get<bool>("one.BOOL"));
  CHECK(metadata.get<std::string_view>("one.STRING") == "a \xc3\xa9\xe4\xb8\x96\xf0\x9f\x98\x80 text");
  CHECK(metadata.get<std::vector<int>>("list.INT8") == std::vector{-128, 127});
  CHECK(metadata.get<std::vector<Index>>("list.INT64") ==
        std::vector{std::numeric_limits<Index>::min(), std::numeric_limits<Index>::max()});
  CHECK(metadata.get<std::vector<double>>("list.FLOAT32") == std::vector{1.5, -2.0});
  CHECK(metadata.get<std::vector<bool>>("list.BOOL") == std::vector{true, false});
  CHECK(metadata.get<std::vector<std::string_view>>("tokenizer.ggml.tokens") ==
        std::vector<std::string_view>{"<unk>", "", "\xe2\x96\x81the", "\xe4\xb8\x96\xe7\x95\x8c"});
  CHECK(metadata.get_list<float>("tokenizer.ggml.scores", 4).back() == -3);
  CHECK(metadata.get<std::string>("tokenizer.chat_template").starts_with("{% for m"));

  std::vector<GgufTensor> in_order(file.tensors().begin(), file.tensors().end());
  std::ranges::sort(in_order, {}, &GgufTensor::begin);
  const Scratch scratch;
  io::save_gguf(scratch / "again", metadata, in_order, [&](const GgufTensor& tensor, io::FileWriter& writer) {
    std::vector<std::byte> bytes(static_cast<std::size_t>(tensor.bytes()));
    file.read(*file.find(tensor.name), bytes);
    writer.write(bytes);
  });
  CHECK(io::read_file(scratch / "again") == io::read_file(golden));
}

TEST_CASE("GGUF values are asked for by type, and say what they are instead") {
  GgufMetadata metadata("f");
  metadata.set("n", std::int16_t{-3}).set("x", 2.5).set("t", "a\nb").set("b", false);
  metadata.set("list", std::vector<std::uint32_t>{7, 8, 9}).set("texts", Texts{"p", "q"});
  const auto error = [&]<class T>(std::string_view key, T) {
    return error_of([&] { static_cast<void>(metadata.get<T>(key)); });
  };
  CHECK(metadata.get<int>("n") == -3);
  CHECK(error("n", unsigned{}) == "[f: key \"n\"] found -3, expected integers in 0..4294967295");
  CHECK(error("n", float{}) == "[f: key \"n\"] found -3, expected F32 or F64");
  CHECK(error("n", bool{}) == "[f: key \"n\"] found -3, expected true or false");
  CHECK(error("n", std::string()) == "[f: key \"n\"] found -3, expected text");
  CHECK(error("n", std::vector<int>()) == "[f: key \"n\"] found -3, expected an array");
  CHECK(error("x", int{}) == "[f: key \"x\"] found 2.5, expected integers in -2147483648..2147483647");
  CHECK(error("t", double{}) == "[f: key \"t\"] found \"a\\nb\", expected F32 or F64");
  CHECK(error("b", int{}) == "[f: key \"b\"] found false, expected integers in -2147483648..2147483647");
  CHECK(error("list", int{}) == "[f: key \"list\"] found an array of 3 U32, expected one value");
  CHECK(error("list", Texts()) == "[f: key \"list\"] found an array of 3 U32, expected text");
  CHECK(error("texts", std::vector<float>()) == "[f: key \"texts\"] found an array of 2 STRING, expected F32 or F64");
  CHECK(error("none", int{}) == "[f] key \"none\" is missing");
  CHECK(metadata.get_or<int>("none", 5) == 5);
  CHECK(metadata.get_or<int>("n", 5) == -3);
  CHECK(metadata.get_list<int>("n", 2) == std::vector{-3, -3});
  CHECK(metadata.get_list<Index>("list", 3) == std::vector<Index>{7, 8, 9});
  CHECK(error_of([&] { static_cast<void>(metadata.get_list<int>("list", 2)); }) ==
        "[f: key \"list\"] found an array of 3 U32, expected one value or 2");
  metadata.erase("n");
  CHECK_FALSE(metadata.contains("n"));
  CHECK(metadata.find("texts")->type() == GgufType::text);
}

TEST_CASE("a model in several GGUF files is opened by any of them") {
  const Scratch scratch;
  const auto name = [&](int part) { return scratch / to_text("m-0000", part, "-of-00003.gguf"); };
  const auto save = [&](int part, int number, int count, const std::vector<GgufTensor>& tensors, int total = 3) {
    GgufMetadata metadata;
    if (part == 1) metadata.set("general.architecture", "llama");
    metadata.set("split.no", static_cast<std::uint16_t>(number)).set("split.count", static_cast<std::uint16_t>(count));
    metadata.set("split.tensors.count", total);
    io::save_gguf(name(part), metadata, tensors, count_up);
  };
  save(1, 0, 3, {});
  save(2, 1, 3, {{.name = "b", .shape = {4}}, {.name = "a", .shape = {2}}});
  save(3, 2, 3, {{.name = "c", .shape = {5}}});
  for (int part = 1; part <= 3; ++part) {
    const Gguf file(name(part));
    REQUIRE(file.tensors().size() == 3);
    CHECK(file.path(*file.find("a")) == name(2));
    CHECK(file.path(*file.find("c")) == name(3));
    std::array<std::byte, 20> bytes{};
    file.read(*file.find("c"), bytes);
    CHECK(bytes[19] == std::byte{19});
    CHECK(file.metadata() == GgufMetadata().set("general.architecture", "llama"));
  }
  const auto error = [&](int part) { return error_of([&] { Gguf file(name(part)); }); };
  save(3, 2, 3, {{.name = "a", .shape = {5}}});
  CHECK(error(1) == "[" + name(1) + ": tensor \"a\"] it is in two files");
  save(3, 2, 3, {});
  CHECK(error(1) == "[" + name(1) + "] split.tensors.count: found 3, but the files have 2");
  save(3, 1, 3, {});
  CHECK(error(1) == "[" + name(3) + "] found part 1 of 3, expected 2 of 3");
  CHECK(error(3) == "[" + name(3) + "] part 1 of 3: expected a name that ends in -00002-of-00003.gguf");
  save(3, 2, 4, {});
  CHECK(error(2) == "[" + name(3) + "] found part 2 of 4, expected 2 of 3");
  io::save_gguf(name(3), {}, {}, count_up);
  CHECK(error(1) == "[" + name(3) + "] key \"split.no\" is missing");
  std::filesystem::remove(name(3));
  CHECK(error(1) == "[" + name(3) + "] cannot open: No such file or directory");
  std::filesystem::rename(name(1), scratch / "x.gguf");
  CHECK(error_of([&] { Gguf file(scratch / "x.gguf"); }) ==
        "[" + (scratch / "x.gguf") + "] part 0 of 3: expected a name that ends in -00001-of-00003.gguf");
}

TEST_CASE("each kind of damage to a GGUF file has its sentence") {
  CHECK(refusal("") == "[x] no GGUF file: it begins with \"\", expected \"GGUF\"");
  CHECK(refusal("GGML\1") == "[x] no GGUF file: it begins with \"GGML\", expected \"GGUF\"");
  CHECK(refusal("GGUF\3") == "[x] version at offset 4 ends early: found 1 bytes, expected 4");
  CHECK(refusal(Text(0, 0, 3)) == "no error");
  CHECK(refusal(Text(0, 0, 2)) == "no error");
  CHECK(refusal(Text(0, 0, 0)) == "[x] version: found 0, expected 2 or 3");
  CHECK(refusal(Text(0, 0, 1)) == "[x] version: found 1, expected 2 or 3");
  CHECK(refusal(Text(0, 0, 4)) == "[x] version: found 4, expected 2 or 3");
  CHECK(refusal(Text(0, 0, 0x03000000)) == "[x] a file for big-endian machines");
  CHECK(refusal(Text(1, 0)) == "[x] number of tensors at offset 8: found 1, expected at most 0");
  CHECK(refusal(Text(0, 70'000).data(10'000'000)) ==
        "[x] number of keys at offset 16: found 70000, expected at most 65536");
  CHECK(refusal(Text(0, 1).key("", 0).raw("1").raw("12")) == "[x] a key at offset 32 is empty");
  CHECK(refusal(Text(0, 1).number(std::uint64_t{100}).raw("123456")) ==
        "[x] key at offset 32 ends early: found 6 bytes, expected 100");
  CHECK(refusal(Text(0, 1).number(~std::uint64_t{0}).raw("123456")) ==
        "[x] key at offset 24: found 18446744073709551615, expected at most 65535");
  CHECK(refusal(Text(0, 1).key("k", 13).raw("1")) == "[x: key \"k\"] type: found 13, expected at most 12");
  CHECK(refusal(Text(0, 1).key("k", 10).raw("1234567")) ==
        "[x] value at offset 37 ends early: found 7 bytes, expected 8");
  CHECK(refusal(Text(0, 1).key("k", 8).number(std::uint64_t{3}).raw("12")) ==
        "[x] text at offset 45 ends early: found 2 bytes, expected 3");
  CHECK(refusal(Text(0, 1).key("k", 9).number(9U).number(std::uint64_t{0})) ==
        "[x: key \"k\"] found an array of arrays");
  CHECK(refusal(Text(0, 1).key("k", 9).number(4U).number(std::uint64_t{1} << 31U)) ==
        "[x] number of elements at offset 41: found 2147483648, expected at most 1073741824");
  CHECK(refusal(Text(0, 1).key("k", 9).number(4U).number(std::uint64_t{1} << 30U)) ==
        "[x] value at offset 49 ends early: found 0 bytes, expected 4294967296");
  CHECK(refusal(Text(0, 1).key("k", 9).number(8U).number(std::uint64_t{2}).string("a")) ==
        "[x] length of a text at offset 58 ends early: found 0 bytes, expected 8");
  CHECK(refusal(Text(0, 2).key("k", 0).raw("1").key("k", 0).raw("2")) == "[x: key \"k\"] it is there twice");
  CHECK(refusal(Text(0, 1).key("general.alignment", 4).number(48U)) ==
        "[x] general.alignment: found 48, expected a power of two");
  CHECK(refusal(Text(0, 1).key("general.alignment", 4).number(0U)) ==
        "[x] general.alignment: found 0, expected a power of two");
  CHECK(refusal(Text(0, 1).key("general.alignment", 6).number(32.F)) ==
        "[x: key \"general.alignment\"] found 32, expected integers in 0..4294967295");

  CHECK(refusal(Text(1).tensor("t", {2, 3}, 0, 0).data(24)) == "no error");
  CHECK(refusal(Text(1).tensor("t", {2, 3}, 0, 0).data(32)) == "no error");
  CHECK(refusal(Text(1).tensor("t", {2, 3}, 0, 0).data(23)) ==
        "[x: tensor \"t\"] it takes 24 bytes at offset 96, but the file has 119");
  CHECK(refusal(Text(1).tensor("t", {2, 3}, 0, 0).data(33)) ==
        "[x] the tensors end at offset 120, but the file has 129 bytes");
  CHECK(refusal(Text(0).data(0)) == "no error");
  CHECK(refusal(Text(0).data(1)) == "[x] the tensors end at offset 24, but the file has 33 bytes");
  CHECK(refusal(Text(1).tensor(std::string(64, 'n'), {1}, 0, 0).data(4)) ==
        "[x] name of a tensor at offset 24: found 64, expected at most 63");
  CHECK(refusal(Text(1).tensor("t", {1, 1, 1, 1, 1}, 0, 0).data(4)) == "[x: tensor \"t\"] rank is at most 4: found 5");
  CHECK(refusal(Text(1).tensor("t", {1}, 4, 0).data(4)) == "[x: tensor \"t\"] unknown type: found 4");
  CHECK(refusal(Text(1).tensor("t", {1}, 43, 0).data(4)) == "[x: tensor \"t\"] unknown type: found 43");
  const auto shaped = [](const std::vector<std::int64_t>& extents, std::uint32_t type) {
    return refusal(Text(1).tensor("t", extents, type, 0).data(4));
  };
  const std::string sentence = " is not a number of bytes: expected at most 4 extents, the last a multiple of ";
  CHECK(shaped({-1}, 0) == "[x: tensor \"t\"] shape (-1) of F32" + sentence + "1");
  CHECK(shaped({-2, -2}, 0) == "[x: tensor \"t\"] shape (-2, -2) of F32" + sentence + "1");
  CHECK(shaped({2, 32}, 2) == "[x: tensor \"t\"] shape (32, 2) of Q4_0" + sentence + "32");
  CHECK(shaped({128, 2}, 14) == "[x: tensor \"t\"] shape (2, 128) of Q6_K" + sentence + "256");
  CHECK(shaped({}, 14) == "[x: tensor \"t\"] shape () of Q6_K" + sentence + "256");
  CHECK(shaped({std::int64_t{1} << 62, 4}, 24) ==
        "[x: tensor \"t\"] shape (4, 4611686018427387904) of I8" + sentence + "1");
  CHECK(shaped({std::int64_t{1} << 62, 1}, 0) ==
        "[x: tensor \"t\"] shape (1, 4611686018427387904) of F32" + sentence + "1");
  CHECK(shaped({std::int64_t{1} << 62, 1}, 24) ==
        "[x: tensor \"t\"] it takes 4611686018427387904 bytes at offset 96, but the file has 100");
  CHECK(shaped({32, 1}, 2) == "[x: tensor \"t\"] it takes 18 bytes at offset 96, but the file has 100");
  CHECK(refusal(Text(1).tensor("t", {1}, 0, 32).data(36)) == "[x: tensor \"t\"] offset: found 32, expected 0");
  CHECK(refusal(Text(2).tensor("t", {1}, 0, 0).tensor("u", {1}, 0, 4).data(36)) ==
        "[x: tensor \"u\"] offset: found 4, expected 32");
  CHECK(refusal(Text(2).tensor("t", {1}, 0, 0).tensor("t", {1}, 0, 32).data(36)) ==
        "[x: tensor \"t\"] it is there twice");
}

TEST_CASE("what cannot be a GGUF file is not written") {
  const Scratch scratch;
  const std::string path = scratch / "x";
  const auto save = [&](std::vector<GgufTensor> tensors, auto fill, const GgufMetadata& metadata = {}) {
    return error_of([&] { io::save_gguf(path, metadata, std::move(tensors), fill); });
  };
  CHECK(save({{.name = "a"}, {.name = "a"}}, count_up) == "[" + path + ": tensor \"a\"] it is there twice");
  CHECK(save({{.name = "a", .type = BlockType::q4_0, .shape = {32, 2}}}, count_up) ==
        "[" + path +
            ": tensor \"a\"] shape (32, 2) of Q4_0 is not a number of bytes: expected at most 4 extents, the "
            "last a multiple of 32");
  CHECK(save({{.name = "a", .shape = {1, 1, 1, 1, 1}}}, count_up) ==
        "[" + path +
            ": tensor \"a\"] shape (1, 1, 1, 1, 1) of F32 is not a number of bytes: expected at most 4 extents, "
            "the last a multiple of 1");
  CHECK(save({{.name = std::string(64, 'n')}}, count_up).find("longer than 63 bytes") != std::string::npos);
  CHECK(save({{.name = "a", .type = BlockType::i8, .shape = {Index{1} << 62}},
              {.name = "b", .type = BlockType::i8, .shape = {Index{1} << 62}}},
             count_up) == "[" + path + "] the tensors take more bytes than a file has");
  CHECK(save({{.name = "a"}}, [](const GgufTensor&, io::FileWriter& writer) { writer.write("12345"); }) ==
        "[" + path + ": tensor \"a\"] written were 5 bytes, expected 4");
  CHECK(save({{.name = "a", .type = BlockType::q8_0, .shape = {32}}},
             [](const GgufTensor& tensor, io::FileWriter& writer) {
               io::write_elements(writer, std::span<const float>(std::vector(32, 1e30F)), tensor.type);
             }) == "[" + path + "] Q8_0 holds no number as large: found 1e+30");
  CHECK(save({}, count_up, GgufMetadata().set("", 1)) == "[" + path + "] a key has 0 bytes, expected 1..65535");
  CHECK(save({}, count_up, GgufMetadata().set("general.alignment", 24)) ==
        "[" + path + "] general.alignment: found 24, expected a power of two");
  CHECK(std::filesystem::is_empty(scratch.path()));
  CHECK(save({{.name = "a"}, {.name = "b"}}, count_up, GgufMetadata().set("general.alignment", 256)) == "no error");
  CHECK(Gguf(path).find("b")->begin == 512);
}

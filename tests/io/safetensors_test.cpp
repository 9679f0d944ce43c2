// SPDX-License-Identifier: Apache-2.0
#include <atom/io/save_safetensors.hpp>

#include "catch.hpp"
#include "io/scratch.hpp"

#include <cstring>

using namespace atom;
using io::Safetensors;
using io::TensorInfo;

namespace {

// Writes bytes 0, 1, 2, ... for every tensor.
const auto count_up = [](const TensorInfo& tensor, io::FileWriter& writer) {
  std::string bytes;
  for (std::uint64_t i = 0; i < tensor.bytes(); ++i) bytes += static_cast<char>(i);
  writer.write(bytes);
};

std::string file_of(std::string_view header, std::size_t data) {
  const std::uint64_t length = header.size();
  std::string text(8, '\0');
  std::memcpy(text.data(), &length, 8);
  return text.append(header).append(data, '\1');
}

// The error of opening a file of that content, without its name.
std::string refusal(std::string_view content) {
  const Scratch scratch;
  const std::string path = scratch / "x";
  io::write_file(path, content);
  std::string message = error_of([&] { Safetensors tensors(path); });
  if (message.starts_with("[" + path)) message.replace(1, path.size(), "x");
  return message;
}
std::string refusal(std::string_view header, std::size_t data) { return refusal(file_of(header, data)); }

}  // namespace

TEST_CASE("tensors are written and read back") {
  const Scratch scratch;
  const std::string path = scratch / "model.safetensors";
  io::save_safetensors(path,
                       {{.name = "b", .dtype = DType::u8, .shape = {3}},
                        {.name = "a.weight", .dtype = DType::bf16, .shape = {2, 3}},
                        {.name = "scalar", .dtype = DType::f32},
                        {.name = "empty", .dtype = DType::f32, .shape = {0, 5}},
                        {.name = "a.bias", .dtype = DType::bf16, .shape = {2}}},
                       count_up, {{"format", "pt"}});
  const std::string content = io::read_file(path);
  CHECK(content.substr(8, content.find("}} ") - 6) ==
        R"({"__metadata__":{"format":"pt"},"empty":{"dtype":"F32","shape":[0,5],"data_offsets":[0,0]},)"
        R"("scalar":{"dtype":"F32","shape":[],"data_offsets":[0,4]},)"
        R"("a.bias":{"dtype":"BF16","shape":[2],"data_offsets":[4,8]},)"
        R"("a.weight":{"dtype":"BF16","shape":[2,3],"data_offsets":[8,20]},)"
        R"("b":{"dtype":"U8","shape":[3],"data_offsets":[20,23]}})");
  CHECK(content.size() % 8 == 23 % 8);
  for (const std::string& from : {path, scratch.path()}) {
    const Safetensors tensors(from);
    REQUIRE(tensors.tensors().size() == 5);
    CHECK(tensors.tensors()[0].name == "a.bias");
    CHECK(tensors.metadata() == io::Metadata{{"format", "pt"}});
    const TensorInfo* weight = tensors.find("a.weight");
    REQUIRE(weight != nullptr);
    CHECK(weight->shape == Shape{2, 3});
    CHECK(weight->dtype == DType::bf16);
    std::array<std::byte, 12> bytes{};
    tensors.read(*weight, bytes);
    CHECK(bytes[11] == std::byte{11});
    tensors.read(*weight, std::span(bytes).first(2), 5);
    CHECK(bytes[1] == std::byte{6});
    CHECK(tensors.find("a") == nullptr);
    CHECK(error_of([&] { tensors.read(*weight, bytes, 1); }) ==
          "[" + path + "] tensor \"a.weight\" has 12 bytes: found a read of 12 at 1");
  }
}

TEST_CASE("large models are written in several files with an index") {
  const Scratch scratch;
  std::vector<TensorInfo> tensors;
  for (int i = 0; i < 7; ++i) tensors.push_back({.name = to_text("t", i), .dtype = DType::f32, .shape = {2, 5}});
  io::save_safetensors_folder(scratch.path(), tensors, count_up, {.shard_bytes = 100});
  CHECK(std::filesystem::exists(scratch / "model-00004-of-00004.safetensors"));
  const Safetensors all(scratch.path());
  REQUIRE(all.tensors().size() == 7);
  for (const TensorInfo& tensor : all.tensors()) {
    std::array<std::byte, 40> bytes{};
    all.read(tensor, bytes);
    CHECK(bytes[39] == std::byte{39});
  }
  CHECK(all.path(*all.find("t6")) == scratch / "model-00004-of-00004.safetensors");
  CHECK(io::read_json(scratch / "model.safetensors.index.json").at("metadata").get<int>("total_size") == 280);

  const std::string index = scratch / "model.safetensors.index.json";
  std::filesystem::remove(scratch / "model-00002-of-00004.safetensors");
  CHECK(error_of([&] { Safetensors missing(scratch.path()); }) ==
        "[" + (scratch / "model-00002-of-00004.safetensors") + "] cannot open: No such file or directory");
  const auto with_map = [&](std::string_view map) {
    io::write_file(index, to_text("{\"weight_map\":", map, "}"));
    return error_of([&] { Safetensors wrong(index); });
  };
  CHECK(with_map(R"({"t0":"model-00001-of-00004.safetensors"})") == "no error");
  CHECK(with_map(R"({"t9":"model-00001-of-00004.safetensors"})") ==
        "[" + index + "] tensor \"t9\" is not in the file it is listed for, \"model-00001-of-00004.safetensors\"");
  for (const char* name : {"", "../x", "/etc/passwd", "a\\\\b", "a\\u0000"})
    CHECK(with_map(to_text("{\"t0\":\"", name, "\"}")).ends_with("expected the name of a file beside the index"));
  CHECK(with_map("{\"t0\":3}") == "[" + index + ": weight_map \"t0\"] found 3, expected a string");
  CHECK(with_map("[]") == "[" + index + "] found an array, expected an object");
}

TEST_CASE("each kind of damage has its sentence") {
  CHECK(refusal("1234567") == "[x] no safetensors file: found 7 bytes, expected at least 8");
  CHECK(refusal(std::string(8, '\xff')) ==
        "[x] header length at offset 0: found 18446744073709551615, expected at most 0");
  CHECK(refusal("{", 0) ==
        "[x: header] not JSON at byte 2: \"syntax error while parsing object key - unexpected end of input; expected "
        "string literal\"");
  CHECK(refusal("[]", 0) == "[x: header] found an array, expected an object");
  CHECK(refusal("{}", 0) == "no error");
  CHECK(refusal("{}", 1) == "[x] the tensors take 0 bytes, but the file has 1 for them");
  CHECK(refusal(R"({"a":3})", 0) == "[x: tensor \"a\"] found an integer without dtype");
  CHECK(refusal(R"({"a":{"dtype":"F32","shape":[]}})", 0) == "[x: tensor \"a\"] found an object without data_offsets");
  CHECK(refusal(R"({"a":{"dtype":"F33","shape":[],"data_offsets":[0,4]}})", 4) ==
        "[x: tensor \"a\"] unknown dtype \"F33\"");
  CHECK(refusal(R"({"a":{"dtype":32,"shape":[],"data_offsets":[0,4]}})", 4) ==
        "[x: tensor \"a\"] found 32, expected a string");
  CHECK(refusal(R"({"a":{"dtype":"U8","shape":[1,1,1,1,1,1,1,1,4],"data_offsets":[0,4]}})", 4) ==
        "[x: tensor \"a\"] rank is at most 8: found 9");
  CHECK(refusal(R"({"a":{"dtype":"U8","shape":[-4],"data_offsets":[0,4]}})", 4) ==
        "[x: tensor \"a\"] shape with a negative extent: (-4)");
  CHECK(refusal(R"({"a":{"dtype":"U8","shape":[4.0],"data_offsets":[0,4]}})", 4) ==
        "[x: tensor \"a\"] found 4.0, expected an integer in -9223372036854775808..9223372036854775807");
  CHECK(refusal(R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4,4]}})", 4) ==
        "[x: tensor \"a\"] data_offsets: found 3 numbers, expected 2");
  CHECK(refusal(R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[4,0]}})", 4) ==
        "[x: tensor \"a\"] data_offsets end before they begin: 4..0");
  CHECK(refusal(R"({"a":{"dtype":"F32","shape":[4],"data_offsets":[0,4]}})", 4) ==
        "[x: tensor \"a\"] data_offsets span 4 bytes, but shape (4) of F32 takes 16");
  CHECK(refusal(R"({"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}})", 0) ==
        "[x: tensor \"a\"] shape (4294967296, 4294967296) of F32 is not a number of bytes");
  CHECK(refusal(R"({"a":{"dtype":"F4","shape":[3],"data_offsets":[0,1]}})", 1) ==
        "[x: tensor \"a\"] shape (3) of F4 is not a number of bytes");
  CHECK(
      refusal(
          R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"b":{"dtype":"U8","shape":[2],"data_offsets":[3,5]}})",
          5) == "[x: tensor \"b\"] overlap in the data: it begins at 3, the one before it ends at 4");
  CHECK(refusal(R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[1,5]}})", 5) ==
        "[x: tensor \"a\"] hole in the data: it begins at 1, the one before it ends at 0");
  CHECK(
      refusal(
          R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"a":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}})",
          2) == "[x: tensor \"a\"] it is there twice");
  CHECK(refusal(R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}})", 3) ==
        "[x] the tensors take 4 bytes, but the file has 3 for them");
  CHECK(refusal(R"({"__metadata__":{"a":1}})", 0) == "[x: __metadata__ \"a\"] found 1, expected a string");
  CHECK(refusal(R"({"__metadata__":{},"__metadata__":{}})", 0) == "[x] __metadata__ is there twice");
}

TEST_CASE("what cannot be a file is not written") {
  const Scratch scratch;
  const std::string path = scratch / "x";
  const auto save = [&](std::vector<TensorInfo> tensors, auto fill) {
    return error_of([&] { io::save_safetensors(path, std::move(tensors), fill); });
  };
  CHECK(save({{.name = "a"}, {.name = "a"}}, count_up) == "[" + path + ": tensor \"a\"] it is there twice");
  CHECK(save({{.name = "a", .shape = {Index{1} << 62}}}, count_up) ==
        "[" + path + ": tensor \"a\"] shape (4611686018427387904) of F32 is not a number of bytes");
  CHECK(save({{.name = "a"}}, [](const TensorInfo&, io::FileWriter& writer) { writer.write("12345"); }) ==
        "[" + path + ": tensor \"a\"] written were 5 bytes, expected 4");
  CHECK(std::filesystem::is_empty(scratch.path()));
}

TEST_CASE("a file of the format's own library is read, and written again byte for byte") {
  // golden/every_dtype.safetensors: serialize() of safetensors 0.8.0, two tensors of each of 20 types.
  const std::string golden = ATOM_TEST_DIR "/io/golden/every_dtype.safetensors";
  const Safetensors tensors(golden);
  CHECK(tensors.tensors().size() == 40);
  const Scratch scratch;
  io::save_safetensors(
      scratch / "again", {tensors.tensors().begin(), tensors.tensors().end()},
      [&](const TensorInfo& tensor, io::FileWriter& writer) {
        std::vector<std::byte> bytes(tensor.bytes());
        tensors.read(*tensors.find(tensor.name), bytes);
        writer.write(bytes);
      },
      tensors.metadata());
  CHECK(io::read_file(scratch / "again") == io::read_file(golden));
}

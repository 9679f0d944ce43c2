// SPDX-License-Identifier: Apache-2.0
// Any bytes as a GGUF file: an Error, or tensors and values that can be read and that mean the same when written again.
#include <atom/io/gguf.hpp>
#include <atom/io/save_gguf.hpp>

#include <sys/mman.h>

#include <cstdlib>
#include <cstring>

using namespace atom;

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t most);

// Mostly changes what stands behind the version, and keeps the counts small: others are refused at once.
extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t most, unsigned seed) {
  constexpr std::size_t fixed = 24;
  if (size < fixed || most < 64 || seed % 16 == 0) return LLVMFuzzerMutate(data, size, most);
  std::memcpy(data, "GGUF\3\0\0\0", 8);
  size = fixed + LLVMFuzzerMutate(data + fixed, size - fixed, most - fixed);
  if (seed % 16 < 4) {
    const std::uint64_t count = seed / 16 % 8;
    std::memcpy(data + (seed % 2 == 0 ? 8 : 16), &count, 8);
  }
  return size;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const int file = ::memfd_create("fuzz", MFD_CLOEXEC);
  static const std::string path = to_text("/proc/self/fd/", file);
  if (::ftruncate(file, 0) != 0 || ::pwrite(file, data, size, 0) != static_cast<ssize_t>(size)) std::abort();
  try {
    const io::Gguf opened(path);
    std::string text;
    for (const auto& [key, value] : opened.metadata().entries()) {
      append_text(text, value);
      try {
        static_cast<void>(value.as<std::vector<std::string_view>>());
      } catch (const Error&) {
        static_cast<void>(value.type() == io::GgufType::text ? std::vector<Index>() : value.as_list<Index>(3));
      }
    }
    std::vector<io::GgufTensor> again(opened.tensors().begin(), opened.tensors().end());
    for (const io::GgufTensor& tensor : again) {
      std::vector<float> values(static_cast<std::size_t>(tensor.bytes() == 0 ? 0 : element_count(tensor.shape)));
      if (io::can_dequantise(tensor.type)) io::read_elements(opened, tensor, std::span(values));
    }
    std::ranges::sort(
        again, [](const auto& a, const auto& b) { return std::pair(a.begin, a.end) < std::pair(b.begin, b.end); });
    io::detail::gguf_layout("again", again, opened.metadata());
    for (const io::GgufTensor& tensor : again) {
      const io::GgufTensor* found = opened.find(tensor.name);
      if (found->begin != tensor.begin || found->end != tensor.end) std::abort();
    }
  } catch (const Error& error) {
    if (std::strlen(error.what()) > 1000) std::abort();
  }
  return 0;
}

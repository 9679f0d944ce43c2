// SPDX-License-Identifier: Apache-2.0
// Any bytes as a safetensors file: an Error, or tensors that can be read and that mean the same when written again.
#include <atom/io/save_safetensors.hpp>

#include <sys/mman.h>

#include <cstdlib>
#include <cstring>

using namespace atom;

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t most);

// Mostly changes the header and sets the length in front of it anew: a random length is refused at once.
extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t most, unsigned seed) {
  if (size < 9 || most < 64 || seed % 16 == 0) return LLVMFuzzerMutate(data, size, most);
  std::uint64_t length = 0;
  std::memcpy(&length, data, 8);
  length = std::min<std::uint64_t>(length, size - 8);
  const std::string rest(reinterpret_cast<const char*>(data) + 8 + length, size - 8 - length);
  length = LLVMFuzzerMutate(data + 8, length, most - 8);
  std::memcpy(data, &length, 8);
  const std::size_t kept = std::min(rest.size(), most - 8 - length);
  std::memcpy(data + 8 + length, rest.data(), kept);
  return 8 + length + kept;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const int file = ::memfd_create("fuzz", MFD_CLOEXEC);
  static const std::string path = to_text("/proc/self/fd/", file);
  if (::ftruncate(file, 0) != 0 || ::pwrite(file, data, size, 0) != static_cast<ssize_t>(size)) std::abort();
  try {
    const io::Safetensors tensors(path);
    std::vector<io::TensorInfo> again(tensors.tensors().begin(), tensors.tensors().end());
    std::uint64_t total = 0;
    for (const io::TensorInfo& tensor : tensors.tensors()) {
      std::vector<std::byte> bytes(tensor.bytes());
      tensors.read(tensor, bytes);
      total += bytes.size();
    }
    const std::string header = io::detail::layout("again", again, tensors.metadata());
    const auto parsed =
        io::parse_safetensors(std::string_view(header).substr(8), "again", header.size(), header.size() + total);
    if (parsed.tensors.size() != again.size() || parsed.metadata != tensors.metadata()) std::abort();
  } catch (const Error& error) {
    if (std::strlen(error.what()) > 1000) std::abort();
  }
  return 0;
}

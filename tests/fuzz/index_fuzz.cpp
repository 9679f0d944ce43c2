// SPDX-License-Identifier: Apache-2.0
// Any bytes as a model.safetensors.index.json beside two files, of which what follows a zero byte replaces the first:
// an Error, or tensors that can be read.
#include <atom/io/safetensors.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>

using namespace atom;

namespace {

constexpr std::string_view header_a = R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})";
constexpr std::string_view header_b = R"({"b":{"dtype":"U8","shape":[3],"data_offsets":[0,3]},)"
                                      R"("c":{"dtype":"F16","shape":[0,4],"data_offsets":[3,3]}})";

std::string safetensors(std::string_view header, std::size_t bytes) {
  const std::uint64_t length = header.size();
  return std::string(reinterpret_cast<const char*>(&length), 8) + std::string(header) + std::string(bytes, 'x');
}

// Files in memory under the names that an index gives them.
class Folder {
 public:
  Folder() {
    path_ = "/dev/shm/atom-fuzz-XXXXXX";
    if (::mkdtemp(path_.data()) == nullptr) std::abort();
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() {
    for (const char* name : {"a.safetensors", "b.safetensors", "x.index.json"}) ::unlink((path_ + "/" + name).c_str());
    ::rmdir(path_.c_str());
  }

  std::string write(const std::string& name, std::string_view content) const {
    const std::string path = path_ + "/" + name;
    const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (file < 0 || ::write(file, content.data(), content.size()) != static_cast<ssize_t>(content.size())) std::abort();
    ::close(file);
    return path;
  }

 private:
  std::string path_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Folder folder;
  static const std::string usual = safetensors(header_a, 8);
  static const std::string b = folder.write("b.safetensors", safetensors(header_b, 3));
  const std::string_view all(reinterpret_cast<const char*>(data), size);
  const std::size_t zero = std::min(all.find('\0'), all.size());
  folder.write("a.safetensors", zero < all.size() ? all.substr(zero + 1) : usual);
  try {
    const io::Safetensors tensors(folder.write("x.index.json", all.substr(0, zero)));
    for (const io::TensorInfo& tensor : tensors.tensors()) {
      std::vector<std::byte> bytes(tensor.bytes());
      tensors.read(tensor, bytes);
      if (tensors.find(tensor.name) != &tensor) std::abort();
    }
  } catch (const Error& error) {
    if (std::strlen(error.what()) > 1000) std::abort();
  }
  return 0;
}

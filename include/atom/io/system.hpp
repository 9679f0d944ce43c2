// SPDX-License-Identifier: Apache-2.0
// What files need of a POSIX system: descriptors, folders, and errors with the system's own words.
#pragma once

#include "../core/error.hpp"

#include <dirent.h>
#include <fcntl.h>     // open, renameat2
#include <sys/file.h>  // flock
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>
#include <vector>

namespace atom::io {

[[noreturn]] inline void fail_system(const std::string& path, std::string_view action, int error = errno) {
  fail(path, action, ": ", std::generic_category().message(error));
}

namespace detail {

// Calls a system function until no signal interrupts it.
template <class Call> auto uninterrupted(Call call) {
  auto result = call();
  while (result < 0 && errno == EINTR) result = call();
  return result;
}

class Descriptor {
 public:
  Descriptor(const std::string& path, int flags) : Descriptor(AT_FDCWD, path.c_str(), flags) {}
  Descriptor(int folder, const char* name, int flags)
      : number_(uninterrupted([&] { return ::openat(folder, name, flags | O_CLOEXEC, 0666); })) {}
  Descriptor(Descriptor&& other) noexcept : number_(other.release()) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(number_, other.number_);
    return *this;
  }
  ~Descriptor() {
    if (number_ >= 0) ::close(number_);
  }

  explicit operator bool() const { return number_ >= 0; }
  int number() const { return number_; }
  int release() { return std::exchange(number_, -1); }

 private:
  int number_;
};

inline void sync(const std::string& path, const Descriptor& descriptor) {
  if (uninterrupted([&] { return ::fsync(descriptor.number()); }) != 0) fail_system(path, "cannot be made durable");
}
inline void sync_path(const std::string& path, int flags = 0) {
  const Descriptor descriptor(path, O_RDONLY | flags);
  if (!descriptor) fail_system(path, "cannot open");
  sync(path, descriptor);
}

// The names in a folder. Not std::filesystem, whose iterators end the program when memory runs out.
class Folder {
 public:
  explicit Folder(Descriptor descriptor) : stream_(descriptor ? ::fdopendir(descriptor.number()) : nullptr) {
    if (stream_ != nullptr) descriptor.release();
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() {
    if (stream_ != nullptr) ::closedir(stream_);
  }

  explicit operator bool() const { return stream_ != nullptr; }
  int number() const { return ::dirfd(stream_); }
  // The next name, or nullptr at the end; errno is then 0 unless the system failed.
  const char* next() const {
    errno = 0;
    const dirent* entry = ::readdir(stream_);
    while (entry != nullptr && (std::string_view(entry->d_name) == "." || std::string_view(entry->d_name) == ".."))
      entry = ::readdir(stream_);
    return entry == nullptr ? nullptr : entry->d_name;
  }
  // The kind of that entry, S_IFREG and so on; links are not followed.
  mode_t kind(const char* name) const {
    struct stat status {};
    return ::fstatat(number(), name, &status, AT_SYMLINK_NOFOLLOW) == 0 ? status.st_mode & S_IFMT : mode_t{0};
  }

 private:
  DIR* stream_;
};

// Removes a file, or a folder and all in it, as far as the system lets it.
inline void remove_tree(int parent, const char* name) noexcept {
  if (::unlinkat(parent, name, 0) == 0) return;
  {
    const Folder folder(Descriptor(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
    if (!folder) return;
    while (const char* entry = folder.next()) remove_tree(folder.number(), entry);
  }
  ::unlinkat(parent, name, AT_REMOVEDIR);
}

// Appends what is in `folder` below `prefix`, with paths relative to `folder`: files as `a/b`, folders as `a/`.
// Links and other special entries are left out.
inline void list_tree(const std::string& folder, const std::string& prefix, std::vector<std::string>& paths) {
  const Folder entries(Descriptor(folder + "/" + prefix, O_RDONLY | O_DIRECTORY));
  if (!entries) fail_system(folder, "cannot be listed");
  while (const char* entry = entries.next()) {
    const mode_t kind = entries.kind(entry);
    if (kind == S_IFREG) paths.push_back(prefix + entry);
    if (kind != S_IFDIR) continue;
    paths.push_back(prefix + entry + "/");
    list_tree(folder, std::string(paths.back()), paths);
  }
  if (errno != 0) fail_system(folder, "cannot be listed");
}

}  // namespace detail

// The files and folders below a folder, sorted; paths are relative to it, those of folders end in a slash.
inline std::vector<std::string> list_folder(const std::string& folder) {
  std::vector<std::string> paths;
  detail::list_tree(folder, "", paths);
  std::sort(paths.begin(), paths.end());
  return paths;
}

inline bool exists(const std::string& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0;
}
inline bool is_folder(const std::string& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode);
}

// The folder a path is in, and its name there.
inline std::string parent_of(const std::string& path) {
  const std::size_t slash = path.find_last_of('/');
  return slash == path.npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
}
inline std::string base_name(const std::string& path) { return path.substr(path.find_last_of('/') + 1); }

}  // namespace atom::io

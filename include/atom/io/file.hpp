// SPDX-License-Identifier: Apache-2.0
// Files: reading by position, and saving so that a crash, a full disk or a power loss leaves the old or the new, whole.
// POSIX only. A name has one writer at a time. Every error names the file and says what the system said.
#pragma once

#include "../core/mapped_file.hpp"
#include "system.hpp"

namespace atom::io {

// A regular file open for reading. Const use from several threads at once is fine: there is no position.
class File {
 public:
  // Errors: cannot be opened; not a regular file.
  explicit File(std::string path) : path_(std::move(path)), descriptor_(path_, O_RDONLY | O_NONBLOCK) {
    if (!descriptor_) fail_system(path_, "cannot open");
    struct stat status {};
    if (::fstat(descriptor_.number(), &status) != 0) fail_system(path_, "cannot be examined");
    check(S_ISREG(status.st_mode), path_, "not a regular file");
    size_ = static_cast<std::uint64_t>(status.st_size);
  }

  const std::string& path() const { return path_; }
  std::uint64_t size() const { return size_; }  // when it was opened

  // The bytes as memory that the system reads when it is touched and may take back. It outlives this object. The file
  // must not be cut meanwhile: touching what is gone ends the program. Error: the system's.
  std::shared_ptr<const std::byte> map() const {
    const auto size = static_cast<std::size_t>(size_);
    if (size == 0) return nullptr;
    void* const memory = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, descriptor_.number(), 0);
    if (memory == MAP_FAILED) fail_system(path_, "cannot be mapped");
    return {static_cast<const std::byte*>(memory), atom::detail::Unmap{size}};
  }

  // Fills `into` with the bytes from `offset` on. Errors: beyond the end; the system's; the file has become shorter.
  void read(std::uint64_t offset, std::span<std::byte> into) const {
    check(offset <= size_ && into.size() <= size_ - offset, path_, "read beyond the end: found ", size_,
          " bytes, expected ", into.size(), " at offset ", offset);
    while (!into.empty()) {
      const auto count = detail::uninterrupted(
          [&] { return ::pread(descriptor_.number(), into.data(), into.size(), static_cast<off_t>(offset)); });
      if (count < 0) fail_system(path_, to_text("cannot read at offset ", offset));
      check(count > 0, path_, "became shorter while it was read: ended at offset ", offset);
      into = into.subspan(static_cast<std::size_t>(count));
      offset += static_cast<std::uint64_t>(count);
    }
  }

 private:
  std::string path_;
  detail::Descriptor descriptor_;
  std::uint64_t size_ = 0;
};

// The whole file. Error: it has more than `limit` bytes.
inline std::string read_file(const std::string& path, std::uint64_t limit = std::uint64_t{1} << 30U) {
  const File file(path);
  check(file.size() <= limit, path, "too large: found ", file.size(), " bytes, expected at most ", limit);
  std::string text(static_cast<std::size_t>(file.size()), '\0');
  file.read(0, std::as_writable_bytes(std::span(text)));
  return text;
}

// What write_file() hands to its callback: appends bytes, unbuffered, so write large pieces.
class FileWriter {
 public:
  void write(std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
      const auto count =
          detail::uninterrupted([&] { return ::write(descriptor_.number(), bytes.data(), bytes.size()); });
      if (count < 0) fail_system(path_, to_text("cannot write at offset ", written_));
      bytes = bytes.subspan(static_cast<std::size_t>(count));
      written_ += static_cast<std::uint64_t>(count);
    }
  }
  void write(std::string_view text) { write(std::as_bytes(std::span(text))); }

  std::uint64_t written() const { return written_; }
  const std::string& path() const { return path_; }  // the final one, for messages

  // Returns when what is written is durable. write_file() does that at the end.
  void sync() { detail::sync(path_, descriptor_); }

  FileWriter(std::string path, detail::Descriptor descriptor)
      : path_(std::move(path)), descriptor_(std::move(descriptor)) {}

 private:
  std::string path_;
  detail::Descriptor descriptor_;
  std::uint64_t written_ = 0;
};

namespace detail {

// The name `PATH.tmp-PID` beside a path while its new content is being written. It is locked while in use, so what a
// killed writer left behind is known by its free lock; the next writer of the path removes it.
class Temporary {
 public:
  explicit Temporary(const std::string& path) : path_(path), name_(to_text(path, ".tmp-", ::getpid())) {
    check(!base_name(path).empty(), path, "not a name to save under");
    remove_leftovers();
  }
  Temporary(const Temporary&) = delete;
  Temporary& operator=(const Temporary&) = delete;
  ~Temporary() {
    if (created_) remove_tree(AT_FDCWD, name_.c_str());
  }

  const std::string& name() const { return name_; }

  Descriptor create_file() { return locked(Descriptor(name_, O_WRONLY | O_CREAT | O_EXCL)); }
  Descriptor create_folder() {
    created_ = ::mkdir(name_.c_str(), 0777) == 0;
    if (!created_) fail_system(path_, "cannot be saved: cannot create a folder beside it");
    return locked(Descriptor(name_, O_RDONLY | O_DIRECTORY));
  }

  // Makes the new content the content of the path, durably. A folder that exists is exchanged, then removed.
  void commit() {
    if (::rename(name_.c_str(), path_.c_str()) == 0) {
      created_ = false;
    } else if (errno != ENOTEMPTY && errno != EEXIST) {
      fail_system(path_, "cannot be renamed to");
    } else if (::renameat2(AT_FDCWD, name_.c_str(), AT_FDCWD, path_.c_str(), RENAME_EXCHANGE) != 0) {
      fail_system(path_, "cannot be replaced");  // the destructor removes the new folder; after success, the old one
    }
    sync_path(parent_of(path_), O_DIRECTORY);
  }

 private:
  static bool lock(const Descriptor& descriptor) {  // whether no other writer holds it
    return ::flock(descriptor.number(), LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK;
  }

  Descriptor locked(Descriptor descriptor) {
    if (!descriptor) fail_system(path_, "cannot be saved: cannot create a file beside it");
    created_ = true;
    check(lock(descriptor), path_, "is being saved by another writer");
    return descriptor;
  }

  void remove_leftovers() const {
    const std::string prefix = base_name(path_) + ".tmp-";
    const Folder folder(Descriptor(parent_of(path_), O_RDONLY | O_DIRECTORY));
    if (!folder) return;
    while (const char* entry = folder.next()) {
      const std::string_view found = entry;
      if (!found.starts_with(prefix) || found.find_first_not_of("0123456789", prefix.size()) != found.npos) continue;
      const Descriptor leftover(folder.number(), entry, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
      if (leftover && lock(leftover)) remove_tree(folder.number(), entry);
    }
  }

  std::string path_, name_;
  bool created_ = false;
};

}  // namespace detail

// Replaces the file at `path` by what `fill(FileWriter&)` writes, in one step: whoever opens the path, also after a
// crash at any moment, finds the old content or all of the new. If `fill` or the system fails, the old content stays,
// nothing is left beside it, and the error passes on. Returns when the content is durable.
template <class Fill>
requires std::invocable<Fill, FileWriter&>
void write_file(const std::string& path, Fill&& fill) {
  detail::Temporary temporary(path);
  FileWriter writer(path, temporary.create_file());
  std::forward<Fill>(fill)(writer);
  writer.sync();
  temporary.commit();
}
inline void write_file(const std::string& path, std::string_view text) {
  write_file(path, [&](FileWriter& writer) { writer.write(text); });
}

// The same for a folder: `fill(const std::string& temporary)` writes files and folders, by any means, into the folder
// it is given. A folder that exists under the name is replaced whole (where the file system can exchange two names).
template <class Fill>
requires std::invocable<Fill, const std::string&>
void write_folder(const std::string& path, Fill&& fill) {
  detail::Temporary temporary(path);
  const detail::Descriptor folder = temporary.create_folder();
  std::forward<Fill>(fill)(temporary.name());
  for (const std::string& entry : list_folder(temporary.name()))
    detail::sync_path(temporary.name() + "/" + entry, entry.back() == '/' ? O_DIRECTORY : 0);
  detail::sync(path, folder);
  temporary.commit();
}

}  // namespace atom::io

// SPDX-License-Identifier: Apache-2.0
// What file tests share: a folder that is removed at the end, and the text of the error a call ends in.
#pragma once

#include <atom/core/error.hpp>

#include <stdlib.h>  // mkdtemp

#include <filesystem>
#include <string>

class Scratch {
 public:
  Scratch() : path_(std::filesystem::temp_directory_path() / "atom-XXXXXX") {
    if (::mkdtemp(path_.data()) == nullptr) throw std::runtime_error("no scratch folder");
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  ~Scratch() { std::filesystem::remove_all(path_); }

  const std::string& path() const { return path_; }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

template <class Call> std::string error_of(Call&& call) {
  try {
    call();
  } catch (const atom::Error& error) {
    return error.what();
  }
  return "no error";
}

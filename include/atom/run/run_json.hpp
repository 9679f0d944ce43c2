// SPDX-License-Identifier: Apache-2.0
// run.json: what made a run, so that it can be made again. Configuration, seed, build, machine, and what the data was.
#pragma once

#include "../backend/cpu/isa.hpp"  // the instruction set is part of what made the bits
#include "../backend/device.hpp"
#include "../io/checksum.hpp"
#include "../io/json_value.hpp"

namespace atom::run {

// 16 hexadecimal digits.
inline std::string hexadecimal(std::uint64_t value) {
  std::string digits(16, '0');
  for (std::size_t i = 16; i-- > 0; value >>= 4U) digits[i] = "0123456789abcdef"[value & 15U];
  return digits;
}

// {"path":..., "bytes":..., "xxh64":...} of a data file. Reads all of it. Errors: as io::File.
inline io::Json describe_file(const std::string& path) {
  const io::File file(path);
  return io::Json::object({{"path", path}, {"bytes", file.size()}, {"xxh64", hexadecimal(io::checksum_of(file))}});
}

// Which of the streams of identical bits this process computes: all avx2 and avx512 machines share one, named after how
// products sum (backend/gemm.hpp).
inline std::string_view bit_stream() {
  if constexpr (!std::is_same_v<Device, Cpu>) return Device::name;
  return isa() == Isa::baseline ? "baseline" : "fma-256";
}

// Compiler and flags of the translation unit that includes this, and what it runs on.
inline io::Json describe_build() {
  std::string compiler;
#if defined(__clang__)
  compiler = to_text("clang++ ", __clang_major__, '.', __clang_minor__, '.', __clang_patchlevel__);
#elif defined(__GNUC__)
  compiler = to_text("g++ ", __GNUC__, '.', __GNUC_MINOR__, '.', __GNUC_PATCHLEVEL__);
#endif
#if defined(__CUDACC_VER_MAJOR__)
  compiler = to_text("nvcc ", __CUDACC_VER_MAJOR__, '.', __CUDACC_VER_MINOR__, " with ", compiler);
#endif
  std::string flags;
  [[maybe_unused]] const auto flag = [&](bool set, std::string_view name) {
    if (set) flags += to_text(flags.empty() ? "" : " ", name);
  };
#if defined(__OPTIMIZE__)
  flag(true, "optimized");
#endif
#if defined(NDEBUG)
  flag(true, "NDEBUG");
#endif
#if defined(__AVX512F__)
  flag(true, "avx512");
#elif defined(__AVX2__)
  flag(true, "avx2");
#endif
#if defined(__SANITIZE_ADDRESS__)
  flag(true, "address-sanitizer");
#endif
#if defined(__SANITIZE_THREAD__)
  flag(true, "thread-sanitizer");
#endif
  return io::Json::object({{"atom", ATOM_VERSION},
                           {"compiler", compiler},
                           {"flags", flags},
                           {"device", Device::name},
                           {"instruction_set", name_of(isa())},
                           {"bits", bit_stream()}});
}

struct RunInfo {
  io::Json config = io::Json::object();  // what the program was told, an object
  std::uint64_t seed = 0;
  int threads = 0;
  std::vector<std::string> data = {};  // files, each described by its size and checksum
};

// The whole of run.json.
inline io::Json describe_run(const RunInfo& info) {
  io::Json files = io::Json::Array();
  for (const std::string& path : info.data) files.push_back(describe_file(path));
  return io::Json::object({{"format", 1},
                           {"seed", info.seed},
                           {"threads", info.threads},
                           {"config", info.config},
                           {"data", std::move(files)},
                           {"build", describe_build()}});
}

}  // namespace atom::run

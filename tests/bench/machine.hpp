// SPDX-License-Identifier: Apache-2.0
// What the benchmark programs share: the machine's own limits, beside which every figure is printed; clocks; output.
#pragma once

#include <atom/backend/cpu/lanes.hpp>
#include <atom/backend/memory.hpp>
#include <atom/io/quote.hpp>

#include "../../examples/cli.hpp"

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <ctime>

#define ATOM_KERNEL_TEXT "bench/machine.inl"
#include <atom/backend/cpu/each_isa.hpp>

#ifndef ATOM_BENCH_FLAGS
#define ATOM_BENCH_FLAGS ""  // of the compiler, from CMake
#endif

namespace bench {

using atom::Index;

// ---- clocks ---------------------------------------------------------------------------------------------------------

inline double seconds_of(clockid_t clock) {
  timespec time{};
  clock_gettime(clock, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}
inline double wall() { return seconds_of(CLOCK_MONOTONIC); }

// The best of several runs of `work`, at least `runs` and for `budget` seconds; what is too short for the clock runs
// several times in one. Wall-clock time, but with one thread the time that this thread had the processor, so that other
// programs disturb less.
double best_seconds(double budget, const auto& work, int runs = 3) {
  const clockid_t clock = atom::default_pool().size() == 1 ? CLOCK_THREAD_CPUTIME_ID : CLOCK_MONOTONIC;
  const double begin = wall(), end = begin + budget;
  work();
  constexpr double shortest = 1e-4;
  const auto repeats = static_cast<int>(1 + shortest / std::max(wall() - begin, 1e-7));
  double best = 1e9;
  for (int run = 0; run < runs || wall() < end; ++run) {
    const double start = seconds_of(clock);
    for (int i = 0; i < repeats; ++i) work();
    best = std::min(best, (seconds_of(clock) - start) / repeats);
  }
  return best;
}

inline double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

// Of this process so far, in MiB.
inline double peak_mib() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / 1024;
}

// What f() gives, a plain value, computed in a child process, so that this one's peak does not know of it. Before the
// first use of a thread pool here.
template <class F> auto in_child(F f) {
  using Result = std::invoke_result_t<F&>;
  static_assert(std::is_trivially_copyable_v<Result>);
  int ends[2];
  atom::check(pipe(ends) == 0, "in_child", "no pipe");
  std::fflush(stdout);
  const pid_t child = fork();
  if (child == 0) {
    const Result result = f();
    _exit(write(ends[1], &result, sizeof result) == sizeof result ? 0 : 1);
  }
  Result result;
  int status = 1;
  close(ends[1]);
  const bool arrived = child > 0 && read(ends[0], &result, sizeof result) == sizeof result;
  close(ends[0]);
  if (child > 0) waitpid(child, &status, 0);
  atom::check(arrived && status == 0, "in_child", "the child failed with status ", status);
  return result;
}

// ---- limits ---------------------------------------------------------------------------------------------------------

// What the processor can do at most: multiply-adds of floats in registers, and reading memory that no cache holds.
struct Limits {
  int threads = 1;
  double gflops = 0, gbytes = 0;  // a second
};

// What some work takes: floating-point operations, bytes read and written. The share of what a kernel can reach is that
// of its tighter limit (Williams et al. 2009).
struct Work {
  double operations = 0, bytes = 0;

  bool computes(const Limits& limits) const { return operations / limits.gflops > bytes / limits.gbytes; }
  double share(const Limits& limits, double seconds) const {
    return 1e-9 * std::max(operations / limits.gflops, bytes / limits.gbytes) / seconds;
  }
};

namespace detail {

inline Index multiply_adds(Index steps, float* values) { ATOM_DISPATCH(fma_steps<float>, steps, values); }
inline float read_floats(const float* from, Index count) { ATOM_DISPATCH(read_all<float>, from, count); }

inline double peak_gflops(int threads, double budget) {
  constexpr Index steps = 200000;
  std::vector<float> values(static_cast<std::size_t>(64 * threads), 0.5F);
  Index per_step = 0;
  const double seconds = best_seconds(budget, [&] {
    atom::default_pool().parallel_for(threads, [&](Index i) {
      const Index found = multiply_adds(steps, &values[static_cast<std::size_t>(64 * i)]);
      if (i == 0) per_step = found;
    });
  });
  return 2e-9 * static_cast<double>(steps * per_step * threads) / seconds;
}

inline double read_gbytes(double budget) {
  constexpr Index chunk = 1 << 18, chunks = 256;  // 256 MiB, where the library's own memory comes from
  constexpr std::size_t bytes = std::size_t{chunk * chunks} * sizeof(float);
  auto* const from = static_cast<float*>(atom::host_allocate(bytes));
  std::fill_n(from, chunk * chunks, 1.0F);
  std::atomic<float> sink = 0;
  const double seconds = best_seconds(budget, [&] {
    atom::default_pool().parallel_for(chunks, [&](Index i) { sink = read_floats(from + i * chunk, chunk); });
  });
  atom::host_deallocate(from, bytes);
  return 1e-9 * static_cast<double>(bytes) / seconds;
}

}  // namespace detail

// Those of one thread and of `threads`: one entry where these are the same. Call it first: see in_child.
inline std::vector<Limits> measure_limits(int threads, double budget = 0.5) {
  std::vector<Limits> limits;
  for (const int count : threads == 1 ? std::vector{1} : std::vector{1, threads})
    limits.push_back(in_child([&] {
      atom::set_default_threads(count);
      return Limits{count, detail::peak_gflops(count, budget), detail::read_gbytes(budget)};
    }));
  return limits;
}

// One row of a table of kernels.
struct Kernel {
  std::string name, shape;
  Work work;
};

// ---- output ---------------------------------------------------------------------------------------------------------

// A number or a text in JSON.
struct Json {
  std::string text;

  template <std::integral T> Json(T value) : text(std::to_string(value)) {}
  Json(double value) : text(fmt::format("{:.7g}", value)) {}
  Json(std::string_view value) { atom::io::append_quoted(text, value); }
  Json(const std::string& value) : Json(std::string_view(value)) {}
  Json(const char* value) : Json(std::string_view(value)) {}
};
using JsonMembers = std::vector<std::pair<const char*, Json>>;

inline constexpr const char* json_help = "one JSON object a line on stdout, the table on stderr";

// Where a program's lines go: a table to stdout; with --json objects to stdout and the table to stderr.
class Output {
 public:
  Output(const char* program, bool json) : program_(program), json_(json) {}

  template <class... Parts> void line(fmt::format_string<Parts...> format, Parts&&... parts) const {
    std::FILE* const to = json_ ? stderr : stdout;
    fmt::print(to, format, std::forward<Parts>(parts)...);
    std::fflush(to);
  }
  // With the program, the instruction set, the compiler and its flags.
  void object(const JsonMembers& members) const {
    if (!json_) return;
    std::string text = fmt::format("{{\"bench\":\"{}\"", program_);
    const auto add = [&](const char* name, const Json& value) { text += fmt::format(",\"{}\":{}", name, value.text); };
    for (const auto& [name, value] : members) add(name, value);
    add("isa", atom::name_of(atom::isa()));
    add("compiler", __VERSION__);
    add("flags", ATOM_BENCH_FLAGS);
    fmt::print("{}}}\n", text);
    std::fflush(stdout);
  }
  void limits(const std::vector<Limits>& all) const {
    for (const Limits& one : all) {
      line("{}, {} thread{}: multiply-adds {:.0f} GF/s, reads {:.1f} GB/s\n", atom::name_of(atom::isa()), one.threads,
           one.threads == 1 ? "" : "s", one.gflops, one.gbytes);
      object({{"threads", one.threads}, {"peak_gflops", one.gflops}, {"read_gbytes_per_s", one.gbytes}});
    }
  }

  void kernels_head() const {
    line("\n{:28} {:>22} {:>7} {:>10} {:>8} {:>7}  {}\n", "", "shape", "threads", "us", "GF/s", "GB/s", "of limit");
  }
  void kernel(const Kernel& kernel, const Limits& limits, double seconds) const {
    const double gflops = 1e-9 * kernel.work.operations / seconds, gbytes = 1e-9 * kernel.work.bytes / seconds;
    const double share = kernel.work.share(limits, seconds);
    const char* const limit = kernel.work.computes(limits) ? "multiply-adds" : "reads";
    line("{:28} {:>22} {:7} {:10.1f} {:8.1f} {:7.1f} {:4.0f}% {}\n", kernel.name, kernel.shape, limits.threads,
         1e6 * seconds, gflops, gbytes, 100 * share, limit);
    object({{"kernel", kernel.name},
            {"shape", kernel.shape},
            {"threads", limits.threads},
            {"us", 1e6 * seconds},
            {"gflops", gflops},
            {"gbytes_per_s", gbytes},
            {"share", share},
            {"limit", limit}});
  }

 private:
  const char* program_;
  bool json_;
};

// What programs that time kernels take.
inline void add_options(CLI::App& app, int& threads, double& budget, bool& json) {
  app.add_option("--threads", threads, "all threads, timed after one")->check(CLI::PositiveNumber);
  app.add_option("--seconds", budget, "time for each figure");
  app.add_flag("--json", json, json_help);
}

}  // namespace bench

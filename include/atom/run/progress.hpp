// SPDX-License-Identifier: Apache-2.0
// Progress: one line a step for whoever watches. A bar that redraws itself on a terminal, plain lines otherwise.
// Writes to the stream it is given and nowhere else; without a stream it is silent.
#pragma once

#include "text.hpp"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>

#if __has_include(<unistd.h>)
#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>
#endif

namespace atom::run {

// What is known of a step once it is done. Also what metrics.jsonl keeps.
struct StepReport {
  Index step = 0;  // steps done so far, so 1 for the first
  double loss = 0;
  double learning_rate = 0;
  double gradient_norm = 0;  // before clipping
  Index tokens = 0;          // in this step
  double seconds = 0;        // of this step
  bool skipped = false;      // the guard dropped its gradients
};

// Resident memory of this process in bytes; 0 where the system does not say.
inline double resident_bytes() {
#if defined(__linux__)
  char text[128];
  const int file = ::open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
  if (file < 0) return 0;
  const auto length = ::read(file, text, sizeof text);
  ::close(file);
  const char* const end = text + std::max<decltype(length)>(length, 0);
  double pages[2] = {0, 0};  // total, resident
  const char* at = text;
  for (double& number : pages) {
    const auto parsed = std::from_chars(at, end, number);
    if (parsed.ec != std::errc() || parsed.ptr == end) return 0;
    at = parsed.ptr + 1;
  }
  return pages[1] * static_cast<double>(::sysconf(_SC_PAGESIZE));
#else
  return 0;
#endif
}

// `step   12/2000 | loss 3.9708 | lr 3.0e-04 | grad 1.23 | 15.6k tok/s | 131 ms | eta 4m21s | mem 212 MB`
// `seconds_per_step` is the average that rate and eta go by. `steps` 0: the end is not known. `memory` 0: left out.
inline std::string progress_line(const StepReport& report, Index steps, double seconds_per_step, double memory) {
  std::string step = to_text(report.step);
  if (const std::string total = to_text(steps); steps > 0)
    step = std::string(total.size() - std::min(total.size(), step.size()), ' ') + step + "/" + total;
  std::string line = to_text("step ", step, " | loss ", fixed(report.loss, 4), " | lr ",
                             scientific(report.learning_rate), " | grad ", fixed(report.gradient_norm, 2));
  if (report.tokens > 0 && seconds_per_step > 0)
    line += to_text(" | ", compact(static_cast<double>(report.tokens) / seconds_per_step), " tok/s");
  line += to_text(" | ", fixed(report.seconds * 1e3, report.seconds < 0.00995 ? 2 : 0), " ms");
  if (steps > 0)
    line += " | eta " + duration(static_cast<double>(std::max<Index>(steps - report.step, 0)) * seconds_per_step);
  if (memory > 0) line += " | mem " + megabytes(memory);
  if (report.skipped) line += " | skipped";
  return line;
}

struct ProgressOptions {
  Index steps = 0;      // of the whole run; 0: not known
  double interval = 5;  // seconds between plain lines; first and last step always print
  enum class Style { by_stream, plain, bar } style = Style::by_stream;
};

class Progress {
 public:
  // `stream` is borrowed (stderr, so that stdout stays free for text); null: silent.
  explicit Progress(std::FILE* stream, const ProgressOptions& options = {}) : stream_(stream), options_(options) {
    using Style = ProgressOptions::Style;
    bar_ = stream && (options.style == Style::bar || (options.style == Style::by_stream && is_terminal(stream)));
    const char* no_color = std::getenv("NO_COLOR");  // https://no-color.org
    color_ = bar_ && !(no_color && *no_color);
  }
  ~Progress() { finish(); }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void show(const StepReport& report) {
    if (!stream_) return;
    average_ = average_ == 0 ? report.seconds : 0.95 * average_ + 0.05 * report.seconds;
    const auto now = Clock::now();
    const bool first = !shown_, last = report.step == options_.steps;
    const double interval = bar_ ? 0.1 : options_.interval;
    if (!first && !last && std::chrono::duration<double>(now - printed_).count() < interval) return;
    shown_ = true;
    printed_ = now;
    const std::string line = progress_line(report, options_.steps, average_, resident_bytes());
    if (bar_)
      draw(line, report.step);
    else
      std::fprintf(stream_, "%s\n", line.c_str());
    std::fflush(stream_);
  }

  // A line of its own (a validation loss, a saved checkpoint, a warning) that stays, above the bar.
  void note(std::string_view text) {
    if (!stream_) return;
    std::fprintf(stream_, "%s%.*s\n%s", bar_ ? "\r\x1b[K" : "", static_cast<int>(text.size()), text.data(),
                 bar_ ? drawn_.c_str() : "");
    std::fflush(stream_);
  }

  // Leaves the last line standing. Nothing happens the second time.
  void finish() {
    if (bar_ && !drawn_.empty()) std::fputc('\n', stream_);
    if (stream_) std::fflush(stream_);
    drawn_.clear();
  }

 private:
  using Clock = std::chrono::steady_clock;

  static bool is_terminal([[maybe_unused]] std::FILE* stream) {
#if __has_include(<unistd.h>)
    const char* kind = std::getenv("TERM");
    return ::isatty(::fileno(stream)) == 1 && !(kind && std::string_view(kind) == "dumb");
#else
    return false;
#endif
  }
  std::size_t columns() const {
#if __has_include(<unistd.h>)
    winsize size{};
    if (::ioctl(::fileno(stream_), TIOCGWINSZ, &size) == 0 && size.ws_col > 1) return size.ws_col - 1U;
#endif
    return 119;
  }

  // The bar takes what the line leaves of the terminal's width, and gives way to it.
  void draw(std::string line, Index step) {
    const std::size_t width = columns();
    drawn_ = "\r\x1b[K";
    if (options_.steps > 0 && line.size() + 9 < width) {
      const std::size_t cells = std::min<std::size_t>(width - line.size() - 3, 24);
      const double share = std::min(1.0, static_cast<double>(step) / static_cast<double>(options_.steps));
      const auto full = static_cast<std::size_t>(share * static_cast<double>(cells));
      drawn_ += to_text('[', color_ ? "\x1b[32m" : "", std::string(full, '='), color_ ? "\x1b[0m" : "",
                        std::string(cells - full, ' '), "] ");
    }
    line.resize(std::min(line.size(), width));
    drawn_ += line;
    std::fputs(drawn_.c_str(), stream_);
  }

  std::FILE* stream_;
  ProgressOptions options_;
  bool bar_ = false, color_ = false, shown_ = false;
  double average_ = 0;  // seconds a step, exponentially weighted
  Clock::time_point printed_{};
  std::string drawn_;  // the bar as it stands
};

}  // namespace atom::run

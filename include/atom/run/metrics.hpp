// SPDX-License-Identifier: Apache-2.0
// metrics.jsonl: one JSON object a line, `"step"` its first member, steps not falling. A line is in the file when the
// call returns; a torn last line, as a crash leaves it, is cut off when the file is opened again.
#pragma once

#include "../io/file.hpp"
#include "../io/json_value.hpp"
#include "progress.hpp"

#include <memory>

namespace atom::run {

namespace detail {

// The length of the longest start of `text` that is whole lines of steps up to `last_step`.
inline std::size_t kept_length(std::string_view text, Index last_step) {
  std::size_t kept = 0;
  for (auto end = text.find('\n'); end != text.npos; end = text.find('\n', kept)) {
    constexpr std::string_view head = "{\"step\":";
    const std::string_view line = text.substr(kept, end - kept);
    if (!line.starts_with(head) || !line.ends_with('}')) break;
    Index step = 0;
    const char* const digits = line.data() + head.size();
    const auto parsed = std::from_chars(digits, line.data() + line.size(), step);
    if (parsed.ec != std::errc() || step > last_step) break;
    kept = end + 1;
  }
  return kept;
}

}  // namespace detail

class Metrics {
 public:
  // Opens the file to append, creating it. Lines of steps after `last_step` are cut off: -1 starts anew, a resumed run
  // passes the step it resumes at. Errors: the system's, naming the file.
  explicit Metrics(std::string path, Index last_step = -1) : path_(std::move(path)) {
    if (last_step >= 0 && io::exists(path_)) {
      size_ = detail::kept_length(io::read_file(path_, std::uint64_t{1} << 36U), last_step);
      if (::truncate(path_.c_str(), static_cast<off_t>(size_)) != 0)
        io::fail_system(path_, "cannot be cut to the resumed step");
    }
    file_.reset(std::fopen(path_.c_str(), size_ > 0 ? "abe" : "wbe"));
    if (!file_) io::fail_system(path_, "cannot open");
    std::setvbuf(file_.get(), nullptr, _IONBF, 0);
  }

  // {"step":12,"loss":3.97081,"lr":3e-04,"grad_norm":1.23,"tokens":2048,"seconds":0.1312}, with "skipped":true where
  // so. Losses print as floats; what is not finite is null. No allocation once warm. Error: the system's (disk full);
  // the line is then taken back.
  void write(const StepReport& report) {
    line_ = "{\"step\":";
    append_text(line_, report.step);
    number("loss", report.loss);
    number("lr", report.learning_rate);
    number("grad_norm", report.gradient_norm);
    line_ += ",\"tokens\":";
    append_text(line_, report.tokens);
    number("seconds", std::round(report.seconds * 1e6) * 1e-6);
    line_ += report.skipped ? ",\"skipped\":true}\n" : "}\n";
    put();
  }

  // Anything else about a step: write(200, Json::object({{"validation_loss", 1.9}})). Bytes in its strings that
  // are not UTF-8 become U+FFFD. Error: `values` is no object.
  void write(Index step, const io::Json& values) {
    line_ = to_text("{\"step\":", step);
    if (!values.members(path_).empty())
      line_ += "," + valid_utf8(to_text(values)).substr(1);
    else
      line_ += '}';
    line_ += '\n';
    put();
  }

  const std::string& path() const { return path_; }

 private:
  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };

  void number(std::string_view name, double value) {
    line_ += ",\"";
    line_ += name;
    line_ += "\":";
    if (std::isfinite(value))
      append_text(line_, static_cast<float>(value));
    else
      line_ += "null";
  }

  void put() {
    errno = 0;
    if (std::fwrite(line_.data(), 1, line_.size(), file_.get()) != line_.size()) {
      const int error = errno;
      std::clearerr(file_.get());
      [[maybe_unused]] const int ignored = ::truncate(path_.c_str(), static_cast<off_t>(size_));
      io::fail_system(path_, "cannot be written", error);
    }
    size_ += line_.size();
  }

  std::string path_, line_;
  std::unique_ptr<std::FILE, Close> file_;
  std::size_t size_ = 0;  // of the whole lines
};

}  // namespace atom::run

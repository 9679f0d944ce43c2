// SPDX-License-Identifier: Apache-2.0
#include <atom/run/progress.hpp>

#include "../catch.hpp"

#include <limits>

using namespace atom::run;

namespace {

// What `use` writes to a stream of its own.
template <class F> std::string written(F&& use) {
  std::FILE* file = std::tmpfile();
  REQUIRE(file != nullptr);
  use(file);
  std::string text(static_cast<std::size_t>(std::ftell(file)), '\0');
  std::rewind(file);
  CHECK(std::fread(text.data(), 1, text.size(), file) == text.size());
  std::fclose(file);
  return text;
}

std::size_t count(const std::string& text, std::string_view part) {
  std::size_t found = 0;
  for (auto at = text.find(part); at != text.npos; at = text.find(part, at + 1)) ++found;
  return found;
}

StepReport report(atom::Index step) { return {step, 3.97081, 3e-4, 1.234, 2048, 0.1312}; }

}  // namespace

TEST_CASE("numbers as people read them") {
  CHECK(fixed(3.14159, 2) == "3.14");
  CHECK(fixed(1e300, 1).size() == 303);
  CHECK(fixed(std::numeric_limits<double>::quiet_NaN(), 2) == "nan");
  CHECK(compact(0) == "0");
  CHECK(compact(999.4) == "999");
  CHECK(compact(999.6) == "1.00k");
  CHECK(compact(15600) == "15.6k");
  CHECK(compact(1.2345e6) == "1.23M");
  CHECK(compact(999'950) == "1.00M");
  CHECK(compact(7e15) == "7000T");
  CHECK(duration(0.84) == "0.8s");
  CHECK(duration(59.4) == "59s");
  CHECK(duration(59.6) == "1m00s");
  CHECK(duration(261) == "4m21s");
  CHECK(duration(3 * 3600 + 5 * 60 + 59) == "3h05m");
  CHECK(duration(2 * 86400 + 7 * 3600) == "2d07h");
  CHECK(duration(std::numeric_limits<double>::infinity()) == "?");
  CHECK(megabytes(212.4e6) == "212 MB");
  CHECK(megabytes(1.25e9) == "1.25 GB");
}

TEST_CASE("the line that everybody greps") {
  CHECK(progress_line(report(12), 2000, 0.1312, 212e6) ==
        "step   12/2000 | loss 3.9708 | lr 3.0e-04 | grad 1.23 | 15.6k tok/s | 131 ms | eta 4m21s | mem 212 MB");
  CHECK(progress_line(report(12), 0, 0.1312, 0) ==
        "step 12 | loss 3.9708 | lr 3.0e-04 | grad 1.23 | 15.6k tok/s | 131 ms");
  CHECK(progress_line({.step = 5, .seconds = 0.0012, .skipped = true}, 2, 0, 0) ==
        "step 5/2 | loss 0.0000 | lr 0.0e+00 | grad 0.00 | 1.20 ms | eta 0.0s | skipped");
}

TEST_CASE("progress: plain lines when the stream is no terminal") {
  const std::string text = written([](std::FILE* file) {
    Progress progress(file, {.steps = 50, .interval = 1e9});
    for (atom::Index step = 1; step <= 50; ++step) progress.show(report(step));
    progress.note("val 1.5");
  });
  CHECK(count(text, "\n") == 3);  // first, last, note
  CHECK(count(text, "step  1/50 |") == 1);
  CHECK(count(text, "step 50/50 |") == 1);
  CHECK(count(text, "\r") + count(text, "\x1b") == 0);
}

TEST_CASE("progress: a bar redraws one line; notes stand above it") {
  setenv("NO_COLOR", "1", 1);
  const auto use = [](std::FILE* file) {
    Progress progress(file, {.steps = 2, .style = ProgressOptions::Style::bar});
    progress.show(report(1));
    progress.note("saved");
    progress.show(report(2));
    progress.finish();
    progress.finish();
  };
  const std::string plain = written(use);
  CHECK(count(plain, "\n") == 2);
  CHECK(count(plain, "\r\x1b[Ksaved\n\r\x1b[K[=") == 1);
  CHECK(count(plain, "\x1b[32m") == 0);
  unsetenv("NO_COLOR");
  CHECK(count(written(use), "\x1b[32m") == 3);
}

TEST_CASE("progress: silent without a stream") {
  Progress progress(nullptr);
  progress.show(report(1));
  progress.note("nobody reads this");
}

TEST_CASE("resident memory is known on Linux") {
#if defined(__linux__)
  CHECK(resident_bytes() > 100e3);
#endif
}

// SPDX-License-Identifier: Apache-2.0
#include <atom/run/metrics.hpp>

#include "../catch.hpp"
#include "../io/scratch.hpp"

#include <limits>

using atom::Index;
using atom::io::Json;
using atom::run::Metrics;

namespace {

const std::string first = R"({"step":1,"loss":3.5,"lr":3e-04,"grad_norm":1.25,"tokens":64,"seconds":0.131221})"
                          "\n";
const std::string second =
    R"({"step":2,"loss":null,"lr":3e-04,"grad_norm":null,"tokens":64,"seconds":2,"skipped":true})"
    "\n";
const std::string third = R"({"step":2,"validation_loss":1.5,"note":"a \"b\""})"
                          "\n";

void write_all(Metrics& metrics) {
  metrics.write({1, 3.5, 3e-4F, 1.25, 64, 0.1312214});
  const double infinity = std::numeric_limits<double>::infinity();
  metrics.write({2, infinity - infinity, 3e-4F, infinity, 64, 2, true});
  metrics.write(2, Json::object({{"validation_loss", 1.5}, {"note", "a \"b\""}}));
}

}  // namespace

TEST_CASE("metrics: one object a line, in the file when the call returns") {
  const Scratch folder;
  const std::string path = folder / "metrics.jsonl";
  Metrics metrics(path);
  write_all(metrics);
  CHECK(atom::io::read_file(path) == first + second + third);
  metrics.write(3, Json::object());
  CHECK(atom::io::read_file(path).ends_with("}\n{\"step\":3}\n"));
  CHECK_THROWS_AS(metrics.write(3, Json(5)), atom::Error);
}

TEST_CASE("metrics: a resumed run goes on after its step, a new one starts anew") {
  const Scratch folder;
  const std::string path = folder / "metrics.jsonl";
  {
    Metrics metrics(path);
    write_all(metrics);
  }
  { Metrics metrics(path, 7); }
  CHECK(atom::io::read_file(path) == first + second + third);
  {
    Metrics metrics(path, 1);
    metrics.write(2, Json::object({{"again", true}}));
  }
  CHECK(atom::io::read_file(path) == first + "{\"step\":2,\"again\":true}\n");
  { Metrics metrics(path, 0); }
  CHECK(atom::io::read_file(path).empty());
  {
    Metrics metrics(path);
    write_all(metrics);
  }
  { Metrics metrics(path); }
  CHECK(atom::io::read_file(path).empty());
}

TEST_CASE("metrics: every torn end is cut back to whole lines") {
  const Scratch folder;
  const std::string path = folder / "metrics.jsonl";
  const std::string whole = first + second + third;
  for (std::size_t length = 0; length <= whole.size(); ++length) {
    atom::io::write_file(path, std::string_view(whole).substr(0, length));
    { Metrics metrics(path, 2); }
    const std::size_t kept = whole.rfind('\n', length - 1) + 1;
    CHECK(atom::io::read_file(path).size() == (length == 0 ? 0 : std::min(kept, length)));
  }
}

TEST_CASE("metrics: errors name the file") {
  CHECK_THROWS_WITH(Metrics("/nowhere/metrics.jsonl"),
                    "[/nowhere/metrics.jsonl] cannot open: No such file or directory");
  Metrics full("/dev/full");
  CHECK_THROWS_WITH(full.write({1}), "[/dev/full] cannot be written: No space left on device");
}

// SPDX-License-Identifier: Apache-2.0
#include <atom/backend/embedding.hpp>

#include <atom/backend/check_ids.hpp>

#include "backend/everywhere.hpp"

using namespace atom;
using test::values;

TEMPLATE_TEST_CASE("embedding gathers rows and adds their gradients in order", "", float, double) {
  using T = TestType;
  struct Case {
    Index n, v, channels;
  };
  for (const Case c : {Case{0, 5, 4}, {1, 1, 1}, {9, 5, 3}, {200, 7, 130}, {33, 50, 64}}) {
    std::vector<TokenId> ids;
    for (Index i = 0; i < c.n; ++i) ids.push_back(static_cast<TokenId>(i * i % c.v));
    const auto weight = values<T>(c.v * c.channels, 1), dy = values<T>(c.n * c.channels, 2);
    std::vector<double> y, dweight(weight.begin(), weight.end());
    for (Index i = 0; i < c.n; ++i)
      for (Index j = 0; j < c.channels; ++j) {
        const auto at = static_cast<std::size_t>(ids[static_cast<std::size_t>(i)] * c.channels + j);
        y.push_back(double(weight[at]));
        dweight[at] += double(dy[static_cast<std::size_t>(i * c.channels + j)]);
      }
    test::everywhere(
        [&](Cpu device) {
          std::vector<T> found(y.size());
          embedding_forward(device, c.n, c.channels, ids.data(), weight.data(), found.data());
          return found;
        },
        [&](const std::vector<T>& found) { CHECK(test::difference(found, y) == 0); });
    test::everywhere(
        [&](Cpu device) {
          auto found = weight;  // adds to what is there
          embedding_backward(device, c.n, c.channels, ids.data(), dy.data(), found.data());
          return found;
        },
        [&](const std::vector<T>& found) {
          CHECK(test::difference(found, dweight) < (sizeof(T) == 4 ? 2e-5 : 1e-13));
        });
  }
}

TEST_CASE("embedding reads weights stored in 16 bits") {
  const std::vector<TokenId> ids{2, 0};
  std::vector<bfloat16> brain;
  std::vector<atom::half> halves;
  for (int i = 0; i < 6; ++i) {
    brain.emplace_back(static_cast<float>(i) * 0.25f);
    halves.emplace_back(static_cast<float>(i) * 0.25f);
  }
  for (const bool use_half : {false, true}) {
    std::vector<float> y(4);
    if (use_half)
      embedding_forward(Cpu{}, 2, 2, ids.data(), halves.data(), y.data());
    else
      embedding_forward(Cpu{}, 2, 2, ids.data(), brain.data(), y.data());
    CHECK(y == std::vector<float>{1.0f, 1.25f, 0.0f, 0.25f});
  }
}

TEST_CASE("ids out of range are named with their place") {
  std::vector<std::int32_t> ids(8, 3);
  const auto view = [&] { return View<const std::int32_t>(contiguous_view(ids.data(), Shape{2, 4})); };
  CHECK_NOTHROW(check_ids(Cpu{}, "embedding", view(), 65));
  ids[3] = 70;
  CHECK_THROWS_WITH(check_ids(Cpu{}, "embedding", view(), 65),
                    "[embedding] id out of range: found 70 at (0, 3), expected 0..64");
  ids[3] = -1;
  CHECK_THROWS_WITH(check_ids(Cpu{}, "embedding", view(), 65),
                    "[embedding] id out of range: found -1 at (0, 3), expected 0..64");
  CHECK_NOTHROW(check_ids(Cpu{}, "cross_entropy", view(), 65, -1));
  CHECK_THROWS_WITH(check_ids(Cpu{}, "embedding", view(), 0),
                    "[embedding] id out of range: found 3 at (0, 0), expected none, the table is empty");
}

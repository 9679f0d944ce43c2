// SPDX-License-Identifier: Apache-2.0
#include <atom/backend/rope.hpp>

#include "backend/everywhere.hpp"

using namespace atom;
using test::values;

namespace {

struct Case {
  Index b, t, h, d, rotated;
  RopePairing pairing;
  bool given_positions;
};
const Case cases[] = {
    {2, 3, 2, 8, 8, RopePairing::half_split, false},   {1, 5, 3, 64, 64, RopePairing::half_split, true},
    {2, 3, 2, 10, 6, RopePairing::half_split, true},   {2, 3, 2, 8, 8, RopePairing::interleaved, true},
    {1, 4, 1, 70, 38, RopePairing::half_split, false}, {1, 4, 2, 7, 4, RopePairing::interleaved, false},
    {0, 4, 2, 8, 8, RopePairing::half_split, false},   {1, 2, 1, 3, 0, RopePairing::half_split, false}};
constexpr Index positions = 40, start = 7;

}  // namespace

TEMPLATE_TEST_CASE("rope turns pairs by their angle, and back", "", float, double) {
  using T = TestType;
  const double bar = sizeof(T) == 4 ? 1e-6 : 1e-15;
  for (const Case& c : cases) {
    const Index pairs = c.rotated / 2, n = c.b * c.t * c.h * c.d;
    std::vector<T> cosines, sines;
    for (Index p = 0; p < positions; ++p)
      for (Index i = 0; i < pairs; ++i) {
        const double angle = static_cast<double>(p) / std::pow(10.0, static_cast<double>(i));
        cosines.push_back(static_cast<T>(std::cos(angle)));
        sines.push_back(static_cast<T>(std::sin(angle)));
      }
    std::vector<std::int32_t> given;
    for (Index i = 0; i < c.b * c.t; ++i) given.push_back(static_cast<std::int32_t>(i * 11 % positions));
    const auto x = values<T>(n, 1);
    const Shape shape{c.b, c.t, c.h, c.d};

    std::vector<double> expected(x.begin(), x.end());
    for (Index row = 0; row < c.b * c.t; ++row)
      for (Index head = 0; head < c.h; ++head)
        for (Index i = 0; i < pairs; ++i) {
          const Index at = (row * c.h + head) * c.d,
                      p = c.given_positions ? given[std::size_t(row)] : start + row % c.t;
          const bool split = c.pairing == RopePairing::half_split;
          const auto first = std::size_t(at + (split ? i : 2 * i)),
                     second = std::size_t(at + (split ? i + pairs : 2 * i + 1));
          const double cosine = double(cosines[std::size_t(p * pairs + i)]),
                       sine = double(sines[std::size_t(p * pairs + i)]);
          expected[first] = double(x[first]) * cosine - double(x[second]) * sine;
          expected[second] = double(x[second]) * cosine + double(x[first]) * sine;
        }

    const auto turn = [&](Cpu device, View<const T> from, View<T> to, bool backward) {
      apply_rope(device, RopeArgs<T>{.x = from,
                                     .y = to,
                                     .rotated = c.rotated,
                                     .pairing = c.pairing,
                                     .backward = backward,
                                     .cosines = cosines.data(),
                                     .sines = sines.data(),
                                     .positions = c.given_positions ? given.data() : nullptr,
                                     .start = start});
    };
    test::everywhere(
        [&](Cpu device) {
          auto y = std::vector<T>(x.size());
          turn(device, contiguous_view(x.data(), shape), contiguous_view(y.data(), shape), false);
          return y;
        },
        [&](const std::vector<T>& found) { CHECK(test::difference(found, expected) < bar); });

    auto y = x;  // in place, there and back
    turn(Cpu{}, contiguous_view(y.data(), shape), contiguous_view(y.data(), shape), false);
    CHECK(test::difference(y, expected) < bar);
    turn(Cpu{}, contiguous_view(y.data(), shape), contiguous_view(y.data(), shape), true);
    CHECK(test::difference(y, std::vector<double>(x.begin(), x.end())) < 4 * bar);

    // (b, h, t, d) memory on both sides
    const Strides strides{c.h * c.t * c.d, c.d, c.t * c.d, 1};
    std::vector<T> from(x.size()), to(x.size());
    for (Index b = 0; b < c.b; ++b)
      for (Index t = 0; t < c.t; ++t)
        for (Index h = 0; h < c.h; ++h)
          for (Index d = 0; d < c.d; ++d)
            from[std::size_t(((b * c.h + h) * c.t + t) * c.d + d)] =
                x[std::size_t(((b * c.t + t) * c.h + h) * c.d + d)];
    turn(Cpu{}, {from.data(), shape, strides}, {to.data(), shape, strides}, false);
    for (Index b = 0; b < c.b; ++b)
      for (Index t = 0; t < c.t; ++t)
        for (Index h = 0; h < c.h; ++h)
          for (Index d = 0; d < c.d; ++d) {
            const double wanted = expected[std::size_t(((b * c.t + t) * c.h + h) * c.d + d)];
            REQUIRE(std::abs(double(to[std::size_t(((b * c.h + h) * c.t + t) * c.d + d)]) - wanted) < 4 * bar);
          }
  }
}

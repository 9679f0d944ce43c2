// SPDX-License-Identifier: Apache-2.0
// Beside models.cpp: in double precision, as tests use them.
#include <atom/models/transformer.hpp>

namespace atom::models {

template class Transformer<double>;
template class Transformer<double, Device, LayerPolicy, nn::TopKRouter>;

}  // namespace atom::models

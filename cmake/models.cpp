// SPDX-License-Identifier: Apache-2.0
// The models that most of our programs use, compiled once for all of them.
#include <atom/models/transformer.hpp>

namespace atom::models {

template class Transformer<float>;
template class Transformer<float, Device, LayerPolicy, nn::TopKRouter>;

}  // namespace atom::models

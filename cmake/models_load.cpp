// SPDX-License-Identifier: Apache-2.0
// Beside models.cpp: their weights from every kind of file.
#include <atom/pretrained/load.hpp>

namespace atom::pretrained {

template void load_weights(const std::string&, models::Transformer<float>&);
template void load_weights(const std::string&, models::FullTransformer<float>&);
template models::FullTransformer<float> load_model(const std::string&, const LoadOptions&, Device);

}  // namespace atom::pretrained

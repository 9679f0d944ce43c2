// SPDX-License-Identifier: Apache-2.0
// Beside models.cpp: their weights from every kind of file.
#include <atom/pretrained/load.hpp>
#include <atom/pretrained/pack_weights.hpp>

namespace atom::pretrained {

template void load_weights(const std::string&, models::Transformer<float>&);
template void load_weights(const std::string&, models::FullTransformer<float>&);
template models::FullTransformer<float> load_model(const std::string&, const LoadOptions&, Device);

template void pack_weights(models::Transformer<float>&, const PackOptions&);
template void pack_weights(models::FullTransformer<float>&, const PackOptions&);

}  // namespace atom::pretrained

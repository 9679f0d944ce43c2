// SPDX-License-Identifier: Apache-2.0
// A Transformer as a Hugging Face folder: config.json, model.safetensors (or shards), generation_config.json.
#pragma once

#include "load.hpp"
#include "save.hpp"
#include "save_like.hpp"

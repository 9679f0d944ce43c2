// SPDX-License-Identifier: Apache-2.0
// Everything that needs no JSON parser. Not in it: <atom/pretrained/...> and the JSON readers of <atom/io/...>.
#pragma once

#include "autograd/record.hpp"
#include "backend/check_ids.hpp"
#include "backend/cross_entropy.hpp"
#include "backend/device.hpp"
#include "backend/dropout.hpp"
#include "backend/embedding.hpp"
#include "backend/norm.hpp"
#include "backend/rope.hpp"
#include "backend/softmax.hpp"
#include "core/config.hpp"
#include "core/error.hpp"
#include "core/ref.hpp"
#include "core/shape.hpp"
#include "core/thread_pool.hpp"
#include "core/types.hpp"
#include "core/view.hpp"
#include "tensor/buffer.hpp"
#include "tensor/node.hpp"
#include "tensor/storage.hpp"
#include "tensor/tensor.hpp"

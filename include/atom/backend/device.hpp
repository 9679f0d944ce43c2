// SPDX-License-Identifier: Apache-2.0
// The device tags. Every kernel is a free function template whose first argument is a tag; a tensor carries its own,
// so there is no global device. `Device` names the backend that the build chose.
#pragma once

#include "../core/config.hpp"
#include "../core/thread_pool.hpp"

#if ATOM_CUDA
#include "cuda/for_each.cuh"  // what every kernel on a grid is launched by
#endif

namespace atom {

// The processor. Copies share the pool; none given means the process's default one.
struct Cpu {
  static constexpr const char* name = "cpu";
  ThreadPool* threads = nullptr;  // borrowed: outlives every tensor made on it

  ThreadPool& pool() const { return threads ? *threads : default_pool(); }
  friend bool operator==(Cpu, Cpu) { return true; }  // one memory, whoever computes
};

#if ATOM_CUDA
using Device = Cuda;  // backend/cuda/context.cuh
#else
using Device = Cpu;
#endif

}  // namespace atom

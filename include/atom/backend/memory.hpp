// SPDX-License-Identifier: Apache-2.0
// Memory of a device, cached by the process so that a warm step asks the system for nothing. Contract:
//
//   void* allocate(D device, std::size_t bytes)      64-byte aligned and uninitialised; 0 bytes is valid.
//                                                    Error: `[memory] out of memory: ...`
//   void deallocate(D, void*, std::size_t bytes)     the bytes it was asked for; from any thread; null is ignored
//   void copy(D, void* to, const void* from, bytes)  within the device; no overlap
//   void copy_to_host(D, to, from, bytes)            returns when the bytes have arrived
//   void copy_from_host(D, to, from, bytes)          `from` may be reused on return
//   void fill_zero(D, void* to, std::size_t bytes)
//   MemoryStats memory_stats(D)
//   void release_cached(D)                           gives idle memory back to the system
//
//   void* host_allocate(std::size_t bytes)           the same for small host objects (graph nodes), whatever the device
//   void host_deallocate(void*, std::size_t bytes)
//
// Under AddressSanitizer the cache steps aside: every block comes from operator new, so misuse is seen.
#pragma once

#include "cpu/memory.hpp"
#if ATOM_CUDA
#include "cuda/memory.cuh"
#endif

// SPDX-License-Identifier: Apache-2.0
// Buffer<T, D>: a strided view of shared device memory. What kernels write and backward rules compute with;
// autograd knows nothing of it. Copies share the memory.
#pragma once

#include "../core/view.hpp"
#include "storage.hpp"

namespace atom {

template <class T, class D> class Buffer {
 public:
  Buffer() = default;  // undefined: no memory, no shape
  // Real calls: buffers are copied and dropped in hundreds of places, and none of them is hot.
  [[gnu::noinline]] Buffer(const Buffer& other)
      : storage_(other.storage_), offset_(other.offset_), shape_(other.shape_), strides_(other.strides_) {}
  Buffer(Buffer&&) noexcept = default;
  [[gnu::noinline]] Buffer& operator=(Buffer other) noexcept {
    storage_ = std::move(other.storage_);
    offset_ = other.offset_;
    shape_ = other.shape_;
    strides_ = other.strides_;
    return *this;
  }
  [[gnu::noinline]] ~Buffer() {}

  // Contiguous and uninitialised. Errors: a negative extent, too many elements, out of memory.
  [[gnu::noinline]] Buffer(D device, const Shape& shape)
      : storage_(Storage<D>::create(device, checked_bytes(shape))),
        shape_(shape),
        strides_(contiguous_strides(shape)) {}

  bool defined() const { return static_cast<bool>(storage_); }
  const Shape& shape() const { return shape_; }
  const Strides& strides() const { return strides_; }
  int rank() const { return shape_.rank(); }
  Index dim(int axis) const { return shape_[axis]; }
  Index size() const { return defined() ? element_count(shape_) : 0; }
  D device() const { return storage_->device(); }
  bool contiguous() const { return is_contiguous(shape_, strides_); }

  const T* data() const { return base(); }
  View<const T> view() const { return {base(), shape_, strides_}; }
  // For the kernel that fills this buffer. A write to memory that a rule may have saved says so by `overwritten`.
  T* mutable_data() const { return base(); }
  View<T> mutable_view() const { return {base(), shape_, strides_}; }

  std::uint64_t version() const { return storage_->version(); }
  void overwritten() const { storage_->overwritten(); }
  // Whether nothing else shares the memory, so that it may be written in place.
  bool exclusive() const { return storage_->unique() && contiguous(); }
  bool shares_storage(const Buffer& other) const { return storage_ == other.storage_; }

  // The same memory seen with other extents; `offset` counts elements from this view's first. Unchecked.
  Buffer alias(const Shape& shape, const Strides& strides, Index offset = 0) const {
    Buffer result;
    result.storage_ = storage_;
    result.offset_ = offset_ + offset;
    result.shape_ = shape;
    result.strides_ = strides;
    return result;
  }
  // The same elements in another shape of equal size. The memory must be contiguous.
  Buffer reshaped(const Shape& shape) const {
    check(element_count(shape) == size(), "reshape", "sizes differ: ", shape_, " to ", shape);
    check(contiguous(), "reshape", "needs contiguous memory: shape ", shape_, " with strides ", strides_);
    return alias(shape, contiguous_strides(shape));
  }

 private:
  static std::size_t checked_bytes(const Shape& shape) {
    const Index count = element_count(shape);
    check(count <= std::numeric_limits<Index>::max() / static_cast<Index>(sizeof(T)), "tensor", "too large: ", shape);
    return static_cast<std::size_t>(count) * sizeof(T);
  }
  T* base() const { return storage_ ? static_cast<T*>(storage_->data()) + offset_ : nullptr; }

  Ref<Storage<D>> storage_;
  Index offset_ = 0;
  Shape shape_;
  Strides strides_;
};

}  // namespace atom

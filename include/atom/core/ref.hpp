// SPDX-License-Identifier: Apache-2.0
// Ref<T>: an intrusive shared pointer. One word, no control block, no allocation of its own.
// T provides `void retain() noexcept` and `void release() noexcept`.
#pragma once

#include <utility>

namespace atom {

template <class T> class Ref {
 public:
  Ref() = default;
  // Takes over one count that the caller holds.
  static Ref adopt(T* object) {
    Ref ref;
    ref.object_ = object;
    return ref;
  }
  // Adds a count of its own.
  static Ref share(T* object) {
    if (object) object->retain();
    return adopt(object);
  }

  Ref(const Ref& other) : object_(other.object_) {
    if (object_) object_->retain();
  }
  Ref(Ref&& other) noexcept : object_(std::exchange(other.object_, nullptr)) {}
  Ref& operator=(Ref other) noexcept {
    std::swap(object_, other.object_);
    return *this;
  }
  ~Ref() {
    if (object_) object_->release();
  }

  T* get() const { return object_; }
  T* operator->() const { return object_; }
  T& operator*() const { return *object_; }
  explicit operator bool() const { return object_ != nullptr; }
  T* detach() { return std::exchange(object_, nullptr); }  // the caller holds the count now
  friend bool operator==(const Ref& a, const Ref& b) { return a.object_ == b.object_; }

 private:
  T* object_ = nullptr;
};

}  // namespace atom

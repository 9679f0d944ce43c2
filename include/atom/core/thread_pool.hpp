// SPDX-License-Identifier: Apache-2.0
// ThreadPool: runs the chunks of one loop on a few threads, the caller among them. No allocation per loop, no futures.
// Which thread runs which chunk is not fixed, so a body must give the same result whoever runs it: chunk boundaries are
// constants of the kernel, never a function of size().
#pragma once

#include "error.hpp"
#include "thread_count.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <memory>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

namespace atom {

class ThreadPool {
 public:
  // `threads` counts the caller: 1 starts none. Fewer are started where the system refuses more.
  explicit ThreadPool(int threads) { start(checked(threads)); }
  ~ThreadPool() { stop(); }
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int size() const { return size_.load(std::memory_order_relaxed); }

  // Calls f(chunk) for each chunk of 0..chunks-1 and returns when all are done. The first exception is rethrown here;
  // chunks not yet begun are then skipped. While the pool is at work, a call from inside a chunk or from another thread
  // runs on its own thread alone, so nesting cannot deadlock.
  template <class F> void parallel_for(Index chunks, F&& f) {
    using Body = std::remove_reference_t<F>;
    run(chunks, std::addressof(f),
        [](const void* body, Index chunk) { (*static_cast<Body*>(const_cast<void*>(body)))(chunk); });
  }

  // Error: the pool is at work.
  void resize(int threads) {
    checked(threads);
    check(!busy_.exchange(true, std::memory_order_acquire), "thread pool", "resize while the pool is at work");
    stop();
    start(threads);
    busy_.store(false, std::memory_order_release);
  }

 private:
  // state_ = loop number << 32 | open << 16 | workers inside. A worker enters only while the loop is open, so one that
  // wakes late never sees a finished loop's body, and the caller never waits for one that sleeps.
  static constexpr std::uint64_t open_bit = 1U << 16U, inside_mask = open_bit - 1, next_loop = std::uint64_t{1} << 32U;

  static bool is_open(std::uint64_t state) { return (state & open_bit) != 0; }
  static std::uint64_t loop_number(std::uint64_t state) { return state >> 32U; }

  static void pause() {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    asm volatile("yield");
#endif
  }

  // Whether `ready` became true while spinning. Short, because other processes want the processor too.
  template <class Ready> bool spin(Ready ready) const {
    if (!spins_) return ready();
    const auto end = std::chrono::steady_clock::now() + std::chrono::microseconds(30);
    do {
      for (int i = 0; i < 32; ++i) {
        if (ready()) return true;
        pause();
      }
    } while (std::chrono::steady_clock::now() < end);
    return false;
  }

  using Call = void (*)(const void* body, Index chunk);

  void run(Index chunks, const void* body, Call call) {
    if (chunks <= 1 || size() == 1 || busy_.exchange(true, std::memory_order_acquire)) {
      for (Index chunk = 0; chunk < chunks; ++chunk) call(body, chunk);
      return;
    }
    call_ = call;
    body_ = body;
    chunks_ = chunks;
    next_.store(0, std::memory_order_relaxed);
    failed_.store(false, std::memory_order_relaxed);
    state_.fetch_add(next_loop + open_bit);  // publishes the loop; sequentially consistent with sleepers_
    if (sleepers_.load() > 0) {
      { const std::lock_guard lock(mutex_); }  // a worker about to sleep holds it until it waits
      wake_.notify_all();
    }
    work();
    state_.fetch_sub(open_bit);
    const auto all_left = [this] { return (state_.load(std::memory_order_acquire) & inside_mask) == 0; };
    if (!spin(all_left)) {
      std::unique_lock lock(mutex_);
      done_.wait(lock, all_left);
    }
    std::exception_ptr error = std::exchange(error_, nullptr);
    busy_.store(false, std::memory_order_release);
    if (error) std::rethrow_exception(std::move(error));
  }

  void work() {
    for (Index chunk; (chunk = next_.fetch_add(1, std::memory_order_relaxed)) < chunks_;) {
      try {
        call_(body_, chunk);
      } catch (...) {
        if (!failed_.exchange(true, std::memory_order_relaxed)) error_ = std::current_exception();
        next_.store(chunks_, std::memory_order_relaxed);
      }
    }
  }

  void worker(std::uint64_t seen) {
    while (true) {
      const auto has_news = [&] {
        const auto state = state_.load();
        return stopping_.load() || (is_open(state) && loop_number(state) != seen);
      };
      if (!spin(has_news)) {
        std::unique_lock lock(mutex_);
        sleepers_.fetch_add(1);
        wake_.wait(lock, has_news);
        sleepers_.fetch_sub(1);
      }
      if (stopping_.load()) return;
      auto state = state_.load(std::memory_order_relaxed);
      bool entered = false;
      while (is_open(state) && loop_number(state) != seen && !entered)
        entered = state_.compare_exchange_weak(state, state + 1, std::memory_order_acquire, std::memory_order_relaxed);
      if (!entered) continue;
      seen = loop_number(state);
      work();
      state = state_.fetch_sub(1, std::memory_order_acq_rel) - 1;
      if ((state & inside_mask) == 0 && !is_open(state)) {
        { const std::lock_guard lock(mutex_); }  // the caller is before its test or in its wait
        done_.notify_one();
      }
    }
  }

  static int checked(int threads) {
    check(threads >= 1 && threads <= 1024, "thread pool", "threads must be 1 to 1024: found ", threads);
    return threads;
  }

  void start(int threads) {
    stopping_.store(false);
    spins_ = threads <= default_thread_count();  // with more threads than processors a spinner is in the way
    workers_.reserve(static_cast<std::size_t>(threads - 1));
    try {
      for (int i = 1; i < threads; ++i)
        workers_.emplace_back([this, seen = loop_number(state_.load())] { worker(seen); });
    } catch (const std::system_error&) {}
    size_.store(static_cast<int>(workers_.size()) + 1);
  }

  void stop() {
    {
      const std::lock_guard lock(mutex_);
      stopping_.store(true);
    }
    wake_.notify_all();
    for (auto& worker : workers_) worker.join();
    workers_.clear();
  }

  Call call_ = nullptr;  // the loop: written by the caller before it opens it
  const void* body_ = nullptr;
  Index chunks_ = 0;
  std::exception_ptr error_;
  alignas(64) std::atomic<Index> next_ = 0;
  alignas(64) std::atomic<std::uint64_t> state_ = 0;
  alignas(64) std::atomic<bool> busy_ = false;
  std::atomic<bool> failed_ = false;
  std::atomic<bool> stopping_ = false;
  std::atomic<int> sleepers_ = 0;
  std::atomic<int> size_ = 1;
  bool spins_ = true;
  std::mutex mutex_;
  std::condition_variable wake_, done_;
  std::vector<std::thread> workers_;
};

// The pool used where none is passed. Its size is default_thread_count() until set_default_threads().
inline ThreadPool& default_pool() {
  static ThreadPool pool(default_thread_count());
  return pool;
}

// Error: the default pool is at work.
inline void set_default_threads(int threads) { default_pool().resize(threads); }

}  // namespace atom

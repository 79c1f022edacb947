// SPDX-License-Identifier: Apache-2.0
// shared_memory.h: memory that holds one T, for this process and for those that it forks, and, by
// its descriptor, for other programs that it starts. It has no name, so nothing is left of it.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <new>
#include <type_traits>

#include "base/unique_fd.h"

namespace pivotcheck::cli {

template <class T>
class SharedMemory {
  static_assert(std::is_trivially_destructible_v<T>);

 public:
  SharedMemory() : file_(::memfd_create("pivotcheck", MFD_CLOEXEC)) {
    if (!file_ || ::ftruncate(file_.get(), sizeof(T)) != 0) throw std::bad_alloc();
    memory_ = ::mmap(nullptr, sizeof(T), PROT_READ | PROT_WRITE, MAP_SHARED, file_.get(), 0);
    if (memory_ == MAP_FAILED) throw std::bad_alloc();
    object_ = new (memory_) T();
  }
  SharedMemory(const SharedMemory&) = delete;
  SharedMemory& operator=(const SharedMemory&) = delete;
  ~SharedMemory() { ::munmap(memory_, sizeof(T)); }
  T& operator*() const { return *object_; }
  T* operator->() const { return object_; }
  [[nodiscard]] int fd() const { return file_.get(); }  // closed on exec

 private:
  UniqueFd file_;
  void* memory_ = nullptr;
  T* object_ = nullptr;
};

}  // namespace pivotcheck::cli

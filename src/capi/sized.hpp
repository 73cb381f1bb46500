// Structs of the C interface that begin with `size_t size` and can grow. A caller compiled with an older header hands in a smaller
// struct: what it lacks reads as zero, and is not written. No state.
#pragma once

#include <cstddef>
#include <cstring>
#include <type_traits>

#include "base/fail.hpp"

namespace plimsoll::capi {

// The size of T in the first release that had it. When T grows, it is specialised with the old size.
template <class T>
struct FirstSize {
  static constexpr std::size_t value = sizeof(T);
};

template <class T>
std::size_t size_of(const T* given) {
  std::size_t size;
  std::memcpy(&size, given, sizeof size);
  return size;
}

template <class T>
bool has_known_size(const T* given) {
  static_assert(std::is_trivially_copyable_v<T> && offsetof(T, size) == 0);
  return size_of(given) >= FirstSize<T>::value && size_of(given) <= sizeof(T);
}

// `what` names the parameter in the error.
template <class T>
Result<void> check_size(const T* given, const char* what) {
  if (given == nullptr) return fail(ErrorCode::invalid_argument, "{} is null", what);
  if (!has_known_size(given))
    return fail(ErrorCode::invalid_argument, "{}->size is {}, this library knows {} .. {}", what, size_of(given),
                FirstSize<T>::value, sizeof(T));
  return {};
}

// What the caller gave, in today's size. NULL: all defaults.
template <class T>
Result<T> read_sized(const T* given, const char* what) {
  T all{};
  if (given != nullptr) {
    PLIMSOLL_TRY(check_size(given, what));
    std::memcpy(&all, given, size_of(given));
  }
  all.size = sizeof(T);
  return all;
}

// Fills as much as the caller's struct has room for; its size has been checked.
template <class T>
void write_sized(T* out, T value) {
  value.size = size_of(out);
  std::memcpy(static_cast<void*>(out), &value, value.size);
}

}  // namespace plimsoll::capi

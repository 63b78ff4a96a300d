#pragma once

#include <cstddef>
#include <cstdint>

#include "absl/status/status.h"
#include "model/chat_template/source_position.h"
#include "model/chat_template/value.h"

namespace tandem::model::jinja {

/// Bounds what one rendering may take, so that no template and no input can hold a thread or fill
/// the memory: steps (evaluated nodes, and bytes produced), the size and nesting of values, and
/// recursion.
class RenderBudget {
 public:
#ifdef FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION
  // An instrumented rendering that goes to the usual bounds takes seconds, and a fuzzer that has
  // found one mutates it for the rest of its run.
  static constexpr int64_t kMaxSteps = 30'000;
  static constexpr size_t kMaxTextBytes = size_t{1} << 20;
  static constexpr size_t kMaxElements = 10'000;
#else
  static constexpr int64_t kMaxSteps = 3'000'000;
  static constexpr size_t kMaxTextBytes = size_t{64} << 20;
  static constexpr size_t kMaxElements = 1'000'000;
#endif
  static constexpr size_t kBytesPerStep = 64;
  static constexpr int kMaxValueDepth = 100;
  static constexpr int kMaxRecursion = 400;

  absl::Status Step(int64_t steps = 1) {
    steps_ += steps;
    if (steps_ <= kMaxSteps) return absl::OkStatus();
    return Problem("the template takes more steps than are allowed");
  }

  /// For a text or list that is about to be made.
  absl::Status Text(size_t bytes) {
    if (bytes > kMaxTextBytes) return Problem("a text gets longer than 64 MiB");
    return Step(static_cast<int64_t>(bytes / kBytesPerStep));
  }
  absl::Status Elements(size_t count) {
    if (count > kMaxElements) {
      return Problem("a list gets longer than a million elements");
    }
    return Step(static_cast<int64_t>(count));
  }

  /// For a value that has been made.
  absl::Status Nesting(const Value& value) const {
    if (value.depth() <= kMaxValueDepth) return absl::OkStatus();
    return Problem("lists and dicts are nested deeper than 100 levels");
  }

  /// Counts a level of recursion for its lifetime.
  class Recursion {
   public:
    explicit Recursion(RenderBudget& budget) : budget_(budget) { ++budget_.recursion_; }
    ~Recursion() { --budget_.recursion_; }
    Recursion(const Recursion&) = delete;
    Recursion& operator=(const Recursion&) = delete;

    absl::Status Check() const {
      if (budget_.recursion_ <= kMaxRecursion) return absl::OkStatus();
      return Problem("the template calls itself too deeply");
    }

   private:
    RenderBudget& budget_;
  };

 private:
  int64_t steps_ = 0;
  int recursion_ = 0;
};

}  // namespace tandem::model::jinja

#pragma once

#include <cstdint>
#include <span>

#include "absl/container/flat_hash_map.h"

namespace tandem::engine {

/// How often each token stands in a request's prompt and output, for penalties.
class TokenCounts {
 public:
  struct Count {
    bool in_prompt = false;
    int in_output = 0;
  };

  explicit TokenCounts(std::span<const int32_t> prompt) {
    for (const int32_t token : prompt) counts_[token].in_prompt = true;
  }
  void AddOutput(int32_t token) { ++counts_[token].in_output; }

  const absl::flat_hash_map<int32_t, Count>& counts() const { return counts_; }

 private:
  absl::flat_hash_map<int32_t, Count> counts_;
};

}  // namespace tandem::engine

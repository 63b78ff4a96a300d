#pragma once

#include <cstdint>
#include <optional>

#include "absl/status/statusor.h"
#include "compute/kv_pool.h"

namespace tandem::cli {

/// How much KV an instance may hold.
struct KvBudget {
  int blocks = 0;
  int max_model_len = 0;
};

struct KvBudgetRequest {
  compute::KvLayout layout;
  int model_positions = 0;               ///< The most the checkpoint can do.
  std::optional<int> max_model_len;      ///< --max-model-len
  std::optional<uint64_t> memory_bytes;  ///< --kv-cache-memory
  uint64_t available_bytes = 0;          ///< AvailableMemory()
  int max_num_seqs = 1;
};

/// Chooses the size of the KV pool: what was asked for, else a quarter of the available memory, but
/// never more than all sequences at full length need. The pool's memory is touched only as it is
/// used. A context that nobody asked for shrinks to what fits; OutOfRange, naming the flag, its
/// value and what is accepted, if one that was asked for does not fit, or if it exceeds the
/// checkpoint's.
absl::StatusOr<KvBudget> PlanKvBudget(const KvBudgetRequest& request);

}  // namespace tandem::cli

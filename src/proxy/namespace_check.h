#pragma once

#include <set>
#include <string>
#include <utility>

#include "base/mutex.h"
#include "prometheus/counter.h"
#include "proxy/instance_pool.h"

namespace tandem::proxy {

/// Tells when a prefiller and a decoder can never share KV, because the namespaces of their caches
/// (hash seed, chunk size, model, dtype) differ. Safe for use by several threads.
class NamespaceCheck {
 public:
  explicit NamespaceCheck(prometheus::Counter& mismatches) : mismatches_(mismatches) {}

  /// Counts a mismatch, and logs it the first time these two namespaces meet at this pair. Nothing
  /// is said while one of them is unknown.
  void Compare(const InstanceStatus& prefiller, const InstanceStatus& decoder);

 private:
  prometheus::Counter& mismatches_;
  Mutex mutex_;
  std::set<std::pair<std::string, std::string>> told_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace tandem::proxy

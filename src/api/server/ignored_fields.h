#pragma once

#include <set>
#include <string>
#include <vector>

#include "base/mutex.h"

namespace tandem::api {

/// Warns of fields of requests that are not known and therefore ignored, which may be misspelt:
/// once a name, and of so many names only, since clients choose them. Safe for use by several
/// threads.
class IgnoredFields {
 public:
  void Note(const std::string& request_id, const std::vector<std::string>& names);

 private:
  Mutex mutex_;
  std::set<std::string> told_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace tandem::api

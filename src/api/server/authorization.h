#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "http/message.h"

namespace tandem::api {

/// Who may call /v1/*: whoever sends one of the keys as a bearer token; everyone if there are none.
/// Const and safe for use by several threads.
class Authorization {
 public:
  explicit Authorization(std::vector<std::string> keys) : keys_(std::move(keys)) {}

  /// OK or Unauthenticated.
  absl::Status Check(const http::Request& request) const;

 private:
  const std::vector<std::string> keys_;
};

}  // namespace tandem::api

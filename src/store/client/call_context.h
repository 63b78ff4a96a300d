#pragma once

#include <string>
#include <utility>

#include "base/clock.h"

namespace tandem::store {

/// When a call must have ended, and for whom it is made.
struct CallContext {
  /// Most calls are made for no request: a deadline is enough.
  CallContext(TimePoint deadline,
              std::string request_id = "")  // NOLINT(google-explicit-constructor)
      : deadline(deadline), request_id(std::move(request_id)) {}

  TimePoint deadline;
  std::string request_id;  ///< As the roles' logs name it, the master's included. Empty: none.
};

}  // namespace tandem::store

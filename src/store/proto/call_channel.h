#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "store/proto/call_frame.h"
#include "store/proto/call_socket.h"

namespace tandem::store {

/// A client's connections to a master over one kind of socket, made when needed: one for each
/// thread that calls at the same time. Safe for use by several threads.
class CallChannel {
 public:
  /// Makes a connection that takes calls; invalid if there is none to be had by `deadline`. Called
  /// by several threads.
  using Connector = std::function<CallSocket(TimePoint deadline)>;
  explicit CallChannel(Connector connect) : connect_(std::move(connect)) {}

  /// The response, or why there is none. Nothing if the call was not made, as no master takes it
  /// here, or not answered, as the connection was closed: ask over gRPC.
  std::optional<absl::StatusOr<std::string>> Call(HotCall call, const std::string& request,
                                                  TimePoint deadline);

 private:
  struct Connection {
    CallSocket socket;
    FramePace pace;
  };
  Connection TakeConnection(TimePoint deadline);

  const Connector connect_;
  Mutex mutex_;
  std::vector<Connection> idle_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace tandem::store

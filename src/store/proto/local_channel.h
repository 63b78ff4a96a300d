#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "base/scoped_fd.h"

namespace tandem::store {

/// The calls on the path of every put and get, which processes of one user on one host also make
/// over a Unix socket: a quarter of the time that gRPC takes there. All else, and everybody else,
/// goes over gRPC.
enum class LocalCall : uint32_t { kPutStart = 1, kPutEnd = 2, kGetReplicas = 3, kExist = 4 };

/// A message on such a socket: a call with its request, or a status code with the response or the
/// error's text. Requests and responses are the protobuf messages of store.proto.
struct LocalFrame {
  uint32_t tag = 0;
  std::string payload;
};

/// The names, of abstract Unix sockets, under which a master that listens on `address` and `port`
/// can be there; the one that it takes itself comes first. Empty unless `address` is numeric or
/// "localhost" and belongs to this network namespace.
std::vector<std::string> LocalChannelNames(const std::string& address, int port);

/// Sends a frame. Unavailable if the connection is broken, DeadlineExceeded at `deadline`.
absl::Status SendFrame(const ScopedFd& socket, uint32_t tag, std::string_view payload,
                       TimePoint deadline);
/// Receives a frame. NotFound if the other end has closed between frames, Unavailable if within
/// one or if it sends what is too long.
absl::StatusOr<LocalFrame> ReceiveFrame(const ScopedFd& socket, TimePoint deadline);

/// A client's connections to a master on this host, made when needed: one for each thread that
/// calls at the same time. Safe for use by several threads.
class LocalChannel {
 public:
  explicit LocalChannel(std::vector<std::string> names) : names_(std::move(names)) {}

  /// The response, or why there is none. Nothing if the call was not made, as no master of this
  /// user listens here: ask it over the network.
  std::optional<absl::StatusOr<std::string>> Call(LocalCall call, const std::string& request,
                                                  TimePoint deadline);

 private:
  ScopedFd TakeConnection();

  const std::vector<std::string> names_;
  Mutex mutex_;
  std::vector<ScopedFd> idle_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace tandem::store

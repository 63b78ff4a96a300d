#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "store/proto/call_socket.h"

namespace tandem::store {

/// The calls on the path of every put, get and removal, which also go over sockets of their own:
/// in a fraction of the time that gRPC takes. All else goes over gRPC.
enum class HotCall : uint32_t {
  kPutStart = 1,
  kPutEnd = 2,
  kGetReplicas = 3,
  kExist = 4,
  kRemove = 5,
  kPing = 6,
};

/// A message on such a socket: a call with its request, or a status code with the response or the
/// error's text. Requests and responses are the protobuf messages of store.proto.
struct CallFrame {
  uint32_t tag = 0;
  std::string payload;
};

inline constexpr size_t kFrameHeaderBytes = 8;
/// The length of the payload behind a frame's header; sets `tag`. InvalidArgument if it is longer
/// than `limit`.
absl::StatusOr<size_t> UnpackFrameHeader(std::string_view header, size_t limit, uint32_t* tag);

/// Sends a frame. Unavailable if the connection is broken, DeadlineExceeded at `deadline`.
absl::Status SendFrame(CallSocket& socket, uint32_t tag, std::string_view payload,
                       TimePoint deadline);

/// How many frames in turn a connection had to be waited for. Where one came within microseconds
/// lately, as between the calls of a batch, the next is waited for awake, as long; see WaitAwake.
struct FramePace {
  int late = 0;
};
/// Receives a frame with a payload of at most `limit` bytes. NotFound if the other end has closed
/// between frames, Unavailable if within one or if it sends what is too long. Without `pace` it
/// sleeps until there is something.
absl::StatusOr<CallFrame> ReceiveFrame(CallSocket& socket, TimePoint deadline, size_t limit,
                                       FramePace* pace = nullptr);

}  // namespace tandem::store

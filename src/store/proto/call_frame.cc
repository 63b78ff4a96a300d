#include "store/proto/call_frame.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "base/awake_wait.h"
#include "base/status.h"

namespace tandem::store {
namespace {

struct FrameHeader {
  uint32_t tag;
  uint32_t length;
};
static_assert(sizeof(FrameHeader) == kFrameHeaderBytes);

// A batch has two calls or more, of which the first is late.
constexpr int kMostLate = 3;

}  // namespace

absl::StatusOr<size_t> UnpackFrameHeader(std::string_view header, size_t limit, uint32_t* tag) {
  FrameHeader unpacked;
  if (header.size() != sizeof(unpacked)) return absl::InvalidArgumentError("not a frame's header");
  std::memcpy(&unpacked, header.data(), sizeof(unpacked));
  if (unpacked.length > limit) return absl::InvalidArgumentError("a frame that is too long");
  *tag = unpacked.tag;
  return unpacked.length;
}

absl::Status SendFrame(CallSocket& socket, uint32_t tag, std::string_view payload,
                       TimePoint deadline) {
  const FrameHeader header{tag, static_cast<uint32_t>(payload.size())};
  return socket.Send({reinterpret_cast<const char*>(&header), sizeof(header)}, payload, deadline);
}

absl::StatusOr<CallFrame> ReceiveFrame(CallSocket& socket, TimePoint deadline, size_t limit,
                                       FramePace* pace) {
  const TimePoint soon = Clock::Real().Now() + kPrompt;
  if (pace != nullptr && pace->late < kMostLate) {
    WaitAwake(std::min(soon, deadline), [&] { return socket.HasCome(); });
  }
  std::array<char, kFrameHeaderBytes> header;
  bool got_any = false;
  const absl::Status status = socket.Receive(header.data(), header.size(), deadline, &got_any);
  if (pace != nullptr) pace->late = Clock::Real().Now() < soon ? 0 : pace->late + 1;
  if (!status.ok() && !got_any && absl::IsUnavailable(status)) {
    return absl::NotFoundError(status.message());
  }
  RETURN_IF_ERROR(status);
  CallFrame frame;
  const auto length =
      UnpackFrameHeader(std::string_view(header.data(), header.size()), limit, &frame.tag);
  if (!length.ok()) {
    return absl::UnavailableError("the connection to the master carries what is too long");
  }
  frame.payload.resize(*length);
  RETURN_IF_ERROR(socket.Receive(frame.payload.data(), frame.payload.size(), deadline, &got_any));
  return frame;
}

}  // namespace tandem::store

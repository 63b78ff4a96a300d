#include "store/proto/call_frame.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
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

absl::Status Broken(const char* what) {
  return absl::UnavailableError(fmt::format("the connection to the master {}", what));
}

/// Fills `bytes`; `got_any` tells whether some came before the other end closed.
absl::Status Receive(const ScopedFd& socket, char* bytes, size_t size, TimePoint deadline,
                     bool* got_any) {
  while (size > 0) {
    const ssize_t length = recv(socket.get(), bytes, size, MSG_DONTWAIT);
    if (length == 0) return Broken("was closed");
    if (length < 0 && errno == EAGAIN && !WaitForSocket(socket, POLLIN, deadline)) {
      return absl::DeadlineExceededError("the master does not answer");
    }
    if (length < 0 && errno != EAGAIN && errno != EINTR) return Broken("broke");
    if (length <= 0) continue;
    *got_any = true;
    bytes += length;
    size -= static_cast<size_t>(length);
  }
  return absl::OkStatus();
}

bool HasCome(const ScopedFd& socket) {
  char byte = 0;
  return recv(socket.get(), &byte, 1, MSG_PEEK | MSG_DONTWAIT) >= 0 || errno != EAGAIN;
}

}  // namespace

bool WaitForSocket(const ScopedFd& socket, short events, TimePoint deadline) {
  while (true) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::Real().Now());
    pollfd waited{socket.get(), events, 0};
    const int ready =
        poll(&waited, 1, static_cast<int>(std::clamp<int64_t>(left.count(), 0, 60'000)));
    if (ready > 0) return true;
    if (ready == 0 && Clock::Real().Now() >= deadline) return false;
    if (ready < 0 && errno != EINTR) return false;
  }
}

absl::StatusOr<size_t> UnpackFrameHeader(std::string_view header, size_t limit, uint32_t* tag) {
  FrameHeader unpacked;
  if (header.size() != sizeof(unpacked)) return absl::InvalidArgumentError("not a frame's header");
  std::memcpy(&unpacked, header.data(), sizeof(unpacked));
  if (unpacked.length > limit) return absl::InvalidArgumentError("a frame that is too long");
  *tag = unpacked.tag;
  return unpacked.length;
}

absl::Status SendFrame(const ScopedFd& socket, uint32_t tag, std::string_view payload,
                       TimePoint deadline) {
  FrameHeader header{tag, static_cast<uint32_t>(payload.size())};
  iovec parts[2] = {{&header, sizeof(header)}, {const_cast<char*>(payload.data()), payload.size()}};
  msghdr message{};
  message.msg_iov = parts;
  message.msg_iovlen = 2;
  size_t left = sizeof(header) + payload.size();
  while (left > 0) {
    const ssize_t sent = sendmsg(socket.get(), &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && errno == EAGAIN && !WaitForSocket(socket, POLLOUT, deadline)) {
      return absl::DeadlineExceededError("the master does not take a call");
    }
    if (sent < 0 && errno != EAGAIN && errno != EINTR) return Broken("broke");
    if (sent <= 0) continue;
    left -= static_cast<size_t>(sent);
    auto rest = static_cast<size_t>(sent);
    for (iovec& part : parts) {
      const size_t done = std::min(rest, part.iov_len);
      part.iov_base = static_cast<char*>(part.iov_base) + done;
      part.iov_len -= done;
      rest -= done;
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<CallFrame> ReceiveFrame(const ScopedFd& socket, TimePoint deadline, size_t limit,
                                       FramePace* pace) {
  const TimePoint soon = Clock::Real().Now() + kPrompt;
  if (pace != nullptr && pace->late < kMostLate) {
    WaitAwake(std::min(soon, deadline), [&] { return HasCome(socket); });
  }
  std::array<char, kFrameHeaderBytes> header;
  bool got_any = false;
  const absl::Status status = Receive(socket, header.data(), header.size(), deadline, &got_any);
  if (pace != nullptr) pace->late = Clock::Real().Now() < soon ? 0 : pace->late + 1;
  if (!status.ok() && !got_any && absl::IsUnavailable(status)) {
    return absl::NotFoundError(status.message());
  }
  RETURN_IF_ERROR(status);
  CallFrame frame;
  const auto length =
      UnpackFrameHeader(std::string_view(header.data(), header.size()), limit, &frame.tag);
  if (!length.ok()) return Broken("carries what is too long");
  frame.payload.resize(*length);
  RETURN_IF_ERROR(Receive(socket, frame.payload.data(), frame.payload.size(), deadline, &got_any));
  return frame;
}

}  // namespace tandem::store

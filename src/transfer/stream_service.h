#pragma once

#include <array>
#include <boost/asio/steady_timer.hpp>
#include <deque>
#include <functional>
#include <memory>
#include <vector>

#include "base/bearer_token.h"
#include "base/clock.h"
#include "transfer/byte_stream.h"
#include "transfer/extent_host.h"
#include "transfer/mailbox.h"
#include "transfer/stream_frame.h"

namespace tandem::transfer {

/// A peer's connection at the owner of a segment: shakes hands, checks the token, and answers
/// requests in the order in which they come, but for those that wait for a disk. All of it on the
/// one thread that runs its io_context. Internal.
class StreamService : public std::enable_shared_from_this<StreamService> {
 public:
  /// `host` must outlive it; `mailbox` is of that thread. `ended` is called, once, when the
  /// connection has.
  StreamService(ByteStream::Socket socket, const TlsContext& tls, BearerToken token,
                ExtentHost& host, std::shared_ptr<Mailbox> mailbox, std::function<void()> ended);

  void Start();
  void Close();

 private:
  using ErrorCode = boost::system::error_code;
  struct Outgoing {
    std::string frame;
    ReadableBytes body;
  };

  void Watch();
  void ReadHello();
  void ReadToken(size_t length);
  void CheckToken(const std::string& token);
  void ReadRequest();
  void OnRequest(const RequestFrame& request);
  void ReadDisk(const RequestHeader& request);
  void ReceiveWrite(const RequestFrame& request);
  void ReceivePiece(const RequestHeader& request, WritableBytes rest);
  /// Of a write that was refused.
  void Discard(const RequestFrame& request, uint64_t rest, const absl::Status& status);
  void ReceiveBody(const RequestFrame& request);
  void Reply(uint64_t id, const absl::Status& status);
  void Answer(uint64_t id, absl::StatusOr<ReadableBytes> bytes);
  void Reply(uint64_t id, absl::StatusCode code, ReadableBytes body);
  void Send();
  /// Reads the next request, unless too many replies wait for the peer to take them.
  void Continue();
  /// Has `done` called once all of `bytes` is filled; closes the connection if that fails.
  void Receive(std::span<std::byte> bytes, std::function<void()> done);

  ByteStream stream_;
  const BearerToken token_;
  ExtentHost& host_;
  const std::shared_ptr<Mailbox> mailbox_;
  boost::asio::steady_timer timer_;
  std::function<void()> ended_;  // null once it was called
  bool closed_ = false;
  bool welcome_ = false;    // the token was right
  bool receiving_ = false;  // within a request
  bool paused_ = false;     // no request is read until replies have gone
  bool about_to_send_ = false;
  bool closing_ = false;  // after the last reply
  size_t reading_ = 0;    // requests that wait for the disk
  TimePoint progress_;
  std::array<std::byte, kHelloBytes> hello_;
  std::array<std::byte, kRequestFrameBytes> frame_;
  std::vector<std::byte> scratch_;
  std::deque<Outgoing> outbox_;
  std::vector<Outgoing> sending_;
};

}  // namespace tandem::transfer

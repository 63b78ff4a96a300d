#pragma once

#include <array>
#include <boost/asio/steady_timer.hpp>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "transfer/byte_stream.h"
#include "transfer/outgoing_request.h"
#include "transfer/socket_address.h"
#include "transfer/stream_frame.h"

namespace tandem::transfer {

/// A connection to one peer: shakes hands, shows the token, sends requests with a bounded number in
/// flight, and takes their replies. It ends by itself once a peer is silent for whose replies
/// nobody waits any more. All of it on the one thread that runs its io_context. Internal.
class StreamRequester : public std::enable_shared_from_this<StreamRequester> {
 public:
  struct Peer {
    std::string endpoint;  ///< "host:port": the host is what its certificate must name.
    SocketAddress address;
  };
  /// `ended` is called, once, when the connection has.
  StreamRequester(boost::asio::io_context& context, const TlsContext& tls, std::string token,
                  Peer peer, std::function<void()> ended);

  void Start();
  void Submit(std::vector<OutgoingRequest> requests);
  /// Nothing has come back for so long on what was asked.
  bool IsStuck() const;
  /// Ends the connection and everything that was submitted.
  void Drop(const absl::Status& reason);

 private:
  using ErrorCode = boost::system::error_code;
  using RequestPointer = std::shared_ptr<OutgoingRequest>;

  /// As long as something is in flight.
  void Watch();
  /// Somebody still waits for some of what was submitted.
  bool IsAwaited() const;
  void SayHello();
  /// Fills outbox_ and, if nothing is being sent, sends it.
  void Pump();
  void Send();
  void ReadReply();
  void OnReply(const ReplyFrame& reply);
  void ReadText(const ReplyFrame& reply, const RequestPointer& request);
  void End(const RequestPointer& request, const absl::Status& status);
  absl::Status Broken(const ErrorCode& error) const;

  const std::string token_;
  const Peer peer_;
  ByteStream stream_;
  boost::asio::steady_timer timer_;  // until it is ready for that, then to watch
  std::function<void()> ended_;      // null once it was called
  bool ready_ = false;               // the peer has taken the token
  bool dropped_ = false;
  bool sending_ = false;
  bool watching_ = false;
  std::deque<RequestPointer> queue_;
  std::unordered_map<uint64_t, RequestPointer> in_flight_;  // by id
  uint64_t bytes_in_flight_ = 0;
  uint64_t next_id_ = 1;
  TimePoint last_reply_;
  std::array<std::byte, kReplyFrameBytes> frame_;
};

}  // namespace tandem::transfer

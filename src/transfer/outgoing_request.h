#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "transfer/message.h"
#include "transfer/socket_address.h"
#include "transfer/transport.h"

namespace tandem::transfer {

/// One message to a peer, and what its reply is for. It owns the buffers until it has ended.
struct OutgoingRequest {
  RequestHeader header;
  ReadableBytes source;  ///< Sent as the message's data; may be empty.
  /// Sent behind the source.
  std::vector<ReadableBytes> more = {};
  WritableBytes destination;  ///< Where the reply's bytes go.
  std::shared_ptr<Transfer> transfer;
  std::shared_ptr<PiecewiseChecksum> checksum;  ///< Of a write: null for none.
  uint64_t weight = 0;                          ///< Bytes that go either way, once it is in flight.
  bool sent = false;                            ///< Nobody reads the source any more.
  bool ended = false;

  uint64_t body_bytes() const;
  /// Brings all that is sent together in `source`.
  void Gather();
  /// Ends its part of the transfer, once. What has been sent is let go before.
  void End(const absl::Status& status);
  /// Before the source is sent: it is in the caches then.
  void MakeChecksum() const {
    if (checksum != nullptr) checksum->Add(header.position, header.length);
  }
};

/// A transport that cuts operations into requests and shares them out, whatever carries those.
class RequestTransport : public Transport {
 public:
  std::shared_ptr<Transfer> Read(const std::string& endpoint,
                                 std::vector<ReadOperation> operations) override;
  std::shared_ptr<Transfer> Write(const std::string& endpoint,
                                  std::vector<WriteOperation> operations, Spread spread) override;
  std::vector<PutTransfer> Put(const std::string& endpoint,
                               const std::vector<PutOperation>& operations) override;
  std::shared_ptr<Transfer> Publish(const std::string& endpoint,
                                    std::vector<PublishOperation> operations) override;
  std::shared_ptr<Transfer> Forget(const std::string& endpoint,
                                   std::vector<ForgetOperation> operations) override;

 protected:
  /// How many lanes requests are shared out among.
  virtual size_t lanes() const = 0;
  /// Sends requests to a peer over one lane.
  virtual void SubmitTo(size_t lane, const std::string& endpoint, const SocketAddress& address,
                        std::vector<OutgoingRequest> requests) = 0;

 private:
  /// Sends them all; their transfer is the one it returns.
  std::shared_ptr<Transfer> Submit(const std::string& endpoint,
                                   std::vector<OutgoingRequest> requests,
                                   Spread spread = Spread::kOverAll);
  /// The same for requests that have their transfers.
  void ShareOut(const std::string& endpoint, std::vector<OutgoingRequest> requests, Spread spread);

  std::atomic<size_t> next_lane_ = 0;
};

}  // namespace tandem::transfer

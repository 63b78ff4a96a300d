#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "base/extent_grant.h"
#include "base/mutex.h"
#include "base/piecewise_checksum.h"
#include "base/security.h"
#include "transfer/extent.h"
#include "transfer/extent_host.h"
#include "transfer/put_message.h"

namespace tandem::transfer {

/// A set of reads or writes in flight. The parts hold their buffers until they have truly ended,
/// also after Cancel and after a Wait that gave up. Safe for use by several threads.
class Transfer {
 public:
  explicit Transfer(int parts) : remaining_(parts) {}

  /// Waits until all parts have ended: OK or the first error. Gives up and cancels, with
  /// DeadlineExceeded, at `deadline` or once `silence` passed and no part ended.
  absl::Status Wait(TimePoint deadline, Duration silence);

  /// The same for what is likely to end within microseconds: waits awake at first.
  absl::Status WaitAwake(TimePoint deadline, Duration silence);

  /// Gives up: parts that were not sent yet never will be.
  void Cancel();
  bool cancelled() const;

  /// For the transport: one part has ended.
  void EndPart(const absl::Status& status);

 private:
  mutable Mutex mutex_;
  CondVar changed_;
  int remaining_ ABSL_GUARDED_BY(mutex_);
  bool cancelled_ ABSL_GUARDED_BY(mutex_) = false;
  TimePoint last_progress_ ABSL_GUARDED_BY(mutex_);
  // The first error, in parts: threads sharing one absl::Status look like a race to
  // ThreadSanitizer, for which Debian's Abseil is not built.
  absl::StatusCode code_ ABSL_GUARDED_BY(mutex_) = absl::StatusCode::kOk;
  std::string message_ ABSL_GUARDED_BY(mutex_);
};

/// One object of a put: its message, and its place there.
class PutTransfer {
 public:
  using Answers = std::shared_ptr<const std::vector<std::byte>>;
  PutTransfer(std::shared_ptr<Transfer> message, Answers answers, size_t place)
      : message_(std::move(message)), answers_(std::move(answers)), place_(place) {}

  /// As Transfer::WaitAwake, of the message; then what the owner made of the object.
  absl::Status Wait(TimePoint deadline, Duration silence) const;

 private:
  std::shared_ptr<Transfer> message_;
  Answers answers_;  // written until the message has ended
  size_t place_;
};

/// Fills `destination`, at most as long as the extent, from the start of an object.
struct ReadOperation {
  Extent extent;
  WritableBytes destination;
  ExtentGrant grant{};
  bool on_disk = false;  ///< Of the copy on the owner's disk.
};

/// Sends `source`, at most as long as the extent, to the extent's start.
struct WriteOperation {
  Extent extent;
  ReadableBytes source;
  ExtentGrant grant{};
  /// Of the source; null for none. All of it is added before the write ends well.
  std::shared_ptr<PiecewiseChecksum> checksum = nullptr;
};

/// Which of a peer's connections an operation takes.
enum class Spread {
  kOverAll,
  kOne,  ///< The next: for one of many, whose pieces then stay in order and in one core's cache.
};

/// Has the owner publish what was written to it before.
struct PublishOperation {
  HeldObject object;
  ExtentGrant grant{};
};

/// Has the owner drop what was written there.
struct ForgetOperation {
  Extent extent;
  ExtentGrant grant{};
};

struct TransportOptions {
  std::string hostname;          ///< Where others reach this process: names the interface to use.
  bool listen = true;            ///< False for one that only asks others.
  int port = 0;                  ///< Where it listens; 0 lets the system choose.
  std::string protocol = "tcp";  ///< "tcp": streams of our own; "rdma": UCX.
  std::string device_name;       ///< With rdma: devices separated by commas; empty for all.
  int connections = 2;           ///< To each peer, each with a thread and a socket of its own.
  /// Peers over tcp show the token, within TLS if that is set up; "rdma" is refused with TLS.
  Security security;
};

/// Moves bytes between the segments of this process and those of others. Operations are cut into
/// messages of at most 1 MiB, many in flight over several connections. A peer is named by its
/// endpoint, "host:port"; connections to it are made when first needed, and again after a loss.
/// Operations carry the master's grant of their extent, without which an owner refuses them with
/// PermissionDenied. Safe for use by several threads; calls start a transfer and return at once.
class Transport {
 public:
  /// `host` serves what peers ask for, on the transport's threads, and must outlive it.
  /// InvalidArgument, naming the option, for a protocol, a device or a file that is not there.
  static absl::StatusOr<std::unique_ptr<Transport>> Create(const TransportOptions& options,
                                                           ExtentHost& host);
  /// Ends every transfer.
  virtual ~Transport() = default;

  /// Where peers reach it; empty if it does not listen.
  virtual const std::string& endpoint() const = 0;
  virtual int port() const = 0;

  virtual std::shared_ptr<Transfer> Read(const std::string& endpoint,
                                         std::vector<ReadOperation> operations) = 0;
  virtual std::shared_ptr<Transfer> Write(const std::string& endpoint,
                                          std::vector<WriteOperation> operations,
                                          Spread spread = Spread::kOverAll) = 0;
  /// Whether it is certain that no process listens at `endpoint` any more: its host says so, by
  /// `deadline`. False while it merely does not answer.
  virtual bool HasGone(const std::string& endpoint, TimePoint deadline) = 0;

  /// Many in one message; a transfer for each, in their order.
  virtual std::vector<PutTransfer> Put(const std::string& endpoint,
                                       const std::vector<PutOperation>& operations) = 0;
  virtual std::shared_ptr<Transfer> Publish(const std::string& endpoint,
                                            std::vector<PublishOperation> operations) = 0;
  virtual std::shared_ptr<Transfer> Forget(const std::string& endpoint,
                                           std::vector<ForgetOperation> operations) = 0;
  /// Drops the connections to a peer that does not answer: what is in flight on them, whoever asked
  /// for it, soon ends with an error and lets go of its buffers.
  virtual void Abandon(const std::string& endpoint) = 0;
};

}  // namespace tandem::transfer

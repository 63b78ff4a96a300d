#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/piecewise_checksum.h"
#include "store/client/revocations.h"
#include "store/client/store_client.h"
#include "transfer/lent_bytes.h"
#include "transfer/shared_memory_writers.h"
#include "transfer/transport.h"

namespace tandem::store {

/// An object between its PutStart and its PutEnd: its bytes and the places they go to.
class PendingObject : public Reservation {
 public:
  /// Where a segment is, for all objects of a call that go there.
  struct Route {
    std::string segment;
    std::string endpoint;  ///< Of the owner; empty for this process's own segment.
    /// The way to an owner on this host; null where the transfer is.
    std::shared_ptr<transfer::SharedMemoryWriters> writers;

    bool is_own() const { return endpoint.empty(); }
    bool is_away() const { return !is_own() && writers == nullptr; }
  };
  /// One replica to be.
  struct Target {
    transfer::Extent extent;
    std::shared_ptr<const Route> route;
    ExtentGrant grant{};                           ///< To write it.
    std::shared_ptr<transfer::Transfer> transfer;  ///< The one under way.
    std::optional<transfer::PutTransfer> put;      ///< Or this one, which publishes it as well.
    absl::Status status;
  };

  PendingObject(transfer::HeldObject object, std::vector<Target> targets,
                std::shared_ptr<Revocations> revocations)
      : object(std::move(object)),
        targets(std::move(targets)),
        revocations_(std::move(revocations)) {}

  /// Tells the master to take the room back, unless the object was settled.
  ~PendingObject() override {
    if (!settled_) revocations_->Add(EndItem(/*all=*/true));
  }

  std::span<std::byte> bytes() override { return bytes_.bytes; }
  void set_bytes(transfer::WritableBytes bytes) { bytes_ = std::move(bytes); }
  /// Of a put whose bytes stay where the caller has them.
  void Lend(std::span<const std::byte> bytes) { lent_.emplace(bytes); }
  std::optional<transfer::LentBytes>& lent() { return lent_; }
  transfer::ReadableBytes readable() const {
    return lent_.has_value() ? lent_->Lend() : transfer::ReadableBytes{bytes_.bytes, bytes_.hold};
  }

  /// Sets the object's checksum, unless it is known, once a replica has been sent.
  void FinishChecksum() {
    if (has_checksum) return;
    std::optional<uint64_t> made;
    if (sent != nullptr) made = sent->Digest(object.size);
    object.checksum = made.has_value() ? *made : Checksum64(readable().bytes);
    has_checksum = true;
  }

  /// The master has been told how it ended.
  void Settle() { settled_ = true; }

  /// What to tell it: all replicas, or those whose status is OK.
  proto::PutEndItem EndItem(bool all) const {
    proto::PutEndItem item;
    item.set_key(object.key);
    item.set_checksum(object.checksum);
    for (const Target& target : targets) {
      if (all || target.status.ok()) item.add_generations(target.extent.generation);
    }
    return item;
  }

  transfer::HeldObject object;  ///< Its extent is set for each target.
  bool has_checksum = false;    ///< Whether the object's is known yet.
  /// The one that is made while the bytes are sent; null if that is not so.
  std::shared_ptr<PiecewiseChecksum> sent;
  Parts value;  ///< The caller's bytes, in a put that needs none of its own.
  std::vector<Target> targets;

 private:
  transfer::WritableBytes bytes_;
  std::optional<transfer::LentBytes> lent_;
  const std::shared_ptr<Revocations> revocations_;
  bool settled_ = false;
};

}  // namespace tandem::store

#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/clock.h"
#include "store/proto/error_code.h"
#include "store/proto/master_client.h"
#include "transfer/transport.h"

namespace tandem::store {

/// Removes objects durably: an answer of success means that every owner has dropped them from its
/// directory, or has gone together with it, so that no restart of the master brings them back. An
/// owner that is paused or cut off until the deadline makes the answer kRpcFailed: removed, but
/// perhaps not for good. Safe for use by several threads.
class Remover {
 public:
  /// Both outlive it. `silence`: how long an owner's host is asked whether the owner has gone.
  Remover(MasterClient& master, transfer::Transport& transport, Duration silence)
      : master_(master), transport_(transport), silence_(silence) {}

  /// As StoreClient's.
  std::vector<ErrorCode> Remove(std::span<const std::string> keys, bool force, TimePoint deadline);
  int64_t RemoveByRegex(const std::string& pattern, bool force, TimePoint deadline);
  int64_t RemoveAll(bool force, TimePoint deadline);

 private:
  using PendingOwners = google::protobuf::RepeatedPtrField<proto::PendingOwner>;
  /// Of the owners that have not answered yet, those that still have not by `deadline`.
  /// Of one call to the master.
  void RemoveBatch(std::span<const std::string> keys, bool force, TimePoint deadline,
                   std::span<ErrorCode> codes);
  PendingOwners Await(PendingOwners pending, TimePoint deadline);
  int64_t CountOf(const absl::StatusOr<proto::RemoveManyResponse>& response, TimePoint deadline);

  MasterClient& master_;
  transfer::Transport& transport_;
  const Duration silence_;
};

}  // namespace tandem::store

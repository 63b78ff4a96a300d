#include "store/client/replica_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "base/checksummed_copy.h"
#include "base/hash.h"
#include "base/status.h"
#include "store/client/take_back.h"

namespace tandem::store {
namespace {

/// Bytes on their way while what came before is copied. Few enough to stay in a cache.
constexpr uint64_t kReadAhead = 4 << 20;
/// Comes within microseconds of being asked for.
constexpr uint64_t kSmall = 64 << 10;

/// Whether a read failed because the replica is no more; all else may pass.
bool IsProofOfLoss(const absl::Status& status) {
  return absl::IsNotFound(status) || absl::IsOutOfRange(status) || absl::IsDataLoss(status);
}

}  // namespace

ReplicaReader::Way ReplicaReader::WayTo(const ReplicaLocation& replica) const {
  const bool own = replica.segment->name() == options_.own_segment;
  if (replica.on_disk) return own ? Way::kOwnDisk : Way::kRemoteDisk;
  if (own) return Way::kOwn;
  return replica.segment->host_identity() == options_.host_identity ? Way::kMapped : Way::kRemote;
}

bool ReplicaReader::MayReceive(const FoundObject& object) const {
  return std::any_of(
      object.replicas.begin(), object.replicas.end(),
      [this](const ReplicaLocation& replica) { return WayTo(replica) >= Way::kRemote; });
}

void ReplicaReader::Read(std::vector<Wanted*> wanted, TimePoint deadline, uint64_t& kept) {
  // Round i tries each object's i-th nearest replica.
  for (size_t round = 0; !wanted.empty(); ++round) {
    std::vector<Attempt> own, remote;
    std::map<std::string, std::vector<Attempt>> mapped;  // by segment
    for (Wanted* item : wanted) {
      std::vector<ReplicaLocation> replicas = item->object->replicas;
      if (round >= replicas.size()) continue;
      std::stable_sort(
          replicas.begin(), replicas.end(),
          [&](const ReplicaLocation& a, const ReplicaLocation& b) { return WayTo(a) < WayTo(b); });
      const Attempt attempt{item, replicas[round]};
      switch (WayTo(attempt.replica)) {
        case Way::kOwn:
          own.push_back(attempt);
          break;
        case Way::kMapped:
          mapped[attempt.replica.segment->name()].push_back(attempt);
          break;
        case Way::kRemote:
        case Way::kOwnDisk:
        case Way::kRemoteDisk:
          remote.push_back(attempt);
          break;
      }
    }
    ReadOwn(own);
    for (const auto& [segment, attempts] : mapped) ReadMapped(attempts, deadline);
    ReadRemote(remote, deadline, kept);
    std::erase_if(wanted, [&](const Wanted* item) {
      return item->bytes.ok() || round + 1 >= item->object->replicas.size();
    });
  }
}

void ReplicaReader::ReadOwn(const std::vector<Attempt>& attempts) {
  for (const Attempt& attempt : attempts) {
    Settle(attempt, owner_.OpenForRead(attempt.replica.extent), options_.verify_local_reads);
    if (attempt.wanted->bytes.ok()) {
      counters_.mapped_read_bytes.Increment(static_cast<double>(attempt.wanted->object->size));
    }
  }
}

void ReplicaReader::ReadMapped(const std::vector<Attempt>& attempts, TimePoint deadline) {
  const TimePoint give_up = std::min(deadline, Clock::Real().Now() + options_.silence);
  std::vector<transfer::Extent> extents;
  extents.reserve(attempts.size());
  for (const Attempt& attempt : attempts) extents.push_back(attempt.replica.extent);
  auto pinned = Pin(attempts[0].replica.segment->fd_socket(), extents, give_up);
  for (size_t i = 0; i < attempts.size(); ++i) {
    Settle(attempts[i], std::move(pinned[i]), options_.verify_local_reads);
    if (attempts[i].wanted->bytes.ok()) {
      counters_.mapped_read_bytes.Increment(static_cast<double>(attempts[i].wanted->object->size));
    }
  }
}

std::vector<absl::StatusOr<transfer::ReadableBytes>> ReplicaReader::Pin(
    const std::string& socket_name, const std::vector<transfer::Extent>& extents,
    TimePoint give_up) {
  absl::Status status;
  // A connection that broke is made anew, which tells whether the owner is still there.
  for (int attempt = 0; attempt < 2; ++attempt) {
    const auto peer = mappings_.Get(socket_name, give_up);
    status = peer.status();
    if (!peer.ok()) break;
    auto pinned = (*peer)->Pin(extents, give_up);
    if (!(*peer)->broken()) return pinned;
    status = absl::UnavailableError("the owner of a segment closes the connection");
  }
  return std::vector<absl::StatusOr<transfer::ReadableBytes>>(extents.size(), status);
}

void ReplicaReader::ReadRemote(const std::vector<Attempt>& attempts, TimePoint deadline,
                               uint64_t& kept) {
  std::vector<absl::StatusOr<InFlight>> reads;
  std::map<std::string, bool> gone;  // by endpoint
  uint64_t ahead = 0;                // bytes in buffers that are free again soon
  const auto to_be_copied = [](const Attempt& attempt) {
    return attempt.wanted->into.empty() ? 0 : attempt.wanted->object->size;
  };
  for (size_t i = 0; i < attempts.size(); ++i) {
    while (reads.size() < attempts.size() && (ahead < kReadAhead || reads.size() < i + 2)) {
      const Attempt& next = attempts[reads.size()];
      InFlight read;
      absl::StatusOr<transfer::WritableBytes> buffer =
          GoesStraight(next) ? LendDestination(*next.wanted, read)
                             : TakeBuffer(next.wanted->object->size, kept, deadline);
      if (!buffer.ok()) {
        reads.push_back(buffer.status());
        continue;
      }
      if (next.wanted->into.empty()) kept += next.wanted->object->size;
      // Of several, the threads that receive them want the processor.
      read.prompt = attempts.size() == 1 && next.wanted->object->size <= kSmall &&
                    WayTo(next.replica) == Way::kRemote;
      read.bytes = {buffer->bytes, read.lent.has_value() ? nullptr : buffer->hold};
      read.transfer = Start(next.replica, *std::move(buffer));
      reads.push_back(std::move(read));
      ahead += to_be_copied(next);
    }
    if (!reads[i].ok()) {
      // For want of a buffer: the replica is as good as before.
      attempts[i].wanted->bytes = reads[i].status();
      continue;
    }
    InFlight read = *std::move(reads[i]);
    reads[i] = InFlight{};
    absl::StatusOr<transfer::ReadableBytes> bytes = Finish(attempts[i], read, deadline, gone);
    if (read.lent.has_value()) {
      const std::string& endpoint = attempts[i].replica.segment->data_endpoint();
      TakeBack(*read.lent, std::span(&endpoint, 1), transport_, "what is read");
    }
    Settle(attempts[i], std::move(bytes), true);
    const Wanted& wanted = *attempts[i].wanted;
    if (wanted.into.empty() && !wanted.bytes.ok()) kept -= wanted.object->size;
    ahead -= to_be_copied(attempts[i]);
  }
}

bool ReplicaReader::GoesStraight(const Attempt& attempt) const {
  // A small one is copied in less time than lending takes.
  return !attempt.wanted->into.empty() && attempt.wanted->object->size > kSmall &&
         WayTo(attempt.replica) == Way::kRemote;
}

transfer::WritableBytes ReplicaReader::LendDestination(const Wanted& wanted, InFlight& read) {
  const std::span<std::byte> bytes = wanted.into.first(wanted.object->size);
  read.lent.emplace(bytes);
  return {bytes, read.lent->Lend().hold};
}

absl::StatusOr<transfer::WritableBytes> ReplicaReader::TakeBuffer(uint64_t size, uint64_t kept,
                                                                  TimePoint deadline) {
  // Waiting for what this call itself keeps would be in vain.
  if (kept > 0 && kept + size > buffers_.capacity()) {
    return absl::ResourceExhaustedError(
        fmt::format("the objects that one call keeps do not fit local_buffer_size {} together",
                    buffers_.capacity()));
  }
  return buffers_.Take(size, deadline);
}

absl::StatusOr<transfer::ReadableBytes> ReplicaReader::Finish(const Attempt& attempt,
                                                              const InFlight& read,
                                                              TimePoint deadline,
                                                              std::map<std::string, bool>& gone) {
  absl::Status status = read.prompt ? read.transfer->WaitAwake(deadline, options_.silence)
                                    : read.transfer->Wait(deadline, options_.silence);
  const bool own = WayTo(attempt.replica) == Way::kOwnDisk;
  if (absl::IsUnavailable(status) && !own) {
    const std::string& endpoint = attempt.replica.segment->data_endpoint();
    const auto [known, first] = gone.try_emplace(endpoint, false);
    if (first) {
      known->second =
          transport_.HasGone(endpoint, std::min(deadline, Clock::Real().Now() + options_.silence));
    }
    if (known->second) status = absl::NotFoundError("the owner at " + endpoint + " has gone");
  }
  RETURN_IF_ERROR(status);
  (attempt.replica.on_disk ? counters_.disk_read_bytes : counters_.remote_read_bytes)
      .Increment(static_cast<double>(read.bytes.bytes.size()));
  return read.bytes;
}

std::shared_ptr<transfer::Transfer> ReplicaReader::Start(const ReplicaLocation& replica,
                                                         transfer::WritableBytes buffer) {
  if (WayTo(replica) != Way::kOwnDisk) {
    return transport_.Read(replica.segment->data_endpoint(),
                           {{replica.extent, std::move(buffer), replica.grant, replica.on_disk}});
  }
  auto transfer = std::make_shared<transfer::Transfer>(1);
  const auto opened = owner_.OpenOnDisk(replica.extent);
  if (opened.ok()) {
    (*opened)(0, buffer, [transfer](const absl::Status& status) { transfer->EndPart(status); });
  } else {
    transfer->EndPart(opened.status());
  }
  return transfer;
}

void ReplicaReader::Settle(const Attempt& attempt, absl::StatusOr<transfer::ReadableBytes> bytes,
                           bool verify) {
  const FoundObject& object = *attempt.wanted->object;
  if (bytes.ok() && bytes->bytes.size() < object.size) {
    bytes = absl::DataLossError("the extent is shorter than its object");
  }
  if (bytes.ok()) {
    bytes->bytes = bytes->bytes.first(object.size);
    if (verify && !TakeOver(*attempt.wanted, *bytes)) {
      bytes = absl::DataLossError("the bytes do not have the object's checksum");
    }
  }
  if (IsProofOfLoss(bytes.status())) {
    attempt.wanted->lost.push_back(attempt.replica);
    if (attempt.replica.on_disk) counters_.disk_misses.Increment();
  } else if (!bytes.ok()) {
    counters_.unanswered_reads.Increment();
  }
  attempt.wanted->bytes = std::move(bytes);
}

bool ReplicaReader::TakeOver(const Wanted& wanted, transfer::ReadableBytes& bytes) {
  const uint64_t checksum = wanted.object->checksum;
  const bool there = wanted.into.empty() || wanted.into.data() == bytes.bytes.data();
  if (there) return Checksum64(bytes.bytes) == checksum;
  StreamingChecksum made;
  CopyWithChecksum(wanted.into, bytes.bytes, made);
  bytes = {wanted.into.first(bytes.bytes.size()), nullptr};
  return made.Digest() == checksum;
}

}  // namespace tandem::store

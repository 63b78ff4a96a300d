#include "store/client/replica_reader.h"

#include <algorithm>
#include <map>

#include "base/hash.h"

namespace tandem::store {

ReplicaReader::Way ReplicaReader::WayTo(const proto::Segment& segment) const {
  if (segment.name() == options_.own_segment) return Way::kOwn;
  return segment.host_identity() == options_.host_identity ? Way::kMapped : Way::kRemote;
}

void ReplicaReader::Read(std::vector<Wanted*> wanted, TimePoint deadline) {
  // Round i tries each object's i-th nearest replica.
  for (size_t round = 0; !wanted.empty(); ++round) {
    std::vector<Attempt> own, remote;
    std::map<std::string, std::vector<Attempt>> mapped;  // by segment
    for (Wanted* item : wanted) {
      std::vector<ReplicaLocation> replicas = item->object->replicas;
      if (round >= replicas.size()) continue;
      std::stable_sort(replicas.begin(), replicas.end(),
                       [&](const ReplicaLocation& a, const ReplicaLocation& b) {
                         return WayTo(*a.segment) < WayTo(*b.segment);
                       });
      const Attempt attempt{item, replicas[round]};
      switch (WayTo(*attempt.replica.segment)) {
        case Way::kOwn:
          own.push_back(attempt);
          break;
        case Way::kMapped:
          mapped[attempt.replica.segment->name()].push_back(attempt);
          break;
        case Way::kRemote:
          remote.push_back(attempt);
          break;
      }
    }
    ReadOwn(own);
    for (const auto& [segment, attempts] : mapped) ReadMapped(attempts, deadline);
    ReadRemote(remote, deadline);
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
  const auto peer = mappings_.Get(attempts[0].replica.segment->fd_socket(), give_up);
  if (!peer.ok()) {
    for (const Attempt& attempt : attempts) Settle(attempt, peer.status(), false);
    return;
  }
  std::vector<transfer::Extent> extents;
  for (const Attempt& attempt : attempts) extents.push_back(attempt.replica.extent);
  auto pinned = (*peer)->Pin(extents, give_up);
  for (size_t i = 0; i < attempts.size(); ++i) {
    Settle(attempts[i], std::move(pinned[i]), options_.verify_local_reads);
    if (attempts[i].wanted->bytes.ok()) {
      counters_.mapped_read_bytes.Increment(static_cast<double>(attempts[i].wanted->object->size));
    }
  }
}

void ReplicaReader::ReadRemote(const std::vector<Attempt>& attempts, TimePoint deadline) {
  struct InFlight {
    transfer::ReadableBytes bytes;
    std::shared_ptr<transfer::Transfer> transfer;
  };
  std::vector<absl::StatusOr<InFlight>> reads;
  for (const Attempt& attempt : attempts) {
    auto buffer = buffers_.Take(attempt.wanted->object->size, deadline);
    if (!buffer.ok()) {
      reads.push_back(buffer.status());
      continue;
    }
    reads.push_back(InFlight{{buffer->bytes, buffer->hold},
                             transport_.Read(attempt.replica.segment->data_endpoint(),
                                             {{attempt.replica.extent, *buffer}})});
  }
  for (size_t i = 0; i < attempts.size(); ++i) {
    if (!reads[i].ok()) {
      // For want of a buffer: the replica is as good as before.
      attempts[i].wanted->bytes = reads[i].status();
      continue;
    }
    const absl::Status status = reads[i]->transfer->Wait(deadline, options_.silence);
    if (!status.ok()) {
      Settle(attempts[i], status, true);
      continue;
    }
    counters_.remote_read_bytes.Increment(static_cast<double>(reads[i]->bytes.bytes.size()));
    Settle(attempts[i], std::move(reads[i]->bytes), true);
  }
}

void ReplicaReader::Settle(const Attempt& attempt, absl::StatusOr<transfer::ReadableBytes> bytes,
                           bool verify) {
  const FoundObject& object = *attempt.wanted->object;
  if (bytes.ok() && bytes->bytes.size() < object.size) {
    bytes = absl::DataLossError("the extent is shorter than its object");
  }
  if (bytes.ok()) {
    bytes->bytes = bytes->bytes.first(object.size);
    if (verify && Checksum64(bytes->bytes) != object.checksum) {
      bytes = absl::DataLossError("the bytes do not have the object's checksum");
    }
  }
  // A reader that was in a hurry proves nothing about the replica.
  if (!bytes.ok() && !absl::IsDeadlineExceeded(bytes.status())) {
    attempt.wanted->lost.push_back(attempt.replica);
  }
  attempt.wanted->bytes = std::move(bytes);
}

}  // namespace tandem::store

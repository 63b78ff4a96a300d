#include "store/client/object_writer.h"

#include <spdlog/spdlog.h>

#include <cstring>

#include "base/hash.h"
#include "base/status.h"
#include "store/client/found_objects.h"
#include "store/client/pending_object.h"

namespace tandem::store {
namespace {

using transfer::HeldObject;
using transfer::WritableBytes;

HeldObject At(const HeldObject& object, const transfer::Extent& extent) {
  HeldObject placed = object;
  placed.extent = extent;
  return placed;
}

bool AnyWritten(const PendingObject& object) {
  for (const PendingObject::Target& target : object.targets) {
    if (target.status.ok()) return true;
  }
  return false;
}

ErrorCode CodeOf(const absl::Status& status) {
  return absl::IsInvalidArgument(status) ? kInvalidParams : kNoSpace;
}

}  // namespace

std::vector<std::unique_ptr<Reservation>> ObjectWriter::Reserve(std::span<const std::string> keys,
                                                                std::span<const uint64_t> sizes,
                                                                const ReplicateConfig& config,
                                                                TimePoint deadline,
                                                                std::vector<ErrorCode>* codes) {
  proto::PutStartRequest request;
  request.set_client_id(options_.client_id);
  request.mutable_keys()->Add(keys.begin(), keys.end());
  request.mutable_sizes()->Add(sizes.begin(), sizes.end());
  request.mutable_config()->set_replica_num(static_cast<uint32_t>(config.replica_num));
  request.mutable_config()->set_soft_pin(config.with_soft_pin);
  request.mutable_config()->set_hard_pin(config.with_hard_pin);
  request.mutable_config()->set_preferred_segment(
      config.preferred_segment.empty() ? options_.own_segment : config.preferred_segment);

  std::vector<std::unique_ptr<Reservation>> reservations(keys.size());
  codes->assign(keys.size(), kRpcFailed);
  if (keys.size() != sizes.size() || config.replica_num < 1) {
    codes->assign(keys.size(), kInvalidParams);
    return reservations;
  }
  const auto response = master_.PutStart(request, deadline);
  if (!response.ok() || static_cast<size_t>(response->results_size()) != keys.size()) {
    return reservations;
  }
  for (size_t i = 0; i < keys.size(); ++i) {
    const proto::PutStartResult& placed = response->results(static_cast<int>(i));
    (*codes)[i] = static_cast<ErrorCode>(placed.code());
    if (placed.code() != kOk) continue;
    auto opened = Open(keys[i], sizes[i], config, placed, *response, deadline);
    if (opened.ok()) {
      reservations[i] = *std::move(opened);
    } else {
      spdlog::debug("no room to write {}: {}", keys[i], opened.status().ToString());
      (*codes)[i] = CodeOf(opened.status());
    }
  }
  return reservations;
}

absl::StatusOr<std::unique_ptr<PendingObject>> ObjectWriter::Open(
    const std::string& key, uint64_t size, const ReplicateConfig& config,
    const proto::PutStartResult& placed, const proto::PutStartResponse& response,
    TimePoint deadline) {
  std::vector<PendingObject::Target> targets;
  absl::StatusOr<WritableBytes> bytes = absl::NotFoundError("not in this process");
  for (const proto::Extent& extent : placed.extents()) {
    PendingObject::Target target{FromProto(extent), extent.segment()};
    if (extent.segment() == options_.own_segment) {
      bytes = owner_.OpenForWrite(target.extent);
      target.status = bytes.status();
    } else {
      for (const proto::Segment& segment : response.segments()) {
        if (segment.name() == extent.segment()) target.endpoint = segment.data_endpoint();
      }
    }
    targets.push_back(std::move(target));
  }
  const bool only_own = targets.size() == 1 && targets[0].endpoint.empty();
  if (!bytes.ok() && !only_own) bytes = buffers_.Take(size, deadline);
  HeldObject object{key, {}, size, 0, config.with_soft_pin, config.with_hard_pin};
  auto pending =
      std::make_unique<PendingObject>(std::move(object), std::move(targets), revocations_);
  if (!bytes.ok()) return bytes.status();  // the pending object gives the room back
  bytes->bytes = bytes->bytes.first(size);
  pending->set_bytes(*std::move(bytes));
  return pending;
}

std::vector<ErrorCode> ObjectWriter::Commit(std::vector<std::unique_ptr<Reservation>> reservations,
                                            TimePoint deadline) {
  std::vector<PendingObject*> objects;
  for (const std::unique_ptr<Reservation>& reservation : reservations) {
    if (reservation == nullptr) return std::vector<ErrorCode>(reservations.size(), kInvalidParams);
    auto* object = static_cast<PendingObject*>(reservation.get());
    object->object.checksum = Checksum64(object->bytes());
    objects.push_back(object);
  }
  Send(objects, deadline);
  PublishAtOwners(objects, deadline);
  return End(objects, deadline);
}

void ObjectWriter::Send(std::span<PendingObject* const> objects, TimePoint deadline) {
  for (PendingObject* object : objects) {
    for (PendingObject::Target& target : object->targets) {
      if (target.endpoint.empty()) continue;
      target.transfer = transport_.Write(target.endpoint, {{target.extent, object->readable()}});
    }
  }
  for (PendingObject* object : objects) {
    for (PendingObject::Target& target : object->targets) {
      if (target.transfer == nullptr) continue;
      target.status = target.transfer->Wait(deadline, options_.silence);
      if (!target.status.ok()) continue;
      counters_.remote_write_bytes.Increment(static_cast<double>(object->object.size));
    }
  }
}

void ObjectWriter::PublishAtOwners(std::span<PendingObject* const> objects, TimePoint deadline) {
  for (PendingObject* object : objects) {
    for (PendingObject::Target& target : object->targets) {
      if (!target.status.ok()) continue;
      const HeldObject placed = At(object->object, target.extent);
      if (target.endpoint.empty()) {
        target.status = owner_.PublishOwn(placed);
        counters_.local_write_bytes.Increment(static_cast<double>(placed.size));
      } else {
        target.transfer = transport_.Publish(target.endpoint, {placed});
      }
    }
  }
  for (PendingObject* object : objects) {
    for (PendingObject::Target& target : object->targets) {
      if (target.endpoint.empty() || !target.status.ok()) continue;
      target.status = target.transfer->Wait(deadline, options_.silence);
    }
  }
}

std::vector<ErrorCode> ObjectWriter::End(std::span<PendingObject* const> objects,
                                         TimePoint deadline) {
  std::vector<ErrorCode> codes(objects.size(), kTransferFailed);
  proto::PutEndRequest request;
  request.set_client_id(options_.client_id);
  std::vector<size_t> ended;
  for (size_t i = 0; i < objects.size(); ++i) {
    for (const PendingObject::Target& target : objects[i]->targets) {
      if (target.status.ok()) continue;
      spdlog::warn("a replica of {} was not written to {}: {}", objects[i]->object.key,
                   target.segment, std::string(target.status.message()));
    }
    if (!AnyWritten(*objects[i])) continue;  // letting go of it tells the master
    *request.add_items() = objects[i]->EndItem(/*all=*/false);
    ended.push_back(i);
  }
  if (ended.empty()) return codes;
  const auto response = master_.PutEnd(request, deadline);
  const bool answered =
      response.ok() && static_cast<size_t>(response->codes_size()) == ended.size();
  for (size_t i = 0; i < ended.size(); ++i) {
    PendingObject& object = *objects[ended[i]];
    // Without an answer the master may have published it: what is written stays.
    object.Settle();
    codes[ended[i]] =
        answered ? static_cast<ErrorCode>(response->codes(static_cast<int>(i))) : kRpcFailed;
    if (answered && codes[ended[i]] != kOk) Forget(object);
  }
  return codes;
}

void ObjectWriter::Forget(const PendingObject& object) {
  for (const PendingObject::Target& target : object.targets) {
    if (target.endpoint.empty()) {
      owner_.Forget(target.extent);
    } else {
      transport_.Forget(target.endpoint, {target.extent});
    }
  }
}

}  // namespace tandem::store

#include "store/client/object_writer.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <map>
#include <utility>

#include "base/checksummed_copy.h"
#include "base/hash.h"
#include "base/status.h"
#include "store/client/found_objects.h"
#include "store/client/key_batches.h"
#include "store/client/pending_object.h"
#include "store/client/take_back.h"
#include "transfer/message.h"

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

/// Whether all of it goes to this process's own segment.
bool IsOnlyHere(const PendingObject& object) {
  return object.targets.size() == 1 && object.targets[0].route->is_own();
}

/// Of an object of which no replica was written.
ErrorCode FailureOf(const PendingObject& object) {
  for (const PendingObject::Target& target : object.targets) {
    if (absl::IsUnauthenticated(target.status)) return kRpcFailed;
  }
  return kTransferFailed;
}

uint64_t SizeOf(const Parts& parts) {
  uint64_t size = 0;
  for (const std::span<const std::byte> part : parts) size += part.size();
  return size;
}

/// Of an object among others with as many bytes in all.
transfer::Spread SpreadOf(uint64_t size, uint64_t all) {
  return size > all / 2 ? transfer::Spread::kOverAll : transfer::Spread::kOne;
}

ErrorCode CodeOf(const absl::Status& status) {
  return absl::IsInvalidArgument(status) ? kInvalidParams : kNoSpace;
}

}  // namespace

std::vector<std::unique_ptr<Reservation>> ObjectWriter::Reserve(std::span<const std::string> keys,
                                                                std::span<const uint64_t> sizes,
                                                                const ReplicateConfig& config,
                                                                const CallContext& call,
                                                                std::vector<ErrorCode>* codes) {
  std::vector<std::unique_ptr<Reservation>> reservations(keys.size());
  Pending started = Start(keys, sizes, config, call, codes);
  for (size_t i = 0; i < started.size(); ++i) {
    if (started[i] == nullptr) continue;
    const absl::Status taken = TakeBytes(*started[i], call.deadline);
    if (taken.ok()) {
      reservations[i] = std::move(started[i]);
    } else {
      spdlog::debug("no room to write {}: {}", keys[i], taken.ToString());
      (*codes)[i] = CodeOf(taken);
    }
  }
  return reservations;
}

std::vector<ErrorCode> ObjectWriter::Put(std::span<const std::string> keys,
                                         std::span<const Parts> values,
                                         const ReplicateConfig& config, TimePoint deadline) {
  if (keys.size() != values.size()) return std::vector<ErrorCode>(keys.size(), kInvalidParams);
  std::vector<ErrorCode> codes;
  // No more bytes at a time than local buffers hold, should all go to other hosts.
  while (codes.size() < keys.size()) {
    const size_t first = codes.size();
    std::vector<uint64_t> sizes;
    uint64_t bytes = 0;
    const size_t end = std::min(keys.size(), first + kMostKeysAtOnce);
    for (size_t i = first; i < end; ++i) {
      const uint64_t size = SizeOf(values[i]);
      if (!sizes.empty() && bytes + size > buffers_.capacity()) break;
      sizes.push_back(size);
      bytes += size;
    }
    std::vector<ErrorCode> some;
    const Pending started =
        Start(keys.subspan(first, sizes.size()), sizes, config, deadline, &some);
    const std::vector<absl::Status> statuses =
        FillAll(started, values.subspan(first, sizes.size()), bytes, deadline);
    std::vector<PendingObject*> filled;
    std::vector<size_t> places;
    for (size_t i = 0; i < started.size(); ++i) {
      if (started[i] == nullptr) continue;
      if (statuses[i].ok()) {
        filled.push_back(started[i].get());
        places.push_back(i);
      } else {
        spdlog::warn("{} cannot be written: {}", keys[first + i],
                     std::string(statuses[i].message()));
        some[i] = CodeOf(statuses[i]);
      }
    }
    const std::vector<ErrorCode> ended = Distribute(filled, deadline);
    for (size_t i = 0; i < places.size(); ++i) some[places[i]] = ended[i];
    for (PendingObject* object : filled) TakeBackBytes(*object);
    codes.insert(codes.end(), some.begin(), some.end());
  }
  return codes;
}

ObjectWriter::Pending ObjectWriter::Start(std::span<const std::string> keys,
                                          std::span<const uint64_t> sizes,
                                          const ReplicateConfig& config, const CallContext& call,
                                          std::vector<ErrorCode>* codes) {
  proto::PutStartRequest request;
  request.set_client_id(options_.client_id);
  request.set_request_id(call.request_id);
  request.set_host_identity(options_.host_identity);
  request.mutable_keys()->Add(keys.begin(), keys.end());
  request.mutable_sizes()->Add(sizes.begin(), sizes.end());
  request.mutable_config()->set_replica_num(static_cast<uint32_t>(config.replica_num));
  request.mutable_config()->set_soft_pin(config.with_soft_pin);
  request.mutable_config()->set_hard_pin(config.with_hard_pin);
  request.mutable_config()->set_preferred_segment(
      config.preferred_segment.empty() ? options_.own_segment : config.preferred_segment);

  Pending objects(keys.size());
  codes->assign(keys.size(), kRpcFailed);
  if (keys.size() != sizes.size() || config.replica_num < 1) {
    codes->assign(keys.size(), kInvalidParams);
    return objects;
  }
  const auto response = master_.PutStart(request, call.deadline);
  if (!response.ok() || static_cast<size_t>(response->results_size()) != keys.size()) {
    return objects;
  }
  const Routes routes = RoutesTo(*response, call.deadline);
  for (size_t i = 0; i < keys.size(); ++i) {
    const proto::PutStartResult& placed = response->results(static_cast<int>(i));
    (*codes)[i] = static_cast<ErrorCode>(placed.code());
    if (placed.code() != kOk) continue;
    std::vector<PendingObject::Target> targets;
    targets.reserve(static_cast<size_t>(placed.extents_size()));
    for (const proto::Extent& extent : placed.extents()) {
      const auto route = routes.find(extent.segment());
      if (route == routes.end()) continue;
      targets.push_back({FromProto(extent), route->second, UnpackGrant(extent.grant())});
    }
    objects[i] = std::make_unique<PendingObject>(
        HeldObject{keys[i], {}, sizes[i], 0, config.with_soft_pin, config.with_hard_pin},
        std::move(targets), revocations_);
  }
  return objects;
}

ObjectWriter::Routes ObjectWriter::RoutesTo(const proto::PutStartResponse& response,
                                            TimePoint deadline) {
  Routes routes;
  for (const proto::Segment& segment : response.segments()) {
    PendingObject::Route route{segment.name(), segment.data_endpoint(), nullptr};
    if (segment.name() == options_.own_segment) {
      route.endpoint.clear();
    } else if (segment.host_identity() == options_.host_identity) {
      const TimePoint give_up = std::min(deadline, Clock::Real().Now() + options_.silence);
      auto writers = mappings_.Writers(segment.fd_socket(), give_up);
      // Of another user, say: then as to another host.
      if (writers.ok()) route.writers = *std::move(writers);
    }
    routes[segment.name()] = std::make_shared<const PendingObject::Route>(std::move(route));
  }
  return routes;
}

absl::Status ObjectWriter::TakeBytes(PendingObject& object, TimePoint deadline) {
  absl::StatusOr<WritableBytes> bytes = absl::NotFoundError("not in this process");
  for (PendingObject::Target& target : object.targets) {
    if (!target.route->is_own()) continue;
    bytes = owner_.OpenForWrite(target.extent);
    target.status = bytes.status();
  }
  if (!bytes.ok() && !IsOnlyHere(object)) bytes = buffers_.Take(object.object.size, deadline);
  if (!bytes.ok()) return bytes.status();
  bytes->bytes = bytes->bytes.first(object.object.size);
  object.set_bytes(*std::move(bytes));
  return absl::OkStatus();
}

std::vector<absl::Status> ObjectWriter::FillAll(const Pending& objects,
                                                std::span<const Parts> values, uint64_t bytes,
                                                TimePoint deadline) {
  std::vector<absl::Status> statuses(objects.size());
  std::vector<size_t> here;
  uint64_t bytes_here = 0;
  for (size_t i = 0; i < objects.size(); ++i) {
    if (objects[i] == nullptr) continue;
    const uint64_t size = objects[i]->object.size;
    if (IsOnlyHere(*objects[i])) {
      here.push_back(i);
      bytes_here += size;
      continue;
    }
    statuses[i] = Fill(*objects[i], values[i], deadline);
    if (statuses[i].ok()) StartSending(*objects[i], SpreadOf(size, bytes));
  }
  copy_threads_.ForEach(here.size(), bytes_here, [&](size_t i) {
    statuses[here[i]] = Fill(*objects[here[i]], values[here[i]], deadline);
  });
  return statuses;
}

absl::Status ObjectWriter::Fill(PendingObject& object, const Parts& value, TimePoint deadline) {
  object.value = value;
  const bool straight = std::all_of(
      object.targets.begin(), object.targets.end(),
      [](const PendingObject::Target& target) { return target.route->writers != nullptr; });
  if (straight) return absl::OkStatus();
  const bool away =
      std::none_of(object.targets.begin(), object.targets.end(),
                   [](const PendingObject::Target& target) { return target.route->is_own(); });
  if (away && value.size() == 1) {
    object.Lend(value[0]);
    if (object.object.size > transfer::kMaxPutBytes) {
      object.sent = std::make_shared<PiecewiseChecksum>(value[0]);
    } else {
      object.object.checksum = Checksum64(value[0]);
      object.has_checksum = true;
    }
    return absl::OkStatus();
  }
  RETURN_IF_ERROR(TakeBytes(object, deadline));
  StreamingChecksum checksum;
  std::span<std::byte> rest = object.bytes();
  for (const std::span<const std::byte> part : value) {
    CopyWithChecksum(rest, part, checksum);
    rest = rest.subspan(part.size());
  }
  object.object.checksum = checksum.Digest();
  object.has_checksum = true;
  return absl::OkStatus();
}

std::vector<ErrorCode> ObjectWriter::Commit(
    std::span<const std::unique_ptr<Reservation>> reservations, const CallContext& call) {
  std::vector<PendingObject*> objects;
  uint64_t bytes = 0;
  for (const std::unique_ptr<Reservation>& reservation : reservations) {
    if (reservation == nullptr) return std::vector<ErrorCode>(reservations.size(), kInvalidParams);
    bytes += reservation->bytes().size();
  }
  for (const std::unique_ptr<Reservation>& reservation : reservations) {
    auto* object = static_cast<PendingObject*>(reservation.get());
    object->value = {object->bytes()};
    object->object.checksum = Checksum64(object->bytes());
    object->has_checksum = true;
    StartSending(*object, SpreadOf(object->object.size, bytes));
    objects.push_back(object);
  }
  return Distribute(objects, call);
}

std::vector<ErrorCode> ObjectWriter::Distribute(std::span<PendingObject* const> objects,
                                                const CallContext& call) {
  SendWhole(objects);
  WriteToNeighbours(objects, call.deadline);
  PublishAtOwners(objects, call.deadline);
  return End(objects, call);
}

void ObjectWriter::StartSending(PendingObject& object, transfer::Spread spread) {
  if (object.object.size <= transfer::kMaxPutBytes) return;
  std::shared_ptr<PiecewiseChecksum> checksum = object.sent;
  for (PendingObject::Target& target : object.targets) {
    if (!target.route->is_away()) continue;
    // Of several replicas the first makes the checksum.
    target.transfer =
        transport_.Write(target.route->endpoint,
                         {{target.extent, object.readable(), target.grant, checksum}}, spread);
    checksum = nullptr;
  }
}

void ObjectWriter::SendWhole(std::span<PendingObject* const> objects) {
  struct Batch {
    std::vector<transfer::PutOperation> puts;
    std::vector<PendingObject::Target*> targets;
  };
  std::map<std::string, Batch> batches;  // by endpoint
  for (PendingObject* object : objects) {
    if (object->object.size > transfer::kMaxPutBytes) continue;
    for (PendingObject::Target& target : object->targets) {
      if (!target.route->is_away()) continue;
      Batch& batch = batches[target.route->endpoint];
      batch.puts.push_back({&object->object, target.extent, object->readable(), target.grant});
      batch.targets.push_back(&target);
    }
  }
  for (const auto& [endpoint, batch] : batches) {
    std::vector<transfer::PutTransfer> transfers = transport_.Put(endpoint, batch.puts);
    for (size_t i = 0; i < transfers.size(); ++i) batch.targets[i]->put = std::move(transfers[i]);
  }
}

void ObjectWriter::WriteToNeighbours(std::span<PendingObject* const> objects, TimePoint deadline) {
  struct Batch {
    transfer::SharedMemoryWriters* writers;
    uint64_t bytes = 0;
    std::vector<transfer::StagedWrite> writes;
    std::vector<std::pair<PendingObject*, PendingObject::Target*>> of;
    std::vector<absl::StatusOr<uint64_t>> results;
  };
  uint64_t bytes = 0;
  for (const PendingObject* object : objects) bytes += object->object.size;
  // Each batch goes over a connection of its own, all at the same time.
  const uint64_t most = bytes / copy_threads_.Sharing(bytes);
  std::vector<Batch> batches;
  std::map<transfer::SharedMemoryWriters*, size_t> filling;  // the batch of each
  for (PendingObject* object : objects) {
    for (PendingObject::Target& target : object->targets) {
      if (target.route->writers == nullptr) continue;
      const auto [found, first] = filling.try_emplace(target.route->writers.get(), batches.size());
      if (!first && batches[found->second].bytes >= most) found->second = batches.size();
      if (found->second == batches.size()) batches.push_back({target.route->writers.get()});
      Batch& batch = batches[found->second];
      batch.bytes += object->object.size;
      batch.writes.push_back({At(object->object, target.extent), object->value});
      batch.of.emplace_back(object, &target);
    }
  }
  copy_threads_.ForEach(batches.size(), bytes, [&](size_t i) {
    batches[i].results = batches[i].writers->Write(batches[i].writes, deadline, options_.silence,
                                                   batches.size() > 1);
  });
  for (const Batch& batch : batches) {
    for (size_t i = 0; i < batch.results.size(); ++i) {
      const absl::StatusOr<uint64_t>& result = batch.results[i];
      const auto& [object, target] = batch.of[i];
      target->status = result.status();
      if (!result.ok()) continue;
      counters_.shared_write_bytes.Increment(static_cast<double>(object->object.size));
      if (!object->has_checksum) {
        object->object.checksum = *result;
        object->has_checksum = true;
      } else if (object->object.checksum != *result) {
        target->status = absl::DataLossError("the value changed while it was being put");
      }
    }
  }
}

void ObjectWriter::PublishAtOwners(std::span<PendingObject* const> objects, TimePoint deadline) {
  // While an owner checks one object, the bytes of the next arrive.
  for (PendingObject* object : objects) {
    const HeldObject& described = object->object;
    for (PendingObject::Target& target : object->targets) {
      if (target.put.has_value()) {
        target.status = target.put->Wait(deadline, options_.silence);
        if (!target.status.ok()) continue;
        counters_.remote_write_bytes.Increment(static_cast<double>(described.size));
      } else if (target.transfer != nullptr) {
        target.status = target.transfer->Wait(deadline, options_.silence);
        if (!target.status.ok()) continue;
        counters_.remote_write_bytes.Increment(static_cast<double>(described.size));
        object->FinishChecksum();
        target.transfer = transport_.Publish(target.route->endpoint,
                                             {{At(described, target.extent), target.grant}});
      } else if (target.route->is_own() && target.status.ok()) {
        target.status = owner_.PublishChecked(At(described, target.extent));
        counters_.local_write_bytes.Increment(static_cast<double>(described.size));
      }
    }
  }
  for (PendingObject* object : objects) {
    for (PendingObject::Target& target : object->targets) {
      if (target.transfer == nullptr || !target.status.ok()) continue;
      target.status = target.transfer->Wait(deadline, options_.silence);
    }
  }
}

std::vector<ErrorCode> ObjectWriter::End(std::span<PendingObject* const> objects,
                                         const CallContext& call) {
  std::vector<ErrorCode> codes(objects.size(), kTransferFailed);
  proto::PutEndRequest request;
  request.set_client_id(options_.client_id);
  request.set_request_id(call.request_id);
  std::vector<size_t> ended;
  for (size_t i = 0; i < objects.size(); ++i) {
    for (const PendingObject::Target& target : objects[i]->targets) {
      if (target.status.ok()) continue;
      spdlog::warn("a replica of {} was not written to {}: {}", objects[i]->object.key,
                   target.route->segment, std::string(target.status.message()));
    }
    if (!AnyWritten(*objects[i])) {
      codes[i] = FailureOf(*objects[i]);
      continue;  // letting go of it tells the master
    }
    *request.add_items() = objects[i]->EndItem(/*all=*/false);
    ended.push_back(i);
  }
  if (ended.empty()) return codes;
  const auto response = master_.PutEnd(request, call.deadline);
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

void ObjectWriter::TakeBackBytes(PendingObject& object) {
  if (!object.lent().has_value()) return;
  std::vector<std::string> endpoints;
  for (const PendingObject::Target& target : object.targets) {
    const bool under_way = target.transfer != nullptr || target.put.has_value();
    if (under_way) endpoints.push_back(target.route->endpoint);
  }
  TakeBack(*object.lent(), endpoints, transport_, object.object.key);
}

void ObjectWriter::Forget(const PendingObject& object) {
  for (const PendingObject::Target& target : object.targets) {
    if (target.route->is_own()) {
      owner_.Forget(target.extent);
    } else {
      transport_.Forget(target.route->endpoint, {{target.extent, target.grant}});
    }
  }
}

}  // namespace tandem::store

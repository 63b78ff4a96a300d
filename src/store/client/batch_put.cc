#include "store/client/batch_put.h"

#include <spdlog/spdlog.h>

#include <utility>

namespace tandem::store {
namespace {

// Written in about the time that the master takes for as many others.
constexpr size_t kMostKeys = 16;

uint64_t SizeOf(const Parts& parts) {
  uint64_t size = 0;
  for (const std::span<const std::byte> part : parts) size += part.size();
  return size;
}

}  // namespace

std::vector<ErrorCode> BatchPut::Run() {
  const bool valid = config_.replica_num > 0;
  codes_.assign(keys_.size(), valid ? kRpcFailed : kInvalidParams);
  if (!valid || keys_.empty()) return codes_;
  Lot before;
  Lot next = Ask(0);
  while (!next.sizes.empty()) {
    Lot lot = std::move(next);
    Place(lot);
    next = Ask(lot.first + lot.sizes.size());
    Write(lot);
    Finish(before);
    before = std::move(lot);
  }
  Finish(before);
  return codes_;
}

BatchPut::Lot BatchPut::Ask(size_t first) {
  Lot lot{.first = first};
  // No more than local buffers hold, should all go to other hosts.
  for (size_t i = first; i < keys_.size() && lot.sizes.size() < kMostKeys; ++i) {
    const uint64_t size = SizeOf(values_[i]);
    if (i > first && lot.bytes + size > writer_.buffers_.capacity()) break;
    lot.sizes.push_back(size);
    lot.bytes += size;
  }
  if (lot.sizes.empty()) return lot;
  lot.places =
      writer_.AskForPlaces(keys_.subspan(first, lot.sizes.size()), lot.sizes, config_, deadline_);
  return lot;
}

void BatchPut::Place(Lot& lot) {
  lot.objects = writer_.TakePlaces(keys_.subspan(lot.first, lot.sizes.size()), lot.sizes, config_,
                                   std::move(lot.places), deadline_,
                                   std::span(codes_).subspan(lot.first, lot.sizes.size()));
}

void BatchPut::Write(Lot& lot) {
  std::vector<PendingObject*> filled;
  for (size_t i = 0; i < lot.objects.size(); ++i) {
    if (lot.objects[i] == nullptr) continue;
    PendingObject& object = *lot.objects[i];
    const size_t place = lot.first + i;
    const absl::Status status = writer_.Fill(object, values_[place], deadline_);
    if (!status.ok()) {
      spdlog::warn("{} cannot be written: {}", keys_[place], std::string(status.message()));
      codes_[place] = CodeOfNoBytes(status);
      continue;
    }
    writer_.StartSending(object, lot.bytes);
    filled.push_back(&object);
    lot.filled.push_back(place);
  }
  writer_.FinishSending(filled, deadline_);
  // The next lot may need the local buffers.
  for (PendingObject* object : filled) object->set_bytes({});
  lot.ending = writer_.StartEnd(std::move(filled), deadline_);
}

void BatchPut::Finish(Lot& lot) {
  const std::vector<PendingObject*> objects = lot.ending.objects;
  const std::vector<ErrorCode> codes = writer_.FinishEnd(std::move(lot.ending));
  for (size_t i = 0; i < objects.size(); ++i) {
    codes_[lot.filled[i]] = codes[i];
    writer_.TakeBack(*objects[i]);
  }
}

}  // namespace tandem::store

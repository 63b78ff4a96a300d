#include "store/client/extent_directory.h"

#include <fmt/format.h>

#include "base/status.h"

namespace tandem::store {

ExtentDirectory::Entries::iterator ExtentDirectory::Find(const Extent& extent) {
  const auto found = entries_.find(extent.offset);
  return found != entries_.end() && found->second.extent == extent ? found : entries_.end();
}

ExtentDirectory::Entries::iterator ExtentDirectory::FirstOverlap(const Extent& extent) {
  auto entry = entries_.upper_bound(extent.offset);
  if (entry != entries_.begin()) {
    const auto before = std::prev(entry);
    if (before->second.extent.offset + before->second.extent.length > extent.offset) return before;
  }
  return entry;
}

absl::Status ExtentDirectory::HoldForWrite(const Extent& extent) {
  MutexLock lock(mutex_);
  if (const auto same = Find(extent); same != entries_.end()) {
    if (same->second.state != State::kWriting) {
      return absl::FailedPreconditionError("the extent is published or given up already");
    }
    if (++same->second.holds == 1) held_.insert(extent.offset);
    return absl::OkStatus();
  }
  const uint64_t end = extent.offset + extent.length;
  const auto first = FirstOverlap(extent);
  auto last = first;
  for (; last != entries_.end() && last->second.extent.offset < end; ++last) {
    const Entry& entry = last->second;
    if (entry.extent.generation >= extent.generation) {
      return absl::FailedPreconditionError(
          fmt::format("the extent's generation {} has been followed by {}", extent.generation,
                      entry.extent.generation));
    }
    if (entry.holds > 0) return absl::UnavailableError("the extent is still held by its last user");
  }
  entries_.erase(first, last);
  entries_[extent.offset] = {.extent = extent, .state = State::kWriting, .holds = 1};
  held_.insert(extent.offset);
  return absl::OkStatus();
}

absl::StatusOr<ExtentDirectory::Entries::iterator> ExtentDirectory::FindPublished(
    const Extent& extent) {
  const auto found = Find(extent);
  if (found == entries_.end() || found->second.state != State::kPublished) {
    return absl::NotFoundError("the segment does not hold that object any more");
  }
  return found;
}

absl::Status ExtentDirectory::HoldForRead(const Extent& extent) {
  MutexLock lock(mutex_);
  ASSIGN_OR_RETURN(const auto found, FindPublished(extent));
  ++found->second.holds;
  held_.insert(extent.offset);
  return absl::OkStatus();
}

absl::Status ExtentDirectory::HoldForStore(const Extent& extent) {
  MutexLock lock(mutex_);
  ASSIGN_OR_RETURN(const auto found, FindPublished(extent));
  ++found->second.holds;
  ++found->second.stores;
  return absl::OkStatus();
}

void ExtentDirectory::Release(const Extent& extent) {
  MutexLock lock(mutex_);
  const auto found = Find(extent);
  if (found == entries_.end()) return;
  Entry& entry = found->second;
  if (--entry.holds == entry.stores) held_.erase(extent.offset);
  if (entry.holds == 0 && entry.state == State::kForgotten) entries_.erase(found);
}

void ExtentDirectory::ReleaseStore(const Extent& extent) {
  MutexLock lock(mutex_);
  const auto found = Find(extent);
  if (found == entries_.end()) return;
  Entry& entry = found->second;
  --entry.stores;
  if (--entry.holds == 0 && entry.state == State::kForgotten) entries_.erase(found);
}

std::shared_ptr<PiecewiseChecksum> ExtentDirectory::Arriving(const Extent& extent,
                                                             std::span<const std::byte> bytes) {
  MutexLock lock(mutex_);
  const auto found = Find(extent);
  if (found == entries_.end() || found->second.state != State::kWriting) return nullptr;
  std::shared_ptr<PiecewiseChecksum>& arriving = found->second.arriving;
  if (arriving == nullptr) arriving = std::make_shared<PiecewiseChecksum>(bytes);
  return arriving;
}

absl::Status ExtentDirectory::Publish(const HeldObject& object) {
  MutexLock lock(mutex_);
  const auto found = Find(object.extent);
  if (found == entries_.end() || found->second.state != State::kWriting) {
    return absl::FailedPreconditionError("the extent was not being written in that generation");
  }
  found->second.state = State::kPublished;
  found->second.arriving.reset();
  found->second.object = object;
  return absl::OkStatus();
}

void ExtentDirectory::Forget(const Extent& extent) {
  MutexLock lock(mutex_);
  const auto found = Find(extent);
  if (found == entries_.end()) return;
  if (found->second.holds == 0) {
    entries_.erase(found);
  } else {
    found->second.state = State::kForgotten;
  }
}

std::vector<uint64_t> ExtentDirectory::Held() const {
  MutexLock lock(mutex_);
  std::vector<uint64_t> generations;
  for (const uint64_t offset : held_) {
    const Entry& entry = entries_.at(offset);
    if (entry.state != State::kWriting) generations.push_back(entry.extent.generation);
  }
  return generations;
}

bool ExtentDirectory::IsPublished(const Extent& extent) const {
  MutexLock lock(mutex_);
  const auto found = entries_.find(extent.offset);
  return found != entries_.end() && found->second.extent == extent &&
         found->second.state == State::kPublished;
}

std::vector<HeldObject> ExtentDirectory::Published() const {
  MutexLock lock(mutex_);
  std::vector<HeldObject> objects;
  for (const auto& [offset, entry] : entries_) {
    if (entry.state == State::kPublished) objects.push_back(entry.object);
  }
  return objects;
}

}  // namespace tandem::store

#include "store/master/segment_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace tandem::store {
namespace {

constexpr uint64_t kMegabyte = 1 << 20;
constexpr uint64_t kLargest = uint64_t{1} << 50;
/// A segment that the budget would lower below this is refused.
constexpr uint64_t kLeastLowered = 16 * kMegabyte;

std::string FormatSize(uint64_t bytes) {
  if (bytes >= 1024 * kMegabyte) return fmt::format("{:.1f} GB", double(bytes) / (1 << 30));
  return fmt::format("{:.1f} MB", double(bytes) / kMegabyte);
}

SegmentTable::Grant GrantFromBudget(uint64_t asked, uint64_t budget, uint64_t taken) {
  const uint64_t rest = budget - std::min(budget, taken);
  if (asked <= rest) return {kOk, asked, ""};
  const uint64_t lowered = rest / 2 / kMegabyte * kMegabyte;
  std::string why = fmt::format(
      "{} asked for; all segments of this host together may take {} (50 % of its available memory)",
      FormatSize(asked), FormatSize(budget));
  if (taken > 0) why += fmt::format(", of which {} are taken", FormatSize(taken));
  if (lowered < kLeastLowered) {
    return {kNoSpace, 0,
            fmt::format("{}: refused, as what is left is less than twice {}", why,
                        FormatSize(kLeastLowered))};
  }
  return {kOk, lowered, fmt::format("{}: granted {}", why, FormatSize(lowered))};
}

}  // namespace

SegmentTable::Grant SegmentTable::FindGrant(const proto::MountSegmentRequest& request) const {
  const proto::Segment& asked = request.segment();
  if (asked.name().empty() || request.client_id().empty() || asked.size() == 0 ||
      asked.size() > kLargest) {
    return {kInvalidParams, 0, "a segment needs a name, a client_id and 1 to 2^50 bytes"};
  }
  if (const MountedSegment* mounted = Find(asked.name())) {
    const uint64_t size = mounted->description.size();
    if (mounted->owner() != request.client_id()) {
      return {kSegmentExists, 0,
              fmt::format("segment '{}' belongs to another live client", asked.name())};
    }
    if (request.exact() && size != asked.size()) {
      return {kSegmentExists, 0,
              fmt::format("segment '{}' is mounted with {} bytes", asked.name(), size)};
    }
    return {kOk, size, ""};
  }
  if (request.exact()) return {kOk, asked.size(), ""};
  uint64_t taken = 0;
  for (const auto& [name, segment] : by_name_) {
    if (segment->boot_id == request.boot_id()) taken += segment->description.size();
  }
  return GrantFromBudget(asked.size(), request.host_budget(), taken);
}

SegmentTable::Grant SegmentTable::Mount(const proto::MountSegmentRequest& request) {
  Grant grant = FindGrant(request);
  if (grant.code != kOk || Find(request.segment().name()) != nullptr) return grant;
  proto::Segment description = request.segment();
  description.set_client_id(request.client_id());
  description.set_size(grant.bytes);
  auto segment = std::make_unique<MountedSegment>(description);
  segment->boot_id = request.boot_id();
  capacity_ += grant.bytes;
  by_name_[description.name()] = std::move(segment);
  return grant;
}

void SegmentTable::Unmount(const std::string& name) {
  const auto it = by_name_.find(name);
  if (it == by_name_.end()) return;
  capacity_ -= it->second->description.size();
  by_name_.erase(it);
}

MountedSegment* SegmentTable::Find(const std::string& name) const {
  const auto it = by_name_.find(name);
  return it == by_name_.end() ? nullptr : it->second.get();
}

std::vector<MountedSegment*> SegmentTable::OwnedBy(const std::string& client_id) const {
  std::vector<MountedSegment*> owned;
  for (const auto& [name, segment] : by_name_) {
    if (segment->owner() == client_id) owned.push_back(segment.get());
  }
  return owned;
}

std::vector<MountedSegment*> SegmentTable::All() const {
  std::vector<MountedSegment*> all;
  for (const auto& [name, segment] : by_name_) all.push_back(segment.get());
  return all;
}

uint64_t SegmentTable::used() const {
  uint64_t used = 0;
  for (const auto& [name, segment] : by_name_) used += segment->extents.used();
  return used;
}

size_t SegmentTable::stored_count() const {
  size_t count = 0;
  for (const auto& [name, segment] : by_name_) count += segment->stored.size();
  return count;
}

uint64_t SegmentTable::stored_bytes() const {
  uint64_t bytes = 0;
  for (const auto& [name, segment] : by_name_) bytes += segment->stored_bytes;
  return bytes;
}

double SegmentTable::fragmentation() const {
  uint64_t free = 0, in_one_piece = 0;
  for (const auto& [name, segment] : by_name_) {
    free += segment->extents.size() - segment->extents.used();
    in_one_piece += segment->extents.largest_free();
  }
  return free == 0 ? 0 : 1 - double(in_one_piece) / double(free);
}

uint64_t SegmentTable::largest() const {
  uint64_t largest = 0;
  for (const auto& [name, segment] : by_name_) {
    largest = std::max(largest, segment->extents.size());
  }
  return largest;
}

}  // namespace tandem::store

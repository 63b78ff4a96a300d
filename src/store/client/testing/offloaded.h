#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "store/client/testing/in_process_master.h"
#include "store/client/testing/member.h"
#include "store/disk/testing/faulty_io.h"
#include "store/disk/testing/temporary_directory.h"

namespace tandem::store::testing {

inline constexpr size_t kObject = 1 << 20;
/// Of objects of that size a segment keeps so many in memory, more or less.
inline constexpr int kInMemory = 26;

inline std::string Key(int i) { return "key " + std::to_string(i); }
/// Of one random page over and over, as making more of them takes most of the time of a test.
inline std::vector<std::byte> Value(int i) {
  const std::vector<std::byte> page = RandomBytes(4096, static_cast<uint64_t>(i));
  std::vector<std::byte> value;
  while (value.size() < kObject) value.insert(value.end(), page.begin(), page.end());
  return value;
}

/// A master that has objects go to disk below a directory of the test's.
class OffloadedTest : public ::testing::Test {
 protected:
  void StartMaster(uint64_t capacity = 0, const std::string& directory = "",
                   MasterOptions options = {}) {
    options.lease_ttl = Duration::zero();
    options.offload_directory = directory.empty() ? directory_.path() : directory;
    options.offload_capacity_bytes = capacity;
    master_ = std::make_unique<InProcessMaster>(options);
  }
  std::unique_ptr<Member> MakeOwner(const Security& security = {}) {
    return std::make_unique<Member>(*master_, kSegment, "host-a", std::chrono::seconds(10), false,
                                    security, [this] {
                                      auto io = std::make_unique<FaultyIo>();
                                      io_ = io.get();
                                      return io;
                                    });
  }
  /// Puts objects, each once the master knows that its forerunners are where they belong.
  void Put(Member& owner, int count) {
    for (int i = 0; i < count; ++i) {
      ASSERT_EQ(owner.Put(Key(i), Value(i)), kOk) << i;
      const int on_disk = i + 1 - kInMemory;
      ASSERT_TRUE(Eventually([&] {
        return on_disk <= 0 || StoredBytes() >= static_cast<uint64_t>(on_disk) * kObject;
      })) << i
          << ": " << owner->OnDisk().size();
    }
  }
  /// What all owners have told the master to be on disk.
  uint64_t StoredBytes() {
    const auto segments = master_->Connect()->ListSegments({}, In(std::chrono::seconds(20)));
    uint64_t bytes = 0;
    for (const uint64_t stored : segments->disk_used()) bytes += stored;
    return bytes;
  }
  static bool HasOnDisk(Member& owner, const std::string& key) {
    return std::ranges::any_of(owner->OnDisk(),
                               [&](const StoredObject& object) { return object.key == key; });
  }
  bool IsOnDiskAlone(const std::string& key) {
    const proto::GetReplicasResult found = Ask(key);
    return found.extents_size() == 1 && found.extents(0).on_disk();
  }
  proto::GetReplicasResult Ask(const std::string& key, bool without_lease = true) {
    proto::GetReplicasRequest request;
    request.add_keys(key);
    request.set_without_lease(without_lease);
    return master_->Connect()->GetReplicas(request, In(std::chrono::seconds(20)))->results(0);
  }
  static ErrorCode Remove(Member& member, const std::string& key,
                          Duration wait = std::chrono::seconds(20)) {
    return member->Remove(std::vector{key}, /*force=*/true, In(wait))[0];
  }

  const TemporaryDirectory directory_;
  std::unique_ptr<InProcessMaster> master_;
  std::atomic<FaultyIo*> io_ = nullptr;
};

}  // namespace tandem::store::testing

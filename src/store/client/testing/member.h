#pragma once

#include <gtest/gtest.h>

#include <random>
#include <thread>

#include "store/client/pool_member.h"
#include "store/client/testing/in_process_master.h"

namespace tandem::store::testing {

inline constexpr uint64_t kSegment = 32 << 20;

inline TimePoint In(Duration wait) { return Clock::Real().Now() + wait; }

/// Repeats a question until the answer is yes.
template <typename Condition>
bool Eventually(Condition condition) {
  const TimePoint give_up = In(std::chrono::seconds(20));
  while (!condition()) {
    if (Clock::Real().Now() > give_up) return false;
    std::this_thread::yield();
  }
  return true;
}

inline std::vector<std::byte> RandomBytes(size_t size, uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<std::byte> bytes(size);
  for (std::byte& byte : bytes) byte = static_cast<std::byte>(random());
  return bytes;
}

/// The master drops the one segment that there is, as if its owner had been silent for too long.
inline void UnmountOnlySegment(InProcessMaster& master) {
  const auto connection = master.Connect();
  const auto segments = connection->ListSegments({}, In(std::chrono::seconds(20)));
  ASSERT_EQ(segments->segments_size(), 1);
  proto::UnmountSegmentRequest unmount;
  unmount.set_client_id(segments->segments(0).client_id());
  unmount.set_segment(segments->segments(0).name());
  ASSERT_EQ(connection->UnmountSegment(unmount, In(std::chrono::seconds(20)))->code(), kOk);
}

/// A member together with the registry it counts in.
class Member {
 public:
  Member(InProcessMaster& master, uint64_t segment_bytes, const std::string& host = "host-a",
         Duration transfer_timeout = std::chrono::seconds(10), bool verify_local_reads = false,
         const Security& security = {}, DiskTier::MakeIo make_io = {}) {
    StoreClientOptions options;
    options.local_hostname = "127.0.0.1";
    options.master_address = "test:1";
    options.metadata_server = "P2PHANDSHAKE";
    options.segment_bytes = segment_bytes;
    options.local_buffer_bytes = 16 << 20;
    options.call_timeout = std::chrono::seconds(20);
    options.transfer_timeout = transfer_timeout;
    options.verify_local_reads = verify_local_reads;
    auto joined = PoolMember::Join(options, security, master.Connect(), host, registry_,
                                   Clock::Real(), std::move(make_io));
    EXPECT_TRUE(joined.ok()) << joined.status();
    client_ = *std::move(joined);
  }

  PoolMember* operator->() { return client_.get(); }
  MetricRegistry& registry() { return registry_; }
  void Leave() { client_.reset(); }

  ErrorCode Put(const std::string& key, std::span<const std::byte> value,
                const ReplicateConfig& config = {}) {
    return client_->Put(std::vector{key}, std::vector{value}, config,
                        In(std::chrono::seconds(20)))[0];
  }
  std::unique_ptr<ReadHandle> Read(const std::string& key, ErrorCode* code = nullptr) {
    std::vector<ErrorCode> codes;
    auto handles = client_->Read(std::vector{key}, In(std::chrono::seconds(20)), &codes);
    if (code != nullptr) *code = codes[0];
    return std::move(handles[0]);
  }
  bool Holds(const std::string& key, std::span<const std::byte> value) {
    const auto handle = Read(key);
    return handle != nullptr && std::ranges::equal(handle->bytes(), value);
  }
  int64_t Find(const std::string& key) {
    return client_->Find(std::vector{key}, In(std::chrono::seconds(20)))[0];
  }

 private:
  MetricRegistry registry_;
  std::unique_ptr<PoolMember> client_;
};

}  // namespace tandem::store::testing

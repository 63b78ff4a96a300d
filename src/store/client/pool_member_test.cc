#include "store/client/pool_member.h"

#include <gtest/gtest.h>

#include <random>
#include <thread>

#include "store/client/testing/in_process_master.h"

namespace tandem::store {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::InProcessMaster;

constexpr uint64_t kSegment = 32 << 20;

TimePoint In(Duration wait) { return Clock::Real().Now() + wait; }

/// Repeats a question until the answer is yes.
template <typename Condition>
bool Eventually(Condition condition) {
  const TimePoint give_up = In(seconds(20));
  while (!condition()) {
    if (Clock::Real().Now() > give_up) return false;
    std::this_thread::yield();
  }
  return true;
}

std::vector<std::byte> RandomBytes(size_t size, uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<std::byte> bytes(size);
  for (std::byte& byte : bytes) byte = static_cast<std::byte>(random());
  return bytes;
}

/// A member together with the registry it counts in.
class Member {
 public:
  Member(InProcessMaster& master, uint64_t segment_bytes, const std::string& host = "host-a") {
    StoreClientOptions options;
    options.local_hostname = "127.0.0.1";
    options.master_address = "test:1";
    options.metadata_server = "P2PHANDSHAKE";
    options.segment_bytes = segment_bytes;
    options.local_buffer_bytes = 16 << 20;
    options.call_timeout = seconds(20);
    options.transfer_timeout = seconds(10);
    auto joined = PoolMember::Join(options, master.Connect(), host, registry_, Clock::Real());
    EXPECT_TRUE(joined.ok()) << joined.status();
    client_ = *std::move(joined);
  }

  PoolMember* operator->() { return client_.get(); }
  void Leave() { client_.reset(); }

  ErrorCode Put(const std::string& key, std::span<const std::byte> value,
                const ReplicateConfig& config = {}) {
    return client_->Put(std::vector{key}, std::vector{value}, config, In(seconds(20)))[0];
  }
  std::unique_ptr<ReadHandle> Read(const std::string& key, ErrorCode* code = nullptr) {
    std::vector<ErrorCode> codes;
    auto handles = client_->Read(std::vector{key}, In(seconds(20)), &codes);
    if (code != nullptr) *code = codes[0];
    return std::move(handles[0]);
  }
  bool Holds(const std::string& key, std::span<const std::byte> value) {
    const auto handle = Read(key);
    return handle != nullptr && std::ranges::equal(handle->bytes(), value);
  }
  int64_t Find(const std::string& key) {
    return client_->Find(std::vector{key}, In(seconds(20)))[0];
  }

 private:
  MetricRegistry registry_;
  std::unique_ptr<PoolMember> client_;
};

class PoolMemberTest : public ::testing::Test {
 protected:
  InProcessMaster master_;
};

TEST_F(PoolMemberTest, ReadsItsOwnObjectsInPlace) {
  Member member(master_, kSegment);
  const auto value = RandomBytes(100'000, 1);
  EXPECT_EQ(member.Put("key", value), kOk);
  EXPECT_TRUE(member.Holds("key", value));
  EXPECT_EQ(member.Find("key"), 100'000);
  EXPECT_EQ(member.Find("other"), kObjectNotFound);
  EXPECT_EQ(member->counters().local_write_bytes, 100'000u);
  EXPECT_EQ(member->counters().mapped_read_bytes, 100'000u);
  EXPECT_EQ(member->counters().remote_read_bytes, 0u);
}

TEST_F(PoolMemberTest, MapsASegmentOfTheSameHost) {
  Member writer(master_, kSegment), reader(master_, 0);
  const auto value = RandomBytes(3 << 20, 2);
  ASSERT_EQ(writer.Put("key", value), kOk);
  EXPECT_TRUE(reader.Holds("key", value));
  EXPECT_EQ(reader->counters().mapped_read_bytes, 3u << 20);
  EXPECT_EQ(reader->counters().remote_read_bytes, 0u);
}

TEST_F(PoolMemberTest, ReceivesFromAnotherHost) {
  Member writer(master_, kSegment), reader(master_, kSegment, "host-b");
  const auto value = RandomBytes(14 << 20, 3);
  ASSERT_EQ(writer.Put("key", value), kOk);
  EXPECT_TRUE(reader.Holds("key", value));
  EXPECT_EQ(reader->counters().mapped_read_bytes, 0u);
  EXPECT_EQ(reader->counters().remote_read_bytes, 14u << 20);
}

TEST_F(PoolMemberTest, AMemberWithoutMemoryWritesToAnothers) {
  Member owner(master_, kSegment), writer(master_, 0), reader(master_, 0, "host-b");
  const auto value = RandomBytes(2'500'000, 4);
  ASSERT_EQ(writer.Put("key", value), kOk);
  EXPECT_EQ(writer->counters().remote_write_bytes, 2'500'000u);
  EXPECT_TRUE(owner.Holds("key", value));
  EXPECT_TRUE(reader.Holds("key", value));
  EXPECT_TRUE(writer.Holds("key", value));
}

TEST_F(PoolMemberTest, KeepsReplicasOnDistinctSegments) {
  Member first(master_, kSegment), second(master_, kSegment), reader(master_, 0);
  const auto value = RandomBytes(1'000'000, 5);
  ASSERT_EQ(first.Put("key", value, {.replica_num = 2}), kOk);
  EXPECT_EQ(first->counters().remote_write_bytes, 1'000'000u);
  ASSERT_EQ(reader.Find("key"), 1'000'000);
  // What was found is read from the replica that is left.
  first.Leave();
  EXPECT_TRUE(reader.Holds("key", value));
}

TEST_F(PoolMemberTest, AFindSavesTheReadItsCall) {
  Member writer(master_, kSegment), reader(master_, 0);
  std::vector<std::string> keys;
  std::vector<std::vector<std::byte>> values;
  std::vector<std::span<const std::byte>> spans;
  for (int i = 0; i < 40; ++i) {
    keys.push_back("key" + std::to_string(i));
    values.push_back(RandomBytes(1000 + i, i));
  }
  for (const auto& value : values) spans.push_back(value);
  const int before_put = master_.calls();
  for (ErrorCode code : writer->Put(keys, spans, {}, In(seconds(20)))) ASSERT_EQ(code, kOk);
  EXPECT_EQ(master_.calls() - before_put, 2);  // PutStart and PutEnd

  const int before = master_.calls();
  const auto sizes = reader->Find(keys, In(seconds(20)));
  std::vector<std::vector<std::byte>> copies;
  std::vector<std::span<std::byte>> buffers;
  for (int64_t size : sizes) copies.emplace_back(size);
  for (auto& copy : copies) buffers.push_back(copy);
  EXPECT_EQ(reader->ReadInto(keys, buffers, In(seconds(20))), sizes);
  EXPECT_EQ(master_.calls() - before, 1);
  EXPECT_EQ(copies, values);
}

TEST_F(PoolMemberTest, ReadIntoChecksEachBuffer) {
  Member member(master_, kSegment);
  const auto value = RandomBytes(1000, 6);
  ASSERT_EQ(member.Put("key", value), kOk);
  std::vector<std::byte> large(2000), small(999);
  const std::vector<std::string> keys = {"key", "key", "none"};
  const std::vector<std::span<std::byte>> buffers = {large, small, large};
  EXPECT_EQ(member->ReadInto(keys, buffers, In(seconds(20))),
            (std::vector<int64_t>{1000, kInvalidParams, kObjectNotFound}));
}

TEST_F(PoolMemberTest, AReservationThatIsDroppedGivesTheRoomBack) {
  Member member(master_, 1 << 20);
  const std::vector<std::string> keys = {"key"};
  const std::vector<uint64_t> sizes = {900'000};
  std::vector<ErrorCode> codes;
  auto reserved = member->Reserve(keys, sizes, {}, In(seconds(20)), &codes);
  ASSERT_EQ(codes[0], kOk);
  auto second =
      member->Reserve(std::vector<std::string>{"other"}, sizes, {}, In(seconds(20)), &codes);
  EXPECT_EQ(codes[0], kNoSpace);
  EXPECT_EQ(second[0], nullptr);
  reserved.clear();
  EXPECT_TRUE(Eventually([&] { return member.Put("other", RandomBytes(900'000, 7)) == kOk; }));
}

TEST_F(PoolMemberTest, WhatIsHeldIsNeverOverwritten) {
  Member owner(master_, 1 << 20), reader(master_, 0);
  const auto value = RandomBytes(900'000, 8);
  ASSERT_EQ(owner.Put("key", value), kOk);
  auto handle = reader.Read("key");
  ASSERT_NE(handle, nullptr);
  // The master gives the extent to the next writer, whatever the lease; the owner does not.
  ASSERT_EQ(owner->Remove(std::vector<std::string>{"key"}, true, In(seconds(20)))[0], kOk);
  const auto next = RandomBytes(900'000, 9);
  EXPECT_EQ(owner.Put("next", next), kNoSpace);
  EXPECT_TRUE(std::ranges::equal(handle->bytes(), value));
  handle.reset();
  EXPECT_TRUE(Eventually([&] { return owner.Put("next", next) == kOk; }));
  EXPECT_TRUE(reader.Holds("next", next));
}

TEST_F(PoolMemberTest, AReplicaThatIsGoneIsReportedAndAMiss) {
  Member owner(master_, kSegment), reader(master_, 0);
  ASSERT_EQ(owner.Put("key", RandomBytes(1000, 10)), kOk);
  ASSERT_EQ(reader.Find("key"), 1000);
  ASSERT_EQ(owner->Remove(std::vector<std::string>{"key"}, true, In(seconds(20)))[0], kOk);
  ASSERT_TRUE(Eventually([&] { return owner->Published().empty(); }));
  ErrorCode code = kOk;
  EXPECT_EQ(reader.Read("key", &code), nullptr);
  EXPECT_EQ(code, kTransferFailed);
  EXPECT_EQ(reader->counters().lost_replicas, 1u);
  EXPECT_EQ(reader.Read("key", &code), nullptr);
  EXPECT_EQ(code, kObjectNotFound);
}

TEST_F(PoolMemberTest, AnOwnerThatLeftIsAMissAtOnce) {
  Member owner(master_, kSegment), local(master_, 0), remote(master_, 0, "host-b");
  ASSERT_EQ(owner.Put("key", RandomBytes(1000, 11)), kOk);
  ASSERT_EQ(local.Find("key"), 1000);
  ASSERT_EQ(remote.Find("key"), 1000);
  owner.Leave();
  const TimePoint start = Clock::Real().Now();
  EXPECT_EQ(local.Read("key"), nullptr);
  EXPECT_EQ(remote.Read("key"), nullptr);
  EXPECT_LT(Clock::Real().Now() - start, seconds(5));
}

TEST_F(PoolMemberTest, RegistersWhatItHoldsAfterTheMasterLostItsMemory) {
  Member owner(master_, kSegment), reader(master_, 0);
  const auto kept = RandomBytes(100'000, 12);
  ASSERT_EQ(owner.Put("kept", kept), kOk);
  ASSERT_EQ(owner.Put("removed", RandomBytes(1000, 13)), kOk);
  ASSERT_EQ(owner->Remove(std::vector<std::string>{"removed"}, true, In(seconds(20)))[0], kOk);
  ASSERT_TRUE(Eventually([&] { return owner->Published().size() == 1; }));
  master_.Stop();
  EXPECT_TRUE(Eventually([&] { return !owner->healthy(); }));
  EXPECT_EQ(owner.Put("meanwhile", kept), kRpcFailed);
  EXPECT_EQ(owner.Find("kept"), kRpcFailed);
  master_.Restart();
  EXPECT_TRUE(Eventually([&] { return reader.Find("kept") == 100'000; }));
  EXPECT_TRUE(reader.Holds("kept", kept));
  EXPECT_EQ(reader.Find("removed"), kObjectNotFound);
  EXPECT_TRUE(Eventually([&] { return owner.Put("later", kept) == kOk; }));
  EXPECT_TRUE(reader.Holds("later", kept));
  EXPECT_TRUE(owner->healthy());
}

TEST_F(PoolMemberTest, SizesBeyondTheMachineAreLowered) {
  Member member(master_, uint64_t{1} << 50);
  EXPECT_GT(member->segment_bytes(), 0u);
  EXPECT_LT(member->segment_bytes(), uint64_t{1} << 50);
  const auto value = RandomBytes(1000, 14);
  EXPECT_EQ(member.Put("key", value), kOk);
  EXPECT_TRUE(member.Holds("key", value));
}

TEST_F(PoolMemberTest, ManyThreadsPutAndRead) {
  Member writer(master_, kSegment), local(master_, kSegment), remote(master_, kSegment, "host-b");
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 20; ++i) {
        const std::string key = std::to_string(t) + "/" + std::to_string(i);
        const auto value = RandomBytes(1 + 10'000 * i, t * 100 + i);
        ASSERT_EQ(writer.Put(key, value), kOk);
        ASSERT_TRUE(local.Holds(key, value));
        ASSERT_TRUE(remote.Holds(key, value));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(local->counters().remote_read_bytes, 0u);
  EXPECT_EQ(remote->counters().mapped_read_bytes, 0u);
  EXPECT_EQ(writer->ListKeys("1/", 0, "", In(seconds(20)))->size(), 20u);
  EXPECT_EQ(writer->RemoveAll(true, In(seconds(20))), 60);
}

TEST_F(PoolMemberTest, RefusesAMasterThatDoesNotAnswer) {
  master_.Stop();
  MetricRegistry registry;
  StoreClientOptions options;
  options.local_hostname = "127.0.0.1";
  options.master_address = "10.0.0.1:50051";
  const auto joined =
      PoolMember::Join(options, master_.Connect(), "host-a", registry, Clock::Real());
  EXPECT_TRUE(absl::IsUnavailable(joined.status()));
  const std::string message(joined.status().message());
  EXPECT_NE(message.find("master_server_address \"10.0.0.1:50051\""), std::string::npos) << message;
}

TEST(StoreClient, NamesTheOptionThatIsWrong) {
  MetricRegistry registry;
  StoreClientOptions options;
  options.local_hostname = "127.0.0.1";
  options.master_address = "127.0.0.1:1";
  const auto message = [&] {
    return std::string(StoreClient::Create(options, registry, Clock::Real()).status().message());
  };
  EXPECT_NE(message().find("master_server_address \"127.0.0.1:1\""), std::string::npos)
      << message();
  options.protocol = "carrier-pigeon";
  EXPECT_NE(message().find("carrier-pigeon"), std::string::npos) << message();
  options.metadata_server = "etcd://somewhere";
  EXPECT_NE(message().find("metadata_server \"etcd://somewhere\""), std::string::npos) << message();
  options.local_hostname = "";
  EXPECT_NE(message().find("local_hostname"), std::string::npos) << message();
}

}  // namespace
}  // namespace tandem::store

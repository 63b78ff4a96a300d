#include "store/client/pool_member.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <random>
#include <thread>

#include "base/memory_budget.h"
#include "base/scoped_fd.h"
#include "base/testing/test_certificates.h"
#include "store/client/key_batches.h"
#include "store/client/testing/in_process_master.h"
#include "store/client/testing/member.h"
#include "transfer/unix_socket.h"

namespace tandem::store {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::Each;
using testing::Eventually;
using testing::In;
using testing::InProcessMaster;
using testing::kSegment;
using testing::Member;
using testing::RandomBytes;
using testing::UnmountOnlySegment;

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

TEST_F(PoolMemberTest, TellsTheMasterForWhichRequestItCalls) {
  Member member(master_, kSegment);
  const std::vector<std::string> keys{"key"};
  const std::vector<uint64_t> sizes{100};
  std::vector<ErrorCode> codes;
  auto reservations = member->Reserve(keys, sizes, {}, {In(seconds(20)), "first"}, &codes);
  EXPECT_EQ(master_.last_request_id(), "first");
  member->Commit(std::move(reservations), {In(seconds(20)), "second"});
  EXPECT_EQ(master_.last_request_id(), "second");
  member->Find(keys, {In(seconds(20)), "third"});
  EXPECT_EQ(master_.last_request_id(), "third");
  member->Find(keys, In(seconds(20)));
  EXPECT_EQ(master_.last_request_id(), "");
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

TEST_F(PoolMemberTest, AnOwnerGivesStrangersNothing) {
  Member owner(master_, kSegment);
  const auto secret = RandomBytes(100'000, 1), other = RandomBytes(100'000, 2);
  ASSERT_EQ(owner.Put("secret", secret), kOk);
  ASSERT_EQ(owner.Put("other", other), kOk);
  const auto ask = [&](const std::string& key, bool without_lease) {
    proto::GetReplicasRequest request;
    request.add_keys(key);
    request.set_without_lease(without_lease);
    return master_.Connect()->GetReplicas(request, In(seconds(20)))->results(0).extents(0);
  };
  // Who knows where everything lies and how the owner is reached, but not by a grant.
  const proto::Extent place = ask("secret", /*without_lease=*/true);
  ASSERT_EQ(place.grant(), "");
  const proto::Extent granted = ask("secret", false), elsewhere = ask("other", false);
  SegmentOwner nothing;
  auto stranger = transfer::Transport::Create({.hostname = "127.0.0.1", .listen = false}, nothing);
  ASSERT_TRUE(stranger.ok()) << stranger.status();
  auto buffer = std::make_shared<std::vector<std::byte>>(secret.size());
  const auto read = [&](const ExtentGrant& grant) {
    return (*stranger)
        ->Read(owner->segment_name(), {{FromProto(place), {*buffer, buffer}, grant}})
        ->Wait(In(seconds(20)), seconds(10));
  };
  for (const ExtentGrant& grant :
       {ExtentGrant{}, ExtentGrant{1, 2, 3}, UnpackGrant(elsewhere.grant())}) {
    EXPECT_TRUE(absl::IsPermissionDenied(read(grant))) << read(grant);
    EXPECT_EQ(*buffer, std::vector<std::byte>(secret.size()));
  }
  EXPECT_TRUE(read(UnpackGrant(granted.grant())).ok());
  EXPECT_EQ(*buffer, secret);
  // A grant to read is none to write.
  const absl::Status written =
      (*stranger)
          ->Write(owner->segment_name(),
                  {{FromProto(place), {*buffer, buffer}, UnpackGrant(granted.grant())}})
          ->Wait(In(seconds(20)), seconds(10));
  EXPECT_TRUE(absl::IsPermissionDenied(written)) << written;
  const absl::Status forgotten =
      (*stranger)
          ->Forget(owner->segment_name(), {{FromProto(place), UnpackGrant(granted.grant())}})
          ->Wait(In(seconds(20)), seconds(10));
  EXPECT_TRUE(absl::IsPermissionDenied(forgotten)) << forgotten;
  EXPECT_TRUE(owner.Holds("secret", secret));
}

TEST_F(PoolMemberTest, MovesDataOverTlsForThoseWithTheToken) {
  const TestCertificates certificates;
  Security security{true, certificates.files(), *BearerToken::Of("word")};
  const auto member = [&](const std::string& host, uint64_t segment) {
    return std::make_unique<Member>(master_, segment, host, seconds(10), false, security);
  };
  const auto owner = member("host-a", kSegment), peer = member("host-b", 0);
  const auto value = RandomBytes(5 << 20, 1), small = RandomBytes(100, 2);
  ASSERT_EQ(peer->Put("key", value), kOk);
  ASSERT_EQ(peer->Put("small", small), kOk);
  EXPECT_TRUE(peer->Holds("key", value));
  EXPECT_TRUE(peer->Holds("small", small));
  EXPECT_TRUE(owner->Holds("key", value));
  EXPECT_EQ((*peer)->counters().remote_read_bytes, (5u << 20) + 100);

  security.token = *BearerToken::Of("other");
  const auto stranger = member("host-b", 0);
  ErrorCode code = kOk;
  EXPECT_EQ(stranger->Read("key", &code), nullptr);
  EXPECT_EQ(code, kRpcFailed);
  EXPECT_EQ(stranger->Put("another", value), kRpcFailed);
  EXPECT_EQ(stranger->Put("one more", small), kRpcFailed);
  // What was refused is no sign of a loss.
  EXPECT_TRUE(peer->Holds("key", value));
}

TEST_F(PoolMemberTest, AMemberWithoutMemoryWritesToAnothers) {
  Member owner(master_, kSegment), writer(master_, 0), reader(master_, 0, "host-b");
  const auto value = RandomBytes(2'500'000, 4);
  ASSERT_EQ(writer.Put("key", value), kOk);
  EXPECT_EQ(writer->counters().shared_write_bytes, 2'500'000u);
  EXPECT_TRUE(owner.Holds("key", value));
  EXPECT_TRUE(reader.Holds("key", value));  // which compares the checksum
  EXPECT_TRUE(writer.Holds("key", value));
}

TEST(LocalFirst, AMemberWithoutMemoryWritesToThoseOfItsHost) {
  InProcessMaster master({.allocation_strategy = AllocationStrategy::kLocalFirst});
  Member near(master, kSegment), far(master, kSegment, "host-b"), writer(master, 0);
  for (int i = 0; i < 20; ++i) {
    ASSERT_EQ(writer.Put(std::to_string(i), RandomBytes(1000, 4)), kOk);
  }
  EXPECT_EQ(writer->counters().shared_write_bytes, 20'000u);
  EXPECT_EQ(writer->counters().remote_write_bytes, 0u);
}

TEST_F(PoolMemberTest, AMemberOfAnotherHostSendsToTheOwner) {
  Member owner(master_, kSegment), writer(master_, 0, "host-b");
  const auto value = RandomBytes(2'500'000, 4);
  ASSERT_EQ(writer.Put("key", value), kOk);
  EXPECT_EQ(writer->counters().remote_write_bytes, 2'500'000u);
  EXPECT_EQ(writer->counters().shared_write_bytes, 0u);
  EXPECT_TRUE(owner.Holds("key", value));
  EXPECT_TRUE(writer.Holds("key", value));
}

TEST_F(PoolMemberTest, FilledReservationsReachOtherSegmentsToo) {
  Member near(master_, kSegment), far(master_, kSegment, "host-b"), writer(master_, 0);
  const auto value = RandomBytes(700'000, 15);
  const std::vector<std::string> keys = {"key"};
  const std::vector<uint64_t> sizes = {value.size()};
  std::vector<ErrorCode> codes;
  auto reserved = writer->Reserve(keys, sizes, {.replica_num = 2}, In(seconds(20)), &codes);
  ASSERT_EQ(codes[0], kOk);
  std::ranges::copy(value, reserved[0]->bytes().begin());
  EXPECT_EQ(writer->Commit(std::move(reserved), In(seconds(20)))[0], kOk);
  EXPECT_EQ(writer->counters().shared_write_bytes, value.size());
  EXPECT_EQ(writer->counters().remote_write_bytes, value.size());
  EXPECT_TRUE(near.Holds("key", value));
  EXPECT_TRUE(far.Holds("key", value));
}

TEST_F(PoolMemberTest, VerifiesLocalReadsIfAskedTo) {
  Member owner(master_, kSegment), trusting(master_, 0);
  Member careful(master_, 0, "host-a", seconds(10), /*verify_local_reads=*/true);
  const std::vector<std::string> keys = {"key"};
  const std::vector<uint64_t> sizes = {1000};
  std::vector<ErrorCode> codes;
  auto reserved = owner->Reserve(keys, sizes, {}, In(seconds(20)), &codes);
  ASSERT_EQ(codes[0], kOk);
  const std::span<std::byte> bytes = reserved[0]->bytes();
  std::ranges::copy(RandomBytes(1000, 18), bytes.begin());
  ASSERT_EQ(owner->Commit(std::move(reserved), In(seconds(20)))[0], kOk);
  EXPECT_NE(careful.Read("key"), nullptr);
  bytes[500] ^= std::byte{1};  // as failing memory would
  EXPECT_NE(trusting.Read("key"), nullptr);
  ErrorCode code = kOk;
  EXPECT_EQ(careful.Read("key", &code), nullptr);
  EXPECT_EQ(code, kObjectNotFound);
  EXPECT_EQ(careful->counters().lost_replicas, 1u);
}

TEST_F(PoolMemberTest, GathersAndScattersParts) {
  Member owner(master_, kSegment), other(master_, 0);
  const auto value = RandomBytes(600'000, 16);
  const std::span<const std::byte> all(value);
  const std::vector<std::string> keys = {"parts"};
  for (Member* writer : {&owner, &other}) {
    const std::vector<Parts> values = {
        {all.first(1), all.subspan(1, 0), all.subspan(1, 299'999), all.subspan(300'000)}};
    ASSERT_EQ((*writer)->Put(keys, values, {}, In(seconds(20)))[0], kOk);
    std::vector<std::byte> copy(value.size() + 10);
    const std::span<std::byte> room(copy);
    const std::vector<MutableParts> buffers = {{room.first(400'000), room.subspan(400'000)}};
    EXPECT_EQ((*writer)->ReadInto(keys, buffers, In(seconds(20)))[0], 600'000);
    EXPECT_TRUE(std::ranges::equal(room.first(value.size()), all));
    ASSERT_EQ((*writer)->Remove(keys, true, In(seconds(20)))[0], kOk);
  }
}

TEST_F(PoolMemberTest, PutsMoreThanLocalBuffersHold) {
  Member owner(master_, 64 << 20), writer(master_, 0, "host-b");
  const auto value = RandomBytes(9 << 20, 17);  // of two, one fits the 16 MiB
  const std::vector<std::string> keys = {"a", "b", "c"};
  const std::vector<std::span<const std::byte>> values(3, value);
  EXPECT_EQ(writer->Put(keys, values, {}, In(seconds(20))), std::vector<ErrorCode>(3, kOk));
  EXPECT_TRUE(owner.Holds("c", value));
}

TEST_F(PoolMemberTest, CopiesMoreThanLocalBuffersHold) {
  Member owner(master_, 64 << 20), reader(master_, 0, "host-b");
  const auto value = RandomBytes(9 << 20, 18);  // of two, one fits the 16 MiB
  for (const char* key : {"a", "b", "c"}) ASSERT_EQ(owner.Put(key, value), kOk);
  const std::vector<std::string> keys = {"a", "missing", "b", "c"};
  std::vector<std::string> taken;
  reader->ReadEach(keys, In(seconds(20)),
                   [&](size_t i, std::unique_ptr<ReadHandle> handle, ErrorCode code) {
                     EXPECT_EQ(code, keys[i] == "missing" ? kObjectNotFound : kOk);
                     ASSERT_EQ(handle != nullptr, code == kOk);
                     if (handle == nullptr) return;
                     EXPECT_TRUE(std::ranges::equal(handle->bytes(), value));
                     taken.push_back(keys[i]);
                   });
  EXPECT_EQ(taken, (std::vector<std::string>{"a", "b", "c"}));
}

TEST_F(PoolMemberTest, TakesMoreKeysThanOneCallToTheMasterDoes) {
  constexpr size_t kKeys = 2 * kMostKeysAtOnce + 1;
  Member owner(master_, kSegment), neighbour(master_, 0);
  std::vector<std::string> keys;
  std::vector<std::vector<std::byte>> values;
  for (size_t i = 0; i < kKeys; ++i) {
    keys.push_back(std::to_string(i));
    values.push_back(RandomBytes(8, i));
  }
  const std::vector<std::span<const std::byte>> bytes(values.begin(), values.end());
  EXPECT_THAT(owner->Put(keys, bytes, {}, In(seconds(60))), Each(kOk));
  EXPECT_THAT(neighbour->Find(keys, In(seconds(60))), Each(8));
  EXPECT_THAT(neighbour->Exist(keys, In(seconds(60))), Each(1));
  std::vector<std::byte> read(8 * kKeys);
  std::vector<std::span<std::byte>> into;
  for (size_t i = 0; i < kKeys; ++i) into.push_back(std::span(read).subspan(8 * i, 8));
  EXPECT_THAT(neighbour->ReadInto(keys, into, In(seconds(60))), Each(8));
  for (size_t i = 0; i < kKeys; ++i) ASSERT_TRUE(std::ranges::equal(into[i], values[i])) << i;
  EXPECT_THAT(neighbour->Remove(keys, /*force=*/true, In(seconds(60))), Each(kOk));
  EXPECT_THAT(owner->Exist(keys, In(seconds(60))), Each(0));
}

TEST_F(PoolMemberTest, CopiesMoreThanLocalBuffersHoldAlsoWhenTheNearerReplicasAreLost) {
  Member near(master_, 64 << 20), far(master_, 64 << 20, "host-b"), reader(master_, 0);
  const auto value = RandomBytes(9 << 20, 18);
  const std::vector<std::string> keys = {"a", "b", "c"};
  for (const std::string& key : keys) {
    ASSERT_EQ(near.Put(key, value, {.replica_num = 2}), kOk);
    ASSERT_EQ(reader.Find(key), 9 << 20);
  }
  near.Leave();
  std::vector<size_t> taken;
  reader->ReadEach(keys, In(seconds(20)),
                   [&](size_t i, std::unique_ptr<ReadHandle> handle, ErrorCode code) {
                     EXPECT_EQ(code, kOk);
                     if (handle == nullptr) return;
                     EXPECT_TRUE(std::ranges::equal(handle->bytes(), value));
                     taken.push_back(i);
                   });
  EXPECT_EQ(taken, (std::vector<size_t>{0, 1, 2}));
}

TEST_F(PoolMemberTest, DoesNotWaitForBuffersThatTheCallItselfKeeps) {
  Member owner(master_, 64 << 20), reader(master_, 0, "host-b");
  const auto value = RandomBytes(9 << 20, 18);
  for (const char* key : {"a", "b"}) ASSERT_EQ(owner.Put(key, value), kOk);
  std::vector<ErrorCode> codes;
  auto handles =
      reader->Read(std::vector<std::string>{"a", "b"}, In(std::chrono::hours(1)), &codes);
  EXPECT_EQ(codes, (std::vector{kOk, kTransferFailed}));
  ASSERT_NE(handles[0], nullptr);
  EXPECT_TRUE(std::ranges::equal(handles[0]->bytes(), value));
  handles.clear();
  EXPECT_TRUE(reader.Holds("b", value));
}

TEST_F(PoolMemberTest, DoesNotWaitForThemEitherWhenANearerReplicaIsLost) {
  Member near(master_, 64 << 20), far(master_, 64 << 20, "host-b"), reader(master_, 0);
  const auto value = RandomBytes(9 << 20, 18);
  ASSERT_EQ(far.Put("a", value), kOk);
  ASSERT_EQ(near.Put("b", value, {.replica_num = 2}), kOk);
  for (const char* key : {"a", "b"}) ASSERT_EQ(reader.Find(key), 9 << 20);
  near.Leave();
  std::vector<ErrorCode> codes;
  const auto handles =
      reader->Read(std::vector<std::string>{"a", "b"}, In(std::chrono::hours(1)), &codes);
  EXPECT_EQ(codes, (std::vector{kOk, kTransferFailed}));
  ASSERT_NE(handles[0], nullptr);
  EXPECT_TRUE(std::ranges::equal(handles[0]->bytes(), value));
}

TEST_F(PoolMemberTest, RefusesWhatLocalBuffersCouldNeverHold) {
  Member owner(master_, 64 << 20), stranger(master_, 0, "host-b");
  auto value = RandomBytes(17 << 20, 19);
  ASSERT_EQ(owner.Put("large", value), kOk);
  ErrorCode code = kOk;
  EXPECT_EQ(stranger.Read("large", &code), nullptr);
  EXPECT_EQ(code, kInvalidParams);
  // What is in one piece is sent from where it is.
  const std::span<const std::byte> bytes = value;
  const std::vector<Parts> gathered = {{bytes.first(1000), bytes.subspan(1000)}};
  EXPECT_EQ(
      stranger->Put(std::vector<std::string>{"gathered"}, std::span(gathered), {}, In(seconds(20))),
      (std::vector{kInvalidParams}));
  EXPECT_EQ(stranger.Put("whole", value), kOk);
}

TEST_F(PoolMemberTest, WaitsForLocalBuffersThatOthersHoldUntilTheDeadline) {
  Member owner(master_, 64 << 20), stranger(master_, 0, "host-b");
  const auto value = RandomBytes(9 << 20, 20);
  for (const char* key : {"a", "b"}) ASSERT_EQ(owner.Put(key, value), kOk);
  auto held = stranger.Read("a");
  ASSERT_NE(held, nullptr);
  std::vector<ErrorCode> codes;
  EXPECT_EQ(stranger->Read(std::vector<std::string>{"b"}, In(milliseconds(50)), &codes)[0],
            nullptr);
  EXPECT_EQ(codes, (std::vector{kTransferFailed}));
  const std::span<const std::byte> bytes = value;
  const std::vector<Parts> gathered = {{bytes.first(1000), bytes.subspan(1000)}};
  const std::vector<std::string> keys = {"gathered"};
  EXPECT_EQ(stranger->Put(keys, std::span(gathered), {}, In(milliseconds(50))),
            (std::vector{kNoSpace}));
  held.reset();
  EXPECT_TRUE(Eventually([&] {  // the master hears a moment later that the put was given up
    return stranger->Put(keys, std::span(gathered), {}, In(seconds(20)))[0] == kOk;
  }));
  EXPECT_TRUE(stranger.Holds("gathered", value));
}

TEST_F(PoolMemberTest, KeepsReplicasOnDistinctSegments) {
  Member first(master_, kSegment), second(master_, kSegment), reader(master_, 0);
  const auto value = RandomBytes(1'000'000, 5);
  ASSERT_EQ(first.Put("key", value, {.replica_num = 2}), kOk);
  EXPECT_EQ(first->counters().local_write_bytes, 1'000'000u);
  EXPECT_EQ(first->counters().shared_write_bytes, 1'000'000u);
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
  Member owner(master_, 2 << 20), reader(master_, 0);
  const auto value = RandomBytes(900'000, 8);
  ASSERT_EQ(owner.Put("key", value), kOk);
  auto handle = reader.Read("key");
  ASSERT_NE(handle, nullptr);
  ASSERT_EQ(owner->Remove(std::vector<std::string>{"key"}, true, In(seconds(20)))[0], kOk);
  const auto next = RandomBytes(900'000, 9);
  EXPECT_EQ(owner.Put("elsewhere", next, {.with_hard_pin = true}), kOk);
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
  ASSERT_TRUE(owner->Published().empty());
  ErrorCode code = kOk;
  EXPECT_EQ(reader.Read("key", &code), nullptr);
  EXPECT_EQ(code, kObjectNotFound);
  EXPECT_EQ(reader->counters().lost_replicas, 1u);
}

TEST_F(PoolMemberTest, AReaderFollowsAnObjectThatWasPutAgain) {
  Member owner(master_, kSegment), other(master_, kSegment, "host-b"), local(master_, 0),
      remote(master_, 0, "host-c");
  ASSERT_EQ(owner.Put("key", RandomBytes(1000, 30)), kOk);
  ASSERT_EQ(local.Find("key"), 1000);
  ASSERT_EQ(remote.Find("key"), 1000);
  ASSERT_EQ(owner->Remove(std::vector<std::string>{"key"}, true, In(seconds(20)))[0], kOk);
  const auto again = RandomBytes(2000, 31);
  ASSERT_EQ(other.Put("key", again), kOk);
  EXPECT_TRUE(local.Holds("key", again));
  EXPECT_TRUE(remote.Holds("key", again));
  EXPECT_TRUE(owner.Holds("key", again));
}

TEST(SilentOwner, ServesNoReadsOnceItsObjectsMayBeOthers) {
  InProcessMaster master({.client_ttl = milliseconds(500)});
  Member owner(master, kSegment), local(master, 0), remote(master, 0, "host-b");
  const auto value = RandomBytes(1000, 32);
  ASSERT_EQ(owner.Put("key", value), kOk);
  ASSERT_EQ(local.Find("key"), 1000);  // which is remembered for longer
  ASSERT_EQ(remote.Find("key"), 1000);
  master.Stop();
  for (Member* reader : {&owner, &local, &remote}) {
    EXPECT_TRUE(Eventually([&] { return reader->Read("key") == nullptr; }));
    EXPECT_EQ((*reader)->counters().lost_replicas, 0u);
  }
  master.Restart();
  for (Member* reader : {&owner, &local, &remote}) {
    EXPECT_TRUE(Eventually([&] { return reader->Holds("key", value); }));
  }
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

/// An owner that stands still: its sockets take connections, and nothing is ever answered.
class PausedOwner {
 public:
  PausedOwner(InProcessMaster& master, const std::string& host) : master_(master.Connect()) {
    listener_ = *transfer::ListenOnUnixSocket(&socket_name_);
    data_ = ScopedFd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t length = sizeof(address);
    auto* bound = reinterpret_cast<sockaddr*>(&address);
    EXPECT_EQ(bind(data_.get(), bound, length), 0);
    EXPECT_EQ(listen(data_.get(), 16), 0);
    EXPECT_EQ(getsockname(data_.get(), bound, &length), 0);

    proto::MountSegmentRequest mount;
    mount.set_client_id("paused");
    mount.set_host_budget(uint64_t{1} << 40);
    proto::Segment& segment = *mount.mutable_segment();
    segment.set_name("paused");
    segment.set_size(1 << 20);
    segment.set_host_identity(host);
    segment.set_fd_socket(socket_name_);
    segment.set_data_endpoint("127.0.0.1:" + std::to_string(ntohs(address.sin_port)));
    EXPECT_TRUE(master_->MountSegment(mount, In(seconds(20))).ok());
  }

  /// Its process ends.
  void Close() {
    listener_.Reset();
    data_.Reset();
  }

  /// Publishes an object that it then does not hand out.
  void Put(const std::string& key) {
    proto::PutStartRequest start;
    start.set_client_id("paused");
    start.add_keys(key);
    start.add_sizes(1000);
    const auto started = master_->PutStart(start, In(seconds(20)));
    ASSERT_EQ(started->results(0).code(), kOk);
    proto::PutEndRequest end;
    end.set_client_id("paused");
    proto::PutEndItem& item = *end.add_items();
    item.set_key(key);
    item.add_generations(started->results(0).extents(0).generation());
    ASSERT_EQ(master_->PutEnd(end, In(seconds(20)))->codes(0), kOk);
  }

 private:
  const std::unique_ptr<MasterClient> master_;
  std::string socket_name_;
  ScopedFd listener_, data_;
};

TEST_F(PoolMemberTest, AnOwnerThatDoesNotAnswerIsAMissAndKeepsItsObjects) {
  for (const std::string host : {"host-a", "host-b"}) {
    InProcessMaster master;
    PausedOwner owner(master, host);
    owner.Put("key");
    Member reader(master, 0, "host-a", milliseconds(50));
    ErrorCode code = kOk;
    EXPECT_EQ(reader.Read("key", &code), nullptr);
    EXPECT_EQ(code, kTransferFailed);
    EXPECT_EQ(reader->counters().unanswered_reads, 1u);
    EXPECT_EQ(reader->counters().lost_replicas, 0u);
    EXPECT_EQ(reader.Find("key"), 1000);
  }
}

TEST_F(PoolMemberTest, RegistersWhatItHoldsAfterTheMasterLostItsMemory) {
  Member owner(master_, kSegment), reader(master_, 0);
  const auto kept = RandomBytes(100'000, 12);
  ASSERT_EQ(owner.Put("kept", kept), kOk);
  ASSERT_EQ(owner.Put("removed", RandomBytes(1000, 13)), kOk);
  ASSERT_EQ(owner->Remove(std::vector<std::string>{"removed"}, true, In(seconds(20)))[0], kOk);
  ASSERT_EQ(owner->Published().size(), 1u);
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

TEST_F(PoolMemberTest, NothingRemovedComesBackHoweverSoonTheMasterDies) {
  Member owner(master_, kSegment), other(master_, kSegment, "host-b"), remover(master_, 0);
  const auto value = RandomBytes(1000, 15);
  for (int i = 0; i < 20; ++i) {
    const std::string key = "key" + std::to_string(i);
    ASSERT_TRUE(Eventually([&] { return owner.Put(key, value, {.replica_num = 2}) == kOk; }));
    ASSERT_EQ(remover->Remove(std::vector{key}, true, In(seconds(20)))[0], kOk);
    EXPECT_TRUE(owner->Published().empty());
    EXPECT_TRUE(other->Published().empty());
    master_.Restart();
  }
  ASSERT_TRUE(Eventually([&] { return owner.Put("last", value) == kOk; }));
  EXPECT_EQ(*owner->ListKeys("", 0, "", In(seconds(20))), std::vector<std::string>{"last"});
  EXPECT_EQ(remover->RemoveByRegex("^last$", true, In(seconds(20))), 1);
  EXPECT_TRUE(owner->Published().empty());
}

TEST_F(PoolMemberTest, ARemovalIsConfirmedOnlyByItsOwner) {
  PausedOwner paused(master_, "host-a");
  paused.Put("key");
  Member remover(master_, 0);
  const std::vector<std::string> keys = {"key", "none"};
  EXPECT_EQ(remover->Remove(keys, true, In(milliseconds(100))),
            (std::vector<ErrorCode>{kRpcFailed, kObjectNotFound}));
  EXPECT_EQ(remover.Find("key"), kObjectNotFound);
  // Asking again does not make it any more certain.
  EXPECT_EQ(remover->Remove(keys, true, In(milliseconds(100)))[0], kRpcFailed);
  paused.Put("other");
  EXPECT_EQ(remover->RemoveAll(true, In(milliseconds(100))), kRpcFailed);
  // One that is gone took its directory with it.
  paused.Close();
  EXPECT_EQ(remover->Remove(keys, true, In(seconds(20)))[0], kObjectNotFound);
}

TEST_F(PoolMemberTest, RegistersUntilItSucceeds) {
  Member owner(master_, kSegment), reader(master_, 0);
  const auto value = RandomBytes(1000, 16);
  ASSERT_EQ(owner.Put("key", value), kOk);
  for (const char* method : {"MountSegment", "RegisterObjects"}) {
    // Forgotten by a master that lives on, then by one that lost its memory.
    master_.FailNext(method, 2);
    UnmountOnlySegment(master_);
    EXPECT_TRUE(Eventually([&] { return reader.Find("key") == 1000; }));
    EXPECT_EQ(master_.failures_left(method), 0);

    master_.FailNext(method, 2);
    master_.Restart();
    EXPECT_TRUE(Eventually([&] { return reader.Find("key") == 1000; }));
    EXPECT_EQ(master_.failures_left(method), 0);
    EXPECT_TRUE(reader.Holds("key", value));
  }
}

TEST(ForgottenRemovals, KeepNothingOutOfWhatAnOwnerInTouchHolds) {
  InProcessMaster master({.tombstones = 4});
  Member owner(master, kSegment), reader(master, 0);
  const auto value = RandomBytes(1000, 16);
  ASSERT_EQ(owner.Put("key", value), kOk);
  std::vector<std::string> removed;
  for (int i = 0; i < 20; ++i) removed.push_back("removed" + std::to_string(i));
  for (const std::string& key : removed) ASSERT_EQ(owner.Put(key, value), kOk);
  for (const ErrorCode code : owner->Remove(removed, true, In(seconds(20)))) ASSERT_EQ(code, kOk);
  UnmountOnlySegment(master);
  EXPECT_TRUE(Eventually([&] { return reader.Find("key") == 1000; }));
  EXPECT_EQ(reader.Find("removed0"), kObjectNotFound);
}

/// Mounts a segment that leaves no room for others of this host.
void MountHog(MasterClient& connection, const std::string& host, const std::string& socket) {
  proto::MountSegmentRequest mount;
  mount.set_client_id("hog");
  mount.mutable_segment()->set_name("hog");
  mount.mutable_segment()->set_size(uint64_t{1} << 50);
  mount.mutable_segment()->set_host_identity(host);
  mount.mutable_segment()->set_fd_socket(socket);
  mount.set_boot_id(BootId());
  mount.set_exact(true);
  ASSERT_EQ(connection.MountSegment(mount, In(seconds(20)))->code(), kOk);
}

TEST_F(PoolMemberTest, TakesTheRoomOfANeighbourWhoseProcessEnded) {
  const auto connection = master_.Connect();
  {
    std::string ended_name;
    const auto listener = transfer::ListenOnUnixSocket(&ended_name);
    ASSERT_TRUE(listener.ok());
    MountHog(*connection, "host-a", ended_name);
    EXPECT_EQ(Member(master_, kSegment)->segment_bytes(), 0u);
  }
  EXPECT_EQ(Member(master_, kSegment, "host-b")->segment_bytes(), 0u);
  EXPECT_EQ(Member(master_, kSegment, "host-a")->segment_bytes(), kSegment);
}

TEST_F(PoolMemberTest, LendsItsMemoryOnceTheHostHasRoom) {
  const auto connection = master_.Connect();
  MountHog(*connection, "elsewhere", "");
  Member member(master_, kSegment);
  EXPECT_EQ(member->segment_bytes(), 0u);
  proto::UnmountSegmentRequest unmount;
  unmount.set_client_id("hog");
  unmount.set_segment("hog");
  ASSERT_EQ(connection->UnmountSegment(unmount, In(seconds(20)))->code(), kOk);
  EXPECT_TRUE(Eventually([&] { return member->segment_bytes() == kSegment; }));
  const auto value = RandomBytes(1000, 17);
  EXPECT_TRUE(Eventually([&] { return member.Put("key", value) == kOk; }));
  EXPECT_EQ(member->counters().local_write_bytes, 1000u);
}

TEST(AbandonedPut, ThatIsTakenOverChangesNothingWhenItEndsLate) {
  InProcessMaster master({.put_start_discard_timeout = Duration::zero()});
  Member slow(master, kSegment), quick(master, kSegment);
  std::vector<ErrorCode> codes;
  auto reserved = slow->Reserve(std::vector<std::string>{"key"}, std::vector<uint64_t>{1000}, {},
                                In(seconds(20)), &codes);
  ASSERT_EQ(codes[0], kOk);
  const auto value = RandomBytes(1000, 18);
  EXPECT_EQ(quick.Put("key", value), kOk);
  std::ranges::fill(reserved[0]->bytes(), std::byte{1});
  EXPECT_EQ(slow->Commit(std::move(reserved), In(seconds(20)))[0], kObjectExists);
  EXPECT_TRUE(slow.Holds("key", value));
  EXPECT_TRUE(slow->Published().empty());
}

TEST(AbandonedPut, ThatWasFreedCannotWriteOverItsSuccessor) {
  InProcessMaster master({.put_start_release_timeout = Duration::zero()});
  Member owner(master, 1 << 20), slow(master, 0), quick(master, 0);
  std::vector<ErrorCode> codes;
  auto reserved = slow->Reserve(std::vector<std::string>{"old"}, std::vector<uint64_t>{900'000}, {},
                                In(seconds(20)), &codes);
  ASSERT_EQ(codes[0], kOk);
  const auto value = RandomBytes(900'000, 19);
  EXPECT_EQ(quick.Put("new", value), kNoSpace);
  master.Maintain();
  EXPECT_EQ(quick.Put("new", value), kOk);  // in the bytes that the slow one still thinks are its
  std::ranges::fill(reserved[0]->bytes(), std::byte{1});
  EXPECT_EQ(slow->Commit(std::move(reserved), In(seconds(20)))[0], kTransferFailed);
  EXPECT_TRUE(slow.Holds("new", value));
  EXPECT_EQ(slow.Find("old"), kObjectNotFound);
}

TEST(MappedObject, StaysForAsLongAsAReaderHoldsIt) {
  InProcessMaster master({.lease_ttl = milliseconds(1500), .client_ttl = milliseconds(1500)});
  Member owner(master, 1 << 20), reader(master, 0);
  const auto value = RandomBytes(600'000, 20);
  ASSERT_EQ(owner.Put("held", value), kOk);
  auto handle = reader.Read("held");
  ASSERT_NE(handle, nullptr);
  const auto remove = [&] {
    return reader->Remove(std::vector<std::string>{"held"}, false, In(seconds(20)))[0];
  };
  // Its lease would be over by then; nor is it evicted to make room.
  for (const TimePoint end = In(milliseconds(2500)); Clock::Real().Now() < end;) {
    ASSERT_EQ(remove(), kObjectHasLease);
    ASSERT_EQ(owner.Put("next", value), kNoSpace);
    std::this_thread::yield();
  }
  EXPECT_TRUE(std::ranges::equal(handle->bytes(), value));
  handle.reset();
  EXPECT_TRUE(Eventually([&] { return owner.Put("next", value) == kOk; }));
  EXPECT_EQ(remove(), kObjectNotFound);
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
      PoolMember::Join(options, {}, master_.Connect(), "host-a", registry, Clock::Real());
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

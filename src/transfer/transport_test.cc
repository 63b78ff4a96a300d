#include "transfer/transport.h"

#include <gtest/gtest.h>

#include <cstring>
#include <map>
#include <random>

#include "base/hash.h"

namespace tandem::transfer {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TimePoint In(Duration wait) { return Clock::Real().Now() + wait; }

/// An owner of plain memory that remembers what peers did.
class FakeHost : public ExtentHost {
 public:
  explicit FakeHost(size_t size = 0) : memory_(std::make_shared<std::vector<std::byte>>(size)) {}

  absl::StatusOr<ReadableBytes> OpenForRead(const Extent& extent) override {
    MutexLock lock(mutex_);
    if (extent.generation != generation_) return absl::NotFoundError("another generation");
    if (extent.offset + extent.length > memory_->size()) return absl::OutOfRangeError("outside");
    return ReadableBytes{std::span(*memory_).subspan(extent.offset, extent.length), memory_};
  }
  absl::StatusOr<WritableBytes> OpenForWrite(const Extent& extent) override {
    MutexLock lock(mutex_);
    if (extent.generation != generation_) return absl::FailedPreconditionError("too late");
    return WritableBytes{std::span(*memory_).subspan(extent.offset, extent.length), memory_};
  }
  absl::Status Publish(const HeldObject& object) override {
    MutexLock lock(mutex_);
    published_[object.key] = object;
    return absl::OkStatus();
  }
  void Forget(const Extent& extent) override {
    MutexLock lock(mutex_);
    forgotten_.push_back(extent);
  }

  std::vector<std::byte>& memory() { return *memory_; }
  void set_generation(uint64_t generation) {
    MutexLock lock(mutex_);
    generation_ = generation;
  }
  std::map<std::string, HeldObject> published() {
    MutexLock lock(mutex_);
    return published_;
  }
  std::vector<Extent> forgotten() {
    MutexLock lock(mutex_);
    return forgotten_;
  }

 private:
  const std::shared_ptr<std::vector<std::byte>> memory_;
  Mutex mutex_;
  uint64_t generation_ ABSL_GUARDED_BY(mutex_) = 1;
  std::map<std::string, HeldObject> published_ ABSL_GUARDED_BY(mutex_);
  std::vector<Extent> forgotten_ ABSL_GUARDED_BY(mutex_);
};

void FillRandom(std::span<std::byte> bytes, uint64_t seed) {
  std::mt19937_64 random(seed);
  for (std::byte& byte : bytes) byte = static_cast<std::byte>(random());
}

std::unique_ptr<Transport> MakeTransport(ExtentHost& host) {
  auto transport = Transport::Create({.hostname = "127.0.0.1"}, host);
  EXPECT_TRUE(transport.ok()) << transport.status();
  return *std::move(transport);
}

WritableBytes MakeBuffer(size_t size) {
  auto buffer = std::make_shared<std::vector<std::byte>>(size);
  return {std::span(*buffer), buffer};
}

ReadableBytes Readable(const WritableBytes& buffer) { return {buffer.bytes, buffer.hold}; }

class TransportTest : public testing::Test {
 protected:
  FakeHost owner_host_{24 << 20};
  FakeHost peer_host_;
  std::unique_ptr<Transport> owner_ = MakeTransport(owner_host_);
  std::unique_ptr<Transport> peer_ = MakeTransport(peer_host_);
};

TEST_F(TransportTest, ReadsSpansOfAnySize) {
  FillRandom(owner_host_.memory(), 1);
  std::mt19937_64 random(2);
  std::vector<ReadOperation> reads;
  for (uint64_t size : {1, 100, 4096, 8191, 65536, 100000, 1 << 20, (1 << 20) + 1, 5'000'000}) {
    reads.push_back({{random() % (16 << 20), size, 1}, MakeBuffer(size)});
  }
  ASSERT_TRUE(peer_->Read(owner_->endpoint(), reads)->Wait(In(seconds(20)), seconds(10)).ok());
  for (const ReadOperation& read : reads) {
    EXPECT_EQ(std::memcmp(read.destination.bytes.data(),
                          owner_host_.memory().data() + read.extent.offset, read.extent.length),
              0);
  }
}

TEST_F(TransportTest, WritesThenPublishes) {
  const WritableBytes source = MakeBuffer(14 << 20);
  FillRandom(source.bytes, 3);
  const Extent extent{.offset = 4096, .length = 14 << 20, .generation = 1};
  ASSERT_TRUE(peer_->Write(owner_->endpoint(), {{extent, Readable(source)}})
                  ->Wait(In(seconds(20)), seconds(10))
                  .ok());
  EXPECT_EQ(std::memcmp(owner_host_.memory().data() + 4096, source.bytes.data(), 14 << 20), 0);

  const HeldObject object{"model@1@0@abc@half", extent, 14 << 20, 42, true, false};
  ASSERT_TRUE(
      peer_->Publish(owner_->endpoint(), {object})->Wait(In(seconds(20)), seconds(10)).ok());
  const auto published = owner_host_.published();
  ASSERT_EQ(published.count(object.key), 1u);
  EXPECT_EQ(published.at(object.key).extent, extent);
  EXPECT_EQ(published.at(object.key).checksum, 42u);
  EXPECT_TRUE(published.at(object.key).soft_pin);
  EXPECT_FALSE(published.at(object.key).hard_pin);

  ASSERT_TRUE(peer_->Forget(owner_->endpoint(), {extent})->Wait(In(seconds(20)), seconds(10)).ok());
  EXPECT_EQ(owner_host_.forgotten(), std::vector<Extent>{extent});
}

TEST_F(TransportTest, PassesTheOwnersRefusalOn) {
  owner_host_.set_generation(2);
  const WritableBytes buffer = MakeBuffer(3 << 20);
  const Extent stale{.offset = 0, .length = 3 << 20, .generation = 1};
  const absl::Status read =
      peer_->Read(owner_->endpoint(), {{stale, buffer}})->Wait(In(seconds(20)), seconds(10));
  EXPECT_TRUE(absl::IsNotFound(read)) << read;
  EXPECT_NE(read.message().find("another generation"), absl::string_view::npos);
  const absl::Status write = peer_->Write(owner_->endpoint(), {{stale, Readable(buffer)}})
                                 ->Wait(In(seconds(20)), seconds(10));
  EXPECT_TRUE(absl::IsFailedPrecondition(write)) << write;
  // The connection is as good as before.
  owner_host_.set_generation(1);
  EXPECT_TRUE(
      peer_->Read(owner_->endpoint(), {{stale, buffer}})->Wait(In(seconds(20)), seconds(10)).ok());
}

TEST_F(TransportTest, ManyThreadsShareThePeer) {
  FillRandom(owner_host_.memory(), 4);
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      std::mt19937_64 random(t);
      for (int i = 0; i < 20; ++i) {
        const uint64_t size = 1 + random() % 300'000;
        const Extent extent{random() % (20 << 20), size, 1};
        const WritableBytes buffer = MakeBuffer(size);
        ASSERT_TRUE(peer_->Read(owner_->endpoint(), {{extent, buffer}})
                        ->Wait(In(seconds(30)), seconds(20))
                        .ok());
        ASSERT_EQ(
            std::memcmp(buffer.bytes.data(), owner_host_.memory().data() + extent.offset, size), 0);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST_F(TransportTest, FailsQuicklyWhereNobodyListens) {
  const TimePoint start = Clock::Real().Now();
  const absl::Status status = peer_->Read("127.0.0.1:1", {{{0, 10, 1}, MakeBuffer(10)}})
                                  ->Wait(In(seconds(20)), seconds(10));
  EXPECT_TRUE(absl::IsUnavailable(status)) << status;
  EXPECT_LT(Clock::Real().Now() - start, seconds(5));
  EXPECT_TRUE(absl::IsInvalidArgument(
      peer_->Read("nowhere", {{{0, 10, 1}, MakeBuffer(10)}})->Wait(In(seconds(20)), seconds(10))));
}

TEST_F(TransportTest, NoticesThatThePeerIsGone) {
  const Extent extent{0, 10, 1};
  const std::string endpoint = owner_->endpoint();
  ASSERT_TRUE(
      peer_->Read(endpoint, {{extent, MakeBuffer(10)}})->Wait(In(seconds(20)), seconds(10)).ok());
  owner_.reset();
  const TimePoint start = Clock::Real().Now();
  const absl::Status status =
      peer_->Read(endpoint, {{extent, MakeBuffer(10)}})->Wait(In(seconds(20)), seconds(10));
  EXPECT_TRUE(absl::IsUnavailable(status)) << status;
  EXPECT_LT(Clock::Real().Now() - start, seconds(5));
}

TEST_F(TransportTest, ClosingEndsWhatIsInFlight) {
  std::vector<ReadOperation> reads;
  for (int i = 0; i < 100; ++i) reads.push_back({{0, 1 << 20, 1}, MakeBuffer(1 << 20)});
  const auto transfer = peer_->Read(owner_->endpoint(), std::move(reads));
  peer_.reset();
  EXPECT_FALSE(absl::IsDeadlineExceeded(transfer->Wait(In(seconds(10)), seconds(10))));
}

TEST(Transfer, GivesUpAtTheDeadlineAndAfterSilence) {
  Transfer slow(2);
  EXPECT_TRUE(absl::IsDeadlineExceeded(slow.Wait(In(milliseconds(1)), seconds(10))));
  EXPECT_TRUE(slow.cancelled());
  Transfer silent(2);
  silent.EndPart(absl::OkStatus());
  EXPECT_TRUE(absl::IsUnavailable(silent.Wait(In(seconds(10)), milliseconds(1))));
  EXPECT_TRUE(silent.cancelled());
}

TEST(Transfer, KeepsTheFirstError) {
  Transfer transfer(3);
  transfer.EndPart(absl::OkStatus());
  transfer.EndPart(absl::NotFoundError("gone"));
  transfer.EndPart(absl::InternalError("later"));
  EXPECT_TRUE(absl::IsNotFound(transfer.Wait(In(seconds(1)), seconds(1))));
}

TEST(Transport, RefusesWhatIsNotThere) {
  FakeHost host;
  const auto quantum = Transport::Create({.hostname = "127.0.0.1", .protocol = "quantum"}, host);
  EXPECT_TRUE(absl::IsInvalidArgument(quantum.status()));
  EXPECT_NE(quantum.status().message().find("quantum"), absl::string_view::npos);
  const auto nowhere = Transport::Create({.hostname = "no.such.host.invalid"}, host);
  EXPECT_TRUE(absl::IsInvalidArgument(nowhere.status())) << nowhere.status();
}

}  // namespace
}  // namespace tandem::transfer

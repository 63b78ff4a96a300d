#include "transfer/transport.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <functional>
#include <map>
#include <random>
#include <thread>

#include "base/hash.h"
#include "base/scoped_fd.h"
#include "base/testing/test_certificates.h"
#include "transfer/lent_bytes.h"
#include "transfer/message.h"
#include "transfer/ucx_transport.h"

namespace tandem::transfer {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TimePoint In(Duration wait) { return Clock::Real().Now() + wait; }

/// A port of this host from which no answer comes: the one connection that may wait for it does.
class SilentPort {
 public:
  SilentPort() {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    auto* const generic = reinterpret_cast<sockaddr*>(&address);
    socklen_t length = sizeof(address);
    EXPECT_EQ(bind(listener_.get(), generic, length), 0);
    EXPECT_EQ(listen(listener_.get(), 0), 0);
    EXPECT_EQ(getsockname(listener_.get(), generic, &length), 0);
    EXPECT_EQ(connect(waiting_.get(), generic, length), 0);
    endpoint_ = "127.0.0.1:" + std::to_string(ntohs(address.sin_port));
  }
  const std::string& endpoint() const { return endpoint_; }

 private:
  const ScopedFd listener_{socket(AF_INET, SOCK_STREAM, 0)};
  const ScopedFd waiting_{socket(AF_INET, SOCK_STREAM, 0)};
  std::string endpoint_;
};

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
  absl::StatusOr<DiskReader> OpenOnDisk(const Extent& extent) override {
    MutexLock lock(mutex_);
    if (extent.generation != generation_) return absl::NotFoundError("another generation");
    return DiskReader([this](uint64_t position, WritableBytes destination, auto done) {
      MutexLock reading(mutex_);
      disk_reads_.push_back([this, position, destination, done] {
        if (failing_disk_) return done(absl::DataLossError("EIO"));
        std::memcpy(destination.bytes.data(), memory_->data() + position, destination.bytes.size());
        done(absl::OkStatus());
      });
    });
  }
  absl::StatusOr<WritableBytes> OpenForWrite(const Extent& extent) override {
    MutexLock lock(mutex_);
    if (extent.generation != generation_) return absl::FailedPreconditionError("too late");
    return WritableBytes{std::span(*memory_).subspan(extent.offset, extent.length), memory_};
  }
  void Arrived(const Extent& extent, uint64_t position, uint64_t length) override {
    if (arrived_ == nullptr) return;
    EXPECT_EQ(extent, arriving_);
    arrived_->Add(position, length);
  }
  absl::Status Publish(const HeldObject& object) override {
    MutexLock lock(mutex_);
    published_[object.key] = object;
    return absl::OkStatus();
  }
  absl::Status PublishChecked(const HeldObject& object) override { return Publish(object); }
  absl::Status CheckGrant(const Extent&, Access access, const ExtentGrant& grant) override {
    MutexLock lock(mutex_);
    const bool goes_on = going_on_.WaitUntil(
        mutex_, In(seconds(60)), [this]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return !stopped_; });
    EXPECT_TRUE(goes_on);
    const ExtentGrant& needed = access == Access::kRead    ? read_grant_
                                : access == Access::kWrite ? write_grant_
                                                           : disk_grant_;
    return grant == needed ? absl::OkStatus() : absl::PermissionDeniedError("not granted");
  }
  void Forget(const Extent& extent) override {
    MutexLock lock(mutex_);
    forgotten_.push_back(extent);
  }

  std::vector<std::byte>& memory() { return *memory_; }
  /// Has the checksum made of what arrives there, and only there.
  std::shared_ptr<PiecewiseChecksum> ExpectArrival(const Extent& extent) {
    arriving_ = extent;
    arrived_ = std::make_shared<PiecewiseChecksum>(
        std::span(*memory_).subspan(extent.offset, extent.length));
    return arrived_;
  }
  /// Has whoever asks for something wait, as in a process that stands still.
  void Stop() {
    MutexLock lock(mutex_);
    stopped_ = true;
  }
  void GoOn() {
    MutexLock lock(mutex_);
    stopped_ = false;
    going_on_.NotifyAll();
  }
  void set_disk_grant(const ExtentGrant& grant) {
    MutexLock lock(mutex_);
    disk_grant_ = grant;
  }
  size_t disk_reads() {
    MutexLock lock(mutex_);
    return disk_reads_.size();
  }
  /// Has the disk answer what it was asked, last first; returns how much that was.
  size_t AnswerDiskReads(bool failing = false) {
    std::vector<std::function<void()>> reads;
    {
      MutexLock lock(mutex_);
      failing_disk_ = failing;
      reads.swap(disk_reads_);
    }
    std::for_each(reads.rbegin(), reads.rend(), [](const auto& read) { read(); });
    return reads.size();
  }
  void set_generation(uint64_t generation) {
    MutexLock lock(mutex_);
    generation_ = generation;
  }
  void set_grants(const ExtentGrant& to_read, const ExtentGrant& to_write) {
    MutexLock lock(mutex_);
    read_grant_ = to_read;
    write_grant_ = to_write;
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
  Extent arriving_;
  std::shared_ptr<PiecewiseChecksum> arrived_;
  Mutex mutex_;
  CondVar going_on_;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
  uint64_t generation_ ABSL_GUARDED_BY(mutex_) = 1;
  ExtentGrant read_grant_ ABSL_GUARDED_BY(mutex_){};
  ExtentGrant write_grant_ ABSL_GUARDED_BY(mutex_){};
  ExtentGrant disk_grant_ ABSL_GUARDED_BY(mutex_){};
  std::vector<std::function<void()>> disk_reads_ ABSL_GUARDED_BY(mutex_);
  std::atomic<bool> failing_disk_ = false;
  std::map<std::string, HeldObject> published_ ABSL_GUARDED_BY(mutex_);
  std::vector<Extent> forgotten_ ABSL_GUARDED_BY(mutex_);
};

void FillRandom(std::span<std::byte> bytes, uint64_t seed) {
  std::mt19937_64 random(seed);
  for (std::byte& byte : bytes) byte = static_cast<std::byte>(random());
}

enum class Kind { kPlain, kTls, kUcx };

std::unique_ptr<Transport> MakeTransport(ExtentHost& host, Kind kind) {
  static const TestCertificates certificates;
  TransportOptions options{.hostname = "127.0.0.1"};
  if (kind != Kind::kUcx) options.security.token = *BearerToken::Of("word");
  if (kind == Kind::kTls) {
    options.security.tls = true;
    options.security.files = certificates.files();
  }
  // What UCX does for rdma, over the network that every machine has.
  auto transport =
      kind == Kind::kUcx ? UcxTransport::Create(options, host) : Transport::Create(options, host);
  EXPECT_TRUE(transport.ok()) << transport.status();
  return *std::move(transport);
}

WritableBytes MakeBuffer(size_t size) {
  auto buffer = std::make_shared<std::vector<std::byte>>(size);
  return {std::span(*buffer), buffer};
}

ReadableBytes Readable(const WritableBytes& buffer) { return {buffer.bytes, buffer.hold}; }

class TransportTest : public testing::TestWithParam<Kind> {
 protected:
  FakeHost owner_host_{24 << 20};
  FakeHost peer_host_;
  std::unique_ptr<Transport> owner_ = MakeTransport(owner_host_, GetParam());
  std::unique_ptr<Transport> peer_ = MakeTransport(peer_host_, GetParam());
};

INSTANTIATE_TEST_SUITE_P(Transports, TransportTest,
                         testing::Values(Kind::kPlain, Kind::kTls, Kind::kUcx),
                         [](const auto& info) {
                           return info.param == Kind::kPlain ? "Plain"
                                  : info.param == Kind::kTls ? "Tls"
                                                             : "Ucx";
                         });

TEST_P(TransportTest, ReadsSpansOfAnySize) {
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

/// Answers for the disk until the transfer has ended.
absl::Status WaitWithDisk(FakeHost& owner, Transfer& transfer, bool failing = false) {
  std::atomic<bool> ended = false;
  std::thread disk([&] {
    while (!ended) {
      if (owner.AnswerDiskReads(failing) == 0) std::this_thread::yield();
    }
  });
  const absl::Status status = transfer.Wait(In(seconds(20)), seconds(10));
  ended = true;
  disk.join();
  return status;
}

TEST_P(TransportTest, ReadsWhatIsOnDiskInAnyOrderThatItComes) {
  FillRandom(owner_host_.memory(), 5);
  const ExtentGrant granted{7}, other{8};
  owner_host_.set_disk_grant(granted);
  const Extent extent{0, 24 << 20, 1};
  const WritableBytes buffer = MakeBuffer(extent.length);
  const auto read = [&](const ExtentGrant& grant, bool failing = false) {
    const auto transfer =
        peer_->Read(owner_->endpoint(), {{extent, buffer, grant, /*on_disk=*/true}});
    return WaitWithDisk(owner_host_, *transfer, failing);
  };
  EXPECT_TRUE(absl::IsPermissionDenied(read(other))) << read(other);
  EXPECT_TRUE(absl::IsDataLoss(read(granted, /*failing=*/true)));
  const absl::Status status = read(granted);
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(std::memcmp(buffer.bytes.data(), owner_host_.memory().data(), extent.length), 0);
  owner_host_.set_generation(2);
  EXPECT_TRUE(absl::IsNotFound(read(granted)));
}

TEST_P(TransportTest, EndsWhileADiskHasNotAnswered) {
  const WritableBytes buffer = MakeBuffer(2 << 20);
  const auto transfer =
      peer_->Read(owner_->endpoint(), {{{0, 2 << 20, 1}, buffer, {}, /*on_disk=*/true}});
  const TimePoint give_up = In(seconds(20));
  while (owner_host_.disk_reads() < 2 && Clock::Real().Now() < give_up) std::this_thread::yield();
  EXPECT_TRUE(absl::IsDeadlineExceeded(transfer->Wait(In(milliseconds(10)), seconds(10))));
  owner_.reset();
  EXPECT_EQ(owner_host_.AnswerDiskReads(), 2u);  // for nobody
}

TEST_P(TransportTest, PutsSmallObjectsAtOnce) {
  for (const uint64_t size : {uint64_t{1}, uint64_t{4096}, kMaxPutBytes}) {
    const WritableBytes source = MakeBuffer(size);
    FillRandom(source.bytes, size);
    HeldObject object{"key" + std::to_string(size),
                      {size * 64, size, 1},
                      size,
                      Checksum64(source.bytes),
                      false,
                      true};
    const auto put = [&] {
      return peer_->Put(owner_->endpoint(), {{&object, object.extent, Readable(source)}})[0].Wait(
          In(seconds(20)), seconds(10));
    };
    ASSERT_TRUE(put().ok()) << put();
    EXPECT_EQ(std::memcmp(owner_host_.memory().data() + size * 64, source.bytes.data(), size), 0);
    EXPECT_TRUE(owner_host_.published().at(object.key).hard_pin);
    object.key = "other";
    object.checksum ^= 1;
    EXPECT_TRUE(absl::IsDataLoss(put())) << put();
    object.checksum ^= 1;
    object.extent.generation = 2;
    EXPECT_TRUE(absl::IsFailedPrecondition(put())) << put();
    EXPECT_FALSE(owner_host_.published().contains("other"));
  }
}

TEST_P(TransportTest, PutsManyObjectsTogetherAndAnswersForEach) {
  constexpr size_t kSize = 4096, kObjects = 500;
  const WritableBytes source = MakeBuffer(kSize * kObjects);
  FillRandom(source.bytes, 5);
  std::vector<HeldObject> objects;
  for (size_t i = 0; i < kObjects; ++i) {
    const uint64_t generation = i % 7 == 0 ? 2 : 1;  // of which the owner knows nothing
    objects.push_back({"key" + std::to_string(i),
                       {i * kSize, kSize, generation},
                       kSize,
                       Checksum64(source.bytes.subspan(i * kSize, kSize)),
                       false,
                       false});
  }
  std::vector<PutOperation> puts;
  for (size_t i = 0; i < kObjects; ++i) {
    puts.push_back(
        {&objects[i], objects[i].extent, {source.bytes.subspan(i * kSize, kSize), source.hold}});
  }
  const auto transfers = peer_->Put(owner_->endpoint(), puts);
  ASSERT_EQ(transfers.size(), kObjects);
  for (size_t i = 0; i < kObjects; ++i) {
    const absl::Status status = transfers[i].Wait(In(seconds(20)), seconds(10));
    EXPECT_EQ(absl::IsFailedPrecondition(status), i % 7 == 0) << i << ": " << status;
    EXPECT_EQ(owner_host_.published().contains(objects[i].key), status.ok());
    if (!status.ok()) continue;
    EXPECT_EQ(
        std::memcmp(owner_host_.memory().data() + i * kSize, puts[i].bytes.bytes.data(), kSize), 0);
  }
  EXPECT_TRUE(peer_->Put(owner_->endpoint(), {}).empty());
}

TEST_P(TransportTest, WritesThenPublishes) {
  const WritableBytes source = MakeBuffer(14 << 20);
  FillRandom(source.bytes, 3);
  const Extent extent{.offset = 4096, .length = 14 << 20, .generation = 1};
  const auto arrived = owner_host_.ExpectArrival(extent);
  const auto sent = std::make_shared<PiecewiseChecksum>(source.bytes);
  ASSERT_TRUE(peer_->Write(owner_->endpoint(), {{extent, Readable(source), {}, sent}})
                  ->Wait(In(seconds(20)), seconds(10))
                  .ok());
  EXPECT_EQ(std::memcmp(owner_host_.memory().data() + 4096, source.bytes.data(), 14 << 20), 0);
  EXPECT_EQ(arrived->Digest(14 << 20), Checksum64(source.bytes));
  EXPECT_EQ(sent->Digest(14 << 20), Checksum64(source.bytes));

  const HeldObject object{"model@1@0@abc@half", extent, 14 << 20, 42, true, false};
  ASSERT_TRUE(
      peer_->Publish(owner_->endpoint(), {{object}})->Wait(In(seconds(20)), seconds(10)).ok());
  const auto published = owner_host_.published();
  ASSERT_EQ(published.count(object.key), 1u);
  EXPECT_EQ(published.at(object.key).extent, extent);
  EXPECT_EQ(published.at(object.key).checksum, 42u);
  EXPECT_TRUE(published.at(object.key).soft_pin);
  EXPECT_FALSE(published.at(object.key).hard_pin);

  ASSERT_TRUE(
      peer_->Forget(owner_->endpoint(), {{extent}})->Wait(In(seconds(20)), seconds(10)).ok());
  EXPECT_EQ(owner_host_.forgotten(), std::vector<Extent>{extent});
}

TEST_P(TransportTest, PassesTheOwnersRefusalOn) {
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

TEST_P(TransportTest, ShowsItsGrantsAndIsRefusedWithoutThem) {
  const ExtentGrant to_read{1, 2}, to_write{3, 4};
  owner_host_.set_grants(to_read, to_write);
  const WritableBytes buffer = MakeBuffer(3 << 20);
  const Extent extent{0, 3 << 20, 1};
  const HeldObject object{"key", {0, 100, 1}, 100, Checksum64(buffer.bytes.first(100))};
  const auto end = [](const std::shared_ptr<Transfer>& transfer) {
    return transfer->Wait(In(seconds(20)), seconds(10));
  };
  const std::string owner = owner_->endpoint();
  for (const ExtentGrant& grant : {ExtentGrant{}, to_read, to_write}) {
    const absl::Status read = end(peer_->Read(owner, {{extent, buffer, grant}}));
    EXPECT_EQ(read.ok(), grant == to_read) << read;
    const absl::Status write = end(peer_->Write(owner, {{extent, Readable(buffer), grant}}));
    EXPECT_EQ(write.ok(), grant == to_write) << write;
    const absl::Status put =
        peer_
            ->Put(owner,
                  {{&object, object.extent, {buffer.bytes.first(100), buffer.hold}, grant}})[0]
            .Wait(In(seconds(20)), seconds(10));
    EXPECT_EQ(put.ok(), grant == to_write) << put;
    const absl::Status publish = end(peer_->Publish(owner, {{object, grant}}));
    EXPECT_EQ(publish.ok(), grant == to_write) << publish;
    const absl::Status forget = end(peer_->Forget(owner, {{extent, grant}}));
    EXPECT_EQ(forget.ok(), grant == to_write) << forget;
    for (const absl::Status& status : {read, write, put, publish, forget}) {
      EXPECT_TRUE(status.ok() || absl::IsPermissionDenied(status)) << status;
    }
  }
  EXPECT_EQ(owner_host_.forgotten().size(), 1u);
}

TEST_P(TransportTest, ManyThreadsShareThePeer) {
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

TEST_P(TransportTest, FailsQuicklyWhereNobodyListens) {
  const TimePoint start = Clock::Real().Now();
  const absl::Status status = peer_->Read("127.0.0.1:1", {{{0, 10, 1}, MakeBuffer(10)}})
                                  ->Wait(In(seconds(20)), seconds(10));
  EXPECT_TRUE(absl::IsUnavailable(status)) << status;
  EXPECT_LT(Clock::Real().Now() - start, seconds(5));
  EXPECT_TRUE(absl::IsInvalidArgument(
      peer_->Read("nowhere", {{{0, 10, 1}, MakeBuffer(10)}})->Wait(In(seconds(20)), seconds(10))));
}

TEST_P(TransportTest, NoticesThatThePeerIsGone) {
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
  EXPECT_TRUE(peer_->HasGone(endpoint, In(seconds(20))));
}

TEST_P(TransportTest, TellsAGonePeerFromASilentOne) {
  EXPECT_FALSE(peer_->HasGone(owner_->endpoint(), In(seconds(20))));
  EXPECT_TRUE(peer_->HasGone("127.0.0.1:1", In(seconds(20))));
  EXPECT_FALSE(peer_->HasGone("nowhere", In(seconds(20))));
  const SilentPort silent;
  EXPECT_FALSE(peer_->HasGone(silent.endpoint(), In(milliseconds(20))));
}

TEST_P(TransportTest, LetsGoOfTheBytesOfAPeerThatIsAbandoned) {
  const std::vector<std::byte> bytes(20 << 20);
  LentBytes lent(bytes);
  owner_host_.Stop();
  const auto write = peer_->Write(owner_->endpoint(), {{{0, bytes.size(), 1}, lent.Lend()}});
  EXPECT_TRUE(absl::IsDeadlineExceeded(write->Wait(In(milliseconds(50)), seconds(20))));
  EXPECT_FALSE(lent.WaitUntilReturned(In(milliseconds(1))));
  peer_->Abandon(owner_->endpoint());
  EXPECT_TRUE(lent.WaitUntilReturned(In(seconds(20))));
  const absl::Status ended = write->Wait(In(seconds(20)), seconds(20));
  EXPECT_FALSE(ended.ok() || absl::IsDeadlineExceeded(ended)) << ended;

  owner_host_.GoOn();
  const WritableBytes again = MakeBuffer(4096);
  EXPECT_EQ(peer_->Write(owner_->endpoint(), {{{0, 4096, 1}, Readable(again)}})
                ->Wait(In(seconds(20)), seconds(20)),
            absl::OkStatus());
}

TEST_P(TransportTest, MovesNothingAtOnce) {
  EXPECT_TRUE(peer_->Read(owner_->endpoint(), {{{0, 0, 1}, MakeBuffer(0)}})
                  ->Wait(In(seconds(20)), seconds(10))
                  .ok());
  EXPECT_TRUE(peer_->Write(owner_->endpoint(), {})->Wait(In(seconds(20)), seconds(10)).ok());
}

TEST_P(TransportTest, ClosingEndsWhatIsInFlight) {
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
  EXPECT_TRUE(absl::IsDeadlineExceeded(silent.Wait(In(seconds(10)), milliseconds(1))));
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
  EXPECT_EQ(quantum.status().message(), "protocol \"quantum\" is not one of \"tcp\", \"rdma\"");
  const auto nowhere = Transport::Create({.hostname = "no.such.host.invalid"}, host);
  EXPECT_TRUE(absl::IsInvalidArgument(nowhere.status())) << nowhere.status();
}

}  // namespace
}  // namespace tandem::transfer

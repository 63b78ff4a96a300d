#include <gtest/gtest.h>

#include <cstring>
#include <future>
#include <set>

#include "transfer/shared_memory_peer.h"
#include "transfer/shared_memory_server.h"
#include "transfer/unix_socket.h"

namespace tandem::transfer {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr uint64_t kSize = 1 << 20;

TimePoint In(Duration wait) { return Clock::Real().Now() + wait; }

/// Counts the holds of each generation; generation 0 is never there.
class CountingHost : public ExtentHost {
 public:
  absl::StatusOr<ReadableBytes> OpenForRead(const Extent& extent) override {
    if (extent.generation == 0) return absl::NotFoundError("gone");
    MutexLock lock(mutex_);
    ++holds_[extent.generation];
    return ReadableBytes{{}, std::shared_ptr<const void>(this, [this, extent](const void*) {
                           MutexLock lock(mutex_);
                           changed_.WaitUntil(mutex_, In(seconds(20)), [&] { return !held_up_; });
                           --holds_[extent.generation];
                           changed_.NotifyAll();
                         })};
  }
  absl::StatusOr<WritableBytes> OpenForWrite(const Extent&) override {
    return absl::UnimplementedError("only read here");
  }
  absl::Status Publish(const HeldObject&) override { return absl::OkStatus(); }
  absl::Status PublishChecked(const HeldObject&) override { return absl::OkStatus(); }
  absl::Status CheckGrant(const Extent&, Access, const ExtentGrant&) override {
    ADD_FAILURE() << "processes of this host need no grant";
    return absl::OkStatus();
  }
  void Forget(const Extent&) override {}

  /// Has whoever lets go of something wait.
  void HoldReleases() { SetHeldUp(true); }
  void LetReleasesThrough() { SetHeldUp(false); }

  int holds(uint64_t generation) {
    MutexLock lock(mutex_);
    return holds_[generation];
  }
  bool WaitForHolds(uint64_t generation, int count, Duration wait = seconds(10)) {
    MutexLock lock(mutex_);
    return changed_.WaitUntil(mutex_, In(wait), [&] { return holds_[generation] == count; });
  }

 private:
  void SetHeldUp(bool held_up) {
    MutexLock lock(mutex_);
    held_up_ = held_up;
    changed_.NotifyAll();
  }

  Mutex mutex_;
  CondVar changed_;
  bool held_up_ = false;
  std::map<uint64_t, int> holds_;
};

class SharedMemoryTest : public testing::Test {
 protected:
  void SetUp() override {
    region_ = *MemoryRegion::Create(kSize);
    server_ = *SharedMemoryServer::Start(region_, host_);
    auto peer = SharedMemoryPeer::Connect(server_->socket_name(), In(seconds(10)));
    ASSERT_TRUE(peer.ok()) << peer.status();
    peer_ = *std::move(peer);
  }

  CountingHost host_;
  std::shared_ptr<const MemoryRegion> region_;
  std::unique_ptr<SharedMemoryServer> server_;
  std::shared_ptr<SharedMemoryPeer> peer_;
};

TEST_F(SharedMemoryTest, GivesTheOwnersBytes) {
  std::memcpy(region_->bytes().data() + 4096, "keys", 4);
  const auto pinned = peer_->Pin({{4096, 4, 1}}, In(seconds(10)));
  ASSERT_TRUE(pinned[0].ok()) << pinned[0].status();
  EXPECT_EQ(std::memcmp(pinned[0]->bytes.data(), "keys", 4), 0);
}

TEST_F(SharedMemoryTest, PinsUntilTheReaderLetsGo) {
  auto pinned = peer_->Pin({{0, 8, 1}, {8, 8, 0}, {16, 8, 2}}, In(seconds(10)));
  EXPECT_TRUE(pinned[0].ok());
  EXPECT_TRUE(absl::IsNotFound(pinned[1].status()));
  EXPECT_TRUE(pinned[2].ok());
  EXPECT_EQ(host_.holds(1), 1);
  pinned[0] = absl::UnknownError("let go");
  EXPECT_TRUE(host_.WaitForHolds(1, 0));
  EXPECT_EQ(host_.holds(2), 1);
}

TEST_F(SharedMemoryTest, TakesMorePinsThanFitAPacket) {
  const std::vector<Extent> extents(1000, Extent{0, 8, 1});
  auto pinned = peer_->Pin(extents, In(seconds(10)));
  EXPECT_EQ(host_.holds(1), 1000);
  for (const auto& pin : pinned) ASSERT_TRUE(pin.ok());
  pinned.clear();
  const TimePoint give_up = In(seconds(10));
  while (!host_.WaitForHolds(1, 0, milliseconds(20)) && Clock::Real().Now() < give_up) {
    peer_->Flush();
  }
  EXPECT_EQ(host_.holds(1), 0);
}

TEST_F(SharedMemoryTest, WaitsWhileTheOwnerIsBusyWithWhatWasLetGo) {
  auto pinned = peer_->Pin(std::vector<Extent>(5000, Extent{0, 8, 1}), In(seconds(10)));
  host_.HoldReleases();
  pinned.clear();  // far more than the socket holds
  EXPECT_TRUE(absl::IsDeadlineExceeded(peer_->Pin({{0, 8, 2}}, In(milliseconds(20)))[0].status()));
  auto waiting = std::async(std::launch::async, [&] {
    return peer_->Pin({{0, 8, 3}}, In(seconds(10)))[0].ok();
  });
  host_.LetReleasesThrough();
  EXPECT_TRUE(waiting.get());
}

TEST_F(SharedMemoryTest, OneReaderDoesNotPinWithoutEnd) {
  const std::vector<Extent> extents(kMaxPinsPerConnection + 1, Extent{0, 8, 1});
  auto pinned = peer_->Pin(extents, In(seconds(60)));
  EXPECT_TRUE(absl::IsResourceExhausted(pinned.back().status())) << pinned.back().status();
  pinned.pop_back();
  for (const auto& pin : pinned) ASSERT_TRUE(pin.ok());
  EXPECT_EQ(host_.holds(1), static_cast<int>(kMaxPinsPerConnection));
  // What it holds stays, and room for more comes with what it lets go.
  pinned.pop_back();
  EXPECT_TRUE(peer_->Pin({{0, 8, 2}}, In(seconds(60)))[0].ok());
  EXPECT_FALSE(peer_->broken());
}

TEST_F(SharedMemoryTest, AReaderThatIsGoneHoldsNothing) {
  auto socket = ConnectToUnixSocket(server_->socket_name(), In(seconds(10)));
  ASSERT_TRUE(socket.ok());
  SharedMemoryHello hello;
  ASSERT_TRUE(
      ReceivePacket(*socket, std::as_writable_bytes(std::span(&hello, 1)), In(seconds(10))).ok());
  PinRequest request{.kind = PinRequest::kPin, .count = 1};
  request.items[0] = {1, {0, 8, 5}};
  ASSERT_TRUE(
      SendPacket(*socket, std::as_bytes(std::span(&request, 1)).first(request.packet_size())).ok());
  PinReply reply;
  ASSERT_TRUE(
      ReceivePacket(*socket, std::as_writable_bytes(std::span(&reply, 1)), In(seconds(10))).ok());
  EXPECT_EQ(host_.holds(5), 1);
  socket->Reset();
  EXPECT_TRUE(host_.WaitForHolds(5, 0));
}

TEST_F(SharedMemoryTest, AnOwnerThatIsGoneIsUnavailable) {
  server_.reset();
  const auto pinned = peer_->Pin({{0, 8, 1}}, In(seconds(10)));
  EXPECT_TRUE(absl::IsUnavailable(pinned[0].status())) << pinned[0].status();
  EXPECT_TRUE(peer_->broken());
}

TEST_F(SharedMemoryTest, RefusesExtentsBeyondTheSegment) {
  const auto pinned = peer_->Pin({{kSize - 4, 8, 1}, {UINT64_MAX, 8, 1}}, In(seconds(10)));
  EXPECT_TRUE(absl::IsOutOfRange(pinned[0].status()));
  EXPECT_TRUE(absl::IsOutOfRange(pinned[1].status()));
}

TEST_F(SharedMemoryTest, DropsWhoeverSendsNonsense) {
  auto socket = ConnectToUnixSocket(server_->socket_name(), In(seconds(10)));
  ASSERT_TRUE(socket.ok());
  SharedMemoryHello hello;
  ASSERT_TRUE(
      ReceivePacket(*socket, std::as_writable_bytes(std::span(&hello, 1)), In(seconds(10))).ok());
  PinRequest request{.kind = PinRequest::kPin, .count = 100000};
  ASSERT_TRUE(SendPacket(*socket, std::as_bytes(std::span(&request, 1)).first(100)).ok());
  EXPECT_TRUE(absl::IsUnavailable(
      ReceivePacket(*socket, std::as_writable_bytes(std::span(&hello, 1)), In(seconds(10)))
          .status()));
  EXPECT_TRUE(peer_->Pin({{0, 8, 1}}, In(seconds(10)))[0].ok());
}

TEST(SharedMemoryPeer, SaysWhyItCannotConnect) {
  EXPECT_TRUE(
      absl::IsNotFound(SharedMemoryPeer::Connect("@tandem-nobody", In(seconds(1))).status()));
  EXPECT_TRUE(
      absl::IsInvalidArgument(SharedMemoryPeer::Connect("/a/path", In(seconds(1))).status()));
}

TEST(SharedMemoryPeer, DoesNotWaitLongForAPausedOwner) {
  std::string name;
  auto listener = ListenOnUnixSocket(&name);
  ASSERT_TRUE(listener.ok());
  EXPECT_TRUE(
      absl::IsDeadlineExceeded(SharedMemoryPeer::Connect(name, In(milliseconds(5))).status()));
  // Nor once its queue of connections is full, where connecting itself waits.
  std::vector<ScopedFd> queued;
  absl::StatusOr<ScopedFd> next;
  while ((next = ConnectToUnixSocket(name, In(milliseconds(5)))).ok()) {
    queued.push_back(*std::move(next));
    ASSERT_LT(queued.size(), 10'000u);
  }
  EXPECT_TRUE(absl::IsDeadlineExceeded(next.status())) << next.status();
}

}  // namespace
}  // namespace tandem::transfer

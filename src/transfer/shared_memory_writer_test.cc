#include "transfer/shared_memory_writer.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <random>
#include <thread>

#include "base/hash.h"
#include "transfer/shared_memory_messages.h"
#include "transfer/shared_memory_server.h"
#include "transfer/testing/writable_host.h"
#include "transfer/unix_socket.h"

namespace tandem::transfer {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::In;
using testing::WritableHost;

constexpr uint64_t kSize = 32 << 20;

class SharedMemoryWriterTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto writer = SharedMemoryWriter::Connect(server_->socket_name(), In(seconds(10)));
    ASSERT_TRUE(writer.ok()) << writer.status();
    writer_ = *std::move(writer);
  }

  static std::vector<std::byte> RandomBytes(size_t size) {
    std::mt19937_64 random(size);
    std::vector<std::byte> bytes(size);
    for (std::byte& byte : bytes) byte = static_cast<std::byte>(random());
    return bytes;
  }
  std::vector<absl::StatusOr<uint64_t>> Write(std::span<const StagedWrite> writes) {
    return writer_->Write(writes, In(seconds(10)), seconds(10));
  }
  std::span<const std::byte> At(uint64_t offset, uint64_t size) {
    return region_->bytes().subspan(offset, size);
  }

  std::shared_ptr<const MemoryRegion> region_ = *MemoryRegion::Create(kSize);
  WritableHost host_{region_};
  std::unique_ptr<SharedMemoryServer> server_ = *SharedMemoryServer::Start(region_, host_);
  std::unique_ptr<SharedMemoryWriter> writer_;
};

TEST_F(SharedMemoryWriterTest, WritesGathersAndPublishes) {
  // More than the staging memory holds, and an odd length.
  const auto large = RandomBytes((5 << 20) + 13), small = RandomBytes(100);
  const std::span<const std::byte> all(large);
  const std::vector<std::span<const std::byte>> parts = {all.first(3), {}, all.subspan(3)};
  const std::vector<std::span<const std::byte>> whole = {small};
  const std::vector<StagedWrite> writes = {
      {{"large", {4096, large.size(), 1}, large.size(), 0, true, false}, parts},
      {{"small", {8 << 20, small.size(), 2}, small.size(), 0, false, true}, whole}};
  const auto results = Write(writes);
  ASSERT_TRUE(results[0].ok()) << results[0].status();
  ASSERT_TRUE(results[1].ok()) << results[1].status();
  EXPECT_EQ(*results[0], Checksum64(large));
  EXPECT_EQ(*results[1], Checksum64(small));
  EXPECT_TRUE(std::ranges::equal(At(4096, large.size()), large));
  EXPECT_TRUE(std::ranges::equal(At(8 << 20, small.size()), small));
  const auto published = host_.published();
  ASSERT_EQ(published.size(), 2u);
  EXPECT_EQ(published[0].key, "large");
  EXPECT_EQ(published[0].size, large.size());
  EXPECT_EQ(published[0].checksum, Checksum64(large));
  EXPECT_TRUE(published[0].soft_pin);
  EXPECT_TRUE(published[1].hard_pin);
  EXPECT_TRUE(host_.WaitForHolds(0));
}

TEST_F(SharedMemoryWriterTest, WritesManySmallObjects) {
  const auto value = RandomBytes(4096);
  const std::vector<std::span<const std::byte>> parts = {value};
  std::vector<StagedWrite> writes;
  for (uint64_t i = 0; i < 1000; ++i) {
    writes.push_back({{"key" + std::to_string(i), {i * 4096, 4096, i + 1}, 4096}, parts});
  }
  for (const auto& result : Write(writes)) ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(host_.published().size(), 1000u);
  EXPECT_TRUE(std::ranges::equal(At(999 * 4096, 4096), value));
}

TEST_F(SharedMemoryWriterTest, ARefusedObjectLeavesTheOthersAlone) {
  const auto value = RandomBytes(1 << 20);
  const std::vector<std::span<const std::byte>> parts = {value};
  const std::vector<StagedWrite> writes = {
      {{"late", {0, value.size(), 0}, value.size()}, parts},
      {{"in time", {4 << 20, value.size(), 3}, value.size()}, parts}};
  const auto results = Write(writes);
  EXPECT_TRUE(absl::IsFailedPrecondition(results[0].status())) << results[0].status();
  EXPECT_TRUE(results[1].ok()) << results[1].status();
  EXPECT_EQ(host_.published().size(), 1u);
  EXPECT_FALSE(writer_->broken());
}

TEST_F(SharedMemoryWriterTest, AWriterThatIsGoneHoldsAndPublishesNothing) {
  auto socket = ConnectToUnixSocket(server_->socket_name(), In(seconds(10)));
  ASSERT_TRUE(socket.ok());
  SharedMemoryHello hello;
  ASSERT_TRUE(
      ReceivePacket(*socket, std::as_writable_bytes(std::span(&hello, 1)), In(seconds(10))).ok());
  const auto staging = *MemoryRegion::Create(kStagingBytes);
  const uint32_t kind = PinRequest::kStage;
  ASSERT_TRUE(SendPacket(*socket, std::as_bytes(std::span(&kind, 1)), staging->fd()).ok());
  WritePacket packet;
  packet.Add({.extent = {0, 1 << 20, 1}, .length = 1000});  // the rest never comes
  ASSERT_TRUE(SendPacket(*socket, packet.bytes()).ok());
  EXPECT_TRUE(host_.WaitForHolds(1));
  socket->Reset();
  EXPECT_TRUE(host_.WaitForHolds(0));
  EXPECT_TRUE(host_.published().empty());
}

TEST_F(SharedMemoryWriterTest, PiecesOutOfOrderAreRefused) {
  StagedWrites writes(host_);
  const std::vector<StagedPiece> first = {{.extent = {0, 1 << 20, 1}, .length = 1000}};
  EXPECT_EQ(writes.Write(first)[0].code, absl::StatusCode::kFailedPrecondition);  // nothing staged
  const auto staging = *MemoryRegion::Create(kStagingBytes);
  ASSERT_TRUE(writes.Open(ScopedFd(dup(staging->fd()))).ok());
  EXPECT_EQ(writes.Write(first)[0].code, absl::StatusCode::kOk);
  const std::vector<StagedPiece> gap = {
      {.extent = {0, 1 << 20, 1}, .position = 2000, .length = 1000}};
  EXPECT_EQ(writes.Write(gap)[0].code, absl::StatusCode::kFailedPrecondition);
  EXPECT_TRUE(host_.WaitForHolds(0));
}

TEST_F(SharedMemoryWriterTest, StagingMemoryMustBeSealed) {
  StagedWrites writes(host_);
  const auto small = *MemoryRegion::Create(4096);
  EXPECT_TRUE(absl::IsInvalidArgument(writes.Open(ScopedFd(dup(small->fd())))));
}

TEST_F(SharedMemoryWriterTest, AnOwnerThatIsGoneIsUnavailable) {
  server_.reset();
  const auto value = RandomBytes(10);
  const std::vector<std::span<const std::byte>> parts = {value};
  const std::vector<StagedWrite> writes = {{{"key", {0, 10, 1}, 10}, parts}};
  EXPECT_TRUE(absl::IsUnavailable(Write(writes)[0].status())) << Write(writes)[0].status();
  EXPECT_TRUE(writer_->broken());
}

TEST(SharedMemoryWriter, DoesNotWaitLongForAPausedOwner) {
  std::string name;
  const auto listener = ListenOnUnixSocket(&name);
  ASSERT_TRUE(listener.ok());
  EXPECT_TRUE(
      absl::IsDeadlineExceeded(SharedMemoryWriter::Connect(name, In(milliseconds(5))).status()));
}

}  // namespace
}  // namespace tandem::transfer

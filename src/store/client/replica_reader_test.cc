#include "store/client/replica_reader.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <thread>

#include "base/hash.h"
#include "base/host_port.h"
#include "transfer/socket_address.h"
#include "transfer/stream_frame.h"

namespace tandem::store {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr uint64_t kSize = 1 << 20;

/// An owner on another host that answers one read: half of the bytes at once, the others, which are
/// different, once it is told to.
class HalfwayOwner {
 public:
  HalfwayOwner() {
    const transfer::SocketAddress any = *transfer::ResolveAddress("127.0.0.1", 0);
    EXPECT_EQ(bind(listener_.get(), any.get(), any.length), 0);
    EXPECT_EQ(listen(listener_.get(), 1), 0);
    sockaddr_in bound{};
    socklen_t length = sizeof(bound);
    EXPECT_EQ(getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&bound), &length), 0);
    endpoint_ = FormatHostPort("127.0.0.1", ntohs(bound.sin_port));
  }
  const std::string& endpoint() const { return endpoint_; }

  void AnswerHalf() {
    peer_ = ScopedFd(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    std::array<std::byte, transfer::kHelloBytes> hello;
    Receive(hello);
    Send(PackFrame(transfer::ReplyFrame{{0, absl::StatusCode::kOk}, 0}));
    std::array<std::byte, transfer::kRequestFrameBytes> frame;
    Receive(frame);
    const auto request = transfer::UnpackRequestFrame(frame);
    ASSERT_TRUE(request.ok()) << request.status();
    Send(PackFrame(transfer::ReplyFrame{{request->header.id, absl::StatusCode::kOk}, kSize}));
    Send(std::string(kSize / 2, 'a'));
  }
  void AnswerTheRest() { Send(std::string(kSize / 2, 'b')); }
  /// Whether the reader closes the connection, in a few seconds.
  bool IsClosed() {
    const timeval most{.tv_sec = 5};
    setsockopt(peer_.get(), SOL_SOCKET, SO_RCVTIMEO, &most, sizeof(most));
    char byte;
    const ssize_t received = recv(peer_.get(), &byte, 1, 0);
    return received == 0 || (received < 0 && errno == ECONNRESET);
  }

 private:
  void Receive(std::span<std::byte> bytes) {
    ASSERT_EQ(recv(peer_.get(), bytes.data(), bytes.size(), MSG_WAITALL),
              static_cast<ssize_t>(bytes.size()));
  }
  /// As much of it as the peer takes.
  void Send(const std::string& bytes) {
    for (size_t sent = 0; sent < bytes.size();) {
      const ssize_t part = send(peer_.get(), &bytes[sent], bytes.size() - sent, MSG_NOSIGNAL);
      if (part <= 0) return;
      sent += static_cast<size_t>(part);
    }
  }

  const ScopedFd listener_{socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  ScopedFd peer_;
  std::string endpoint_;
};

class ReplicaReaderTest : public ::testing::Test {
 protected:
  /// Reads the object that the owner has into `into`, for as long as `wait`.
  ReplicaReader::Wanted Read(std::span<std::byte> into, uint64_t checksum, Duration wait) {
    proto::Segment segment;
    segment.set_name(owner_.endpoint());
    segment.set_data_endpoint(owner_.endpoint());
    segment.set_host_identity("another host");
    FoundObject object{kSize, checksum, {}, {}};
    object.replicas.push_back(
        {{0, kSize, 1}, std::make_shared<const proto::Segment>(std::move(segment))});
    ReplicaReader::Wanted wanted;
    wanted.object = std::make_shared<const FoundObject>(std::move(object));
    wanted.into = into;
    uint64_t kept = 0;
    reader_.Read({&wanted}, Clock::Real().Now() + wait, kept);
    return wanted;
  }

  HalfwayOwner owner_;
  MetricRegistry metrics_;
  SegmentOwner own_;
  PeerMappings mappings_;
  std::unique_ptr<transfer::Transport> transport_ = *transfer::Transport::Create(
      {.hostname = "127.0.0.1", .listen = false, .connections = 1}, own_);
  LocalBuffers buffers_{4096};  // too few for the object
  TransferCounters counters_{metrics_};
  ReplicaReader reader_{
      {.own_segment = "own", .host_identity = "this host", .silence = seconds(20)},
      own_,
      mappings_,
      *transport_,
      buffers_,
      counters_};
};

TEST_F(ReplicaReaderTest, ReceivesLargeObjectsWhereTheyAreWanted) {
  std::vector<std::byte> into(kSize + 1);
  std::thread owner([&] {
    owner_.AnswerHalf();
    owner_.AnswerTheRest();
  });
  std::vector<std::byte> value(kSize, std::byte{'a'});
  std::fill(value.begin() + kSize / 2, value.end(), std::byte{'b'});
  const auto wanted = Read(into, Checksum64(value), seconds(20));
  owner.join();
  ASSERT_TRUE(wanted.bytes.ok()) << wanted.bytes.status();
  EXPECT_EQ(wanted.bytes->bytes.data(), into.data());
  EXPECT_TRUE(std::ranges::equal(wanted.bytes->bytes, value));
  EXPECT_EQ(into[kSize], std::byte{0});
}

TEST_F(ReplicaReaderTest, WhatArrivesDamagedIsLost) {
  std::vector<std::byte> into(kSize);
  std::thread owner([&] {
    owner_.AnswerHalf();
    owner_.AnswerTheRest();
  });
  const auto wanted = Read(into, 1, seconds(20));
  owner.join();
  EXPECT_TRUE(absl::IsDataLoss(wanted.bytes.status())) << wanted.bytes.status();
  EXPECT_EQ(wanted.lost.size(), 1u);
}

TEST_F(ReplicaReaderTest, NothingArrivesOnceAReadWasGivenUp) {
  std::vector<std::byte> into(kSize);
  std::thread owner([&] { owner_.AnswerHalf(); });
  const auto wanted = Read(into, 1, milliseconds(100));
  EXPECT_TRUE(absl::IsDeadlineExceeded(wanted.bytes.status())) << wanted.bytes.status();
  EXPECT_TRUE(wanted.lost.empty());
  owner.join();
  std::fill(into.begin(), into.end(), std::byte{'c'});
  owner_.AnswerTheRest();
  EXPECT_TRUE(owner_.IsClosed());
  EXPECT_EQ(std::ranges::count(into, std::byte{'c'}), static_cast<std::ptrdiff_t>(kSize));
}

}  // namespace
}  // namespace tandem::store

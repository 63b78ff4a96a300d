#include "transfer/shared_memory_server.h"

#include <spdlog/spdlog.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <thread>

#include "base/status.h"
#include "transfer/unix_socket.h"

namespace tandem::transfer {
namespace {

// A reader that holds more than this has lost count of what it holds.
constexpr size_t kMaxPinsPerConnection = 1 << 16;
// To accept a reader for whom there is no descriptor. Others are served in between.
constexpr Duration kBetweenAttempts = std::chrono::milliseconds(10);

}  // namespace

absl::StatusOr<std::unique_ptr<SharedMemoryServer>> SharedMemoryServer::Start(
    std::shared_ptr<const MemoryRegion> region, ExtentHost& host) {
  std::unique_ptr<SharedMemoryServer> server(new SharedMemoryServer(std::move(region), host));
  ASSIGN_OR_RETURN(server->listener_, ListenOnUnixSocket(&server->socket_name_));
  server->epoll_ = ScopedFd(epoll_create1(EPOLL_CLOEXEC));
  server->stop_ = ScopedFd(eventfd(0, EFD_CLOEXEC));
  if (!server->Watch(server->listener_.get()) || !server->Watch(server->stop_.get())) {
    return absl::ErrnoToStatus(errno, "cannot watch the socket of a segment");
  }
  server->thread_ = std::thread([self = server.get()] { self->Run(); });
  return server;
}

SharedMemoryServer::~SharedMemoryServer() {
  if (!thread_.joinable()) return;
  eventfd_write(stop_.get(), 1);
  thread_.join();
}

bool SharedMemoryServer::Watch(int fd) {
  epoll_event event{.events = EPOLLIN, .data = {.fd = fd}};
  return epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) == 0;
}

void SharedMemoryServer::Run() {
  while (true) {
    epoll_event events[16];
    const int count = epoll_wait(epoll_.get(), events, 16, -1);
    for (int i = 0; i < count; ++i) {
      const int fd = events[i].data.fd;
      if (fd == stop_.get()) return;
      if (fd == listener_.get()) {
        Accept();
        continue;
      }
      const auto found = connections_.find(fd);
      if (found != connections_.end() && !Serve(found->second)) connections_.erase(found);
    }
  }
}

void SharedMemoryServer::Accept() {
  ScopedFd socket(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!socket.valid()) {
    // Whoever asked waits on, and without this the thread would spin until others give some back.
    if (errno == EMFILE || errno == ENFILE || errno == ENOMEM) {
      std::this_thread::sleep_for(kBetweenAttempts);
    }
    return;
  }
  if (!PeerIsSameUser(socket)) {
    spdlog::warn("refused a process of another user that asked for this segment's memory");
    return;
  }
  const SharedMemoryHello hello{.size = region_->bytes().size()};
  if (!SendPacket(socket, std::as_bytes(std::span(&hello, 1)), region_->fd()).ok()) return;
  const int fd = socket.get();
  if (Watch(fd)) connections_[fd].socket = std::move(socket);
}

bool SharedMemoryServer::Serve(Connection& connection) {
  ScopedFd memory;
  const auto length = ReceivePacket(connection.socket, packet_, TimePoint::min(), &memory);
  if (!length.ok()) return absl::IsDeadlineExceeded(length.status());
  const std::span<const std::byte> packet = std::span(packet_).first(*length);
  PinRequest request;
  if (packet.size() < sizeof(request.kind)) return false;
  std::memcpy(&request, packet.data(), std::min(packet.size(), sizeof(request)));
  if (request.kind == PinRequest::kStage) return Stage(connection, memory);
  if (request.kind == PinRequest::kWrite) return Write(connection, packet);
  if (packet.size() < offsetof(PinRequest, items) || request.count > kMaxPinsPerPacket ||
      packet.size() != request.packet_size()) {
    return false;
  }
  if (request.kind == PinRequest::kPin) return Pin(connection, request);
  for (uint32_t i = 0; i < request.count; ++i) connection.pins.erase(request.items[i].id);
  return request.kind == PinRequest::kUnpin;
}

bool SharedMemoryServer::Stage(Connection& connection, const ScopedFd& memory) {
  if (!memory.valid()) return false;
  connection.writes = std::make_unique<StagedWrites>(host_);
  return connection.writes->Open(memory).ok();
}

bool SharedMemoryServer::Write(Connection& connection, std::span<const std::byte> packet) {
  const auto pieces = UnpackWrite(packet);
  if (!pieces.ok() || connection.writes == nullptr) return false;
  // A writer waits for its answers before its socket could fill up with them.
  return SendPacket(connection.socket, PackResults(connection.writes->Write(*pieces))).ok();
}

bool SharedMemoryServer::Pin(Connection& connection, const PinRequest& request) {
  if (request.count == 0 || connection.pins.size() + request.count > kMaxPinsPerConnection) {
    return false;
  }
  PinReply reply{.first_id = request.items[0].id, .count = request.count};
  for (uint32_t i = 0; i < request.count; ++i) {
    auto opened = host_.OpenForRead(request.items[i].extent);
    if (absl::IsUnavailable(opened.status())) reply.answers[i] = PinReply::kNotNow;
    if (!opened.ok()) continue;
    connection.pins[request.items[i].id] = std::move(opened->hold);
    reply.answers[i] = PinReply::kPinned;
  }
  return SendPacket(connection.socket, std::as_bytes(std::span(&reply, 1))).ok();
}

}  // namespace tandem::transfer

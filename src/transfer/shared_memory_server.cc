#include "transfer/shared_memory_server.h"

#include <spdlog/spdlog.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <thread>

#include "base/accept_error.h"
#include "base/status.h"
#include "transfer/unix_socket.h"

namespace tandem::transfer {

absl::StatusOr<std::unique_ptr<SharedMemoryServer>> SharedMemoryServer::Start(
    std::shared_ptr<const MemoryRegion> region, ExtentHost& host, int threads) {
  std::unique_ptr<SharedMemoryServer> server(new SharedMemoryServer(std::move(region), host));
  ASSIGN_OR_RETURN(server->listener_, ListenOnUnixSocket(&server->socket_name_));
  server->epoll_ = ScopedFd(epoll_create1(EPOLL_CLOEXEC));
  server->stop_ = ScopedFd(eventfd(0, EFD_CLOEXEC));
  epoll_event stop{.events = EPOLLIN, .data = {.fd = server->stop_.get()}};
  if (epoll_ctl(server->epoll_.get(), EPOLL_CTL_ADD, server->stop_.get(), &stop) != 0 ||
      !server->Watch(server->listener_.get(), EPOLL_CTL_ADD)) {
    return absl::ErrnoToStatus(errno, "cannot watch the socket of a segment");
  }
  for (int i = 0; i < threads; ++i) {
    server->threads_.emplace_back([self = server.get()] { self->Run(); });
  }
  return server;
}

SharedMemoryServer::~SharedMemoryServer() {
  if (threads_.empty()) return;
  eventfd_write(stop_.get(), 1);
  for (std::thread& thread : threads_) thread.join();
}

bool SharedMemoryServer::Watch(int fd, int operation) {
  epoll_event event{.events = EPOLLIN | EPOLLONESHOT, .data = {.fd = fd}};
  return epoll_ctl(epoll_.get(), operation, fd, &event) == 0;
}

void SharedMemoryServer::Run() {
  std::vector<std::byte> room(kMaxWritePacketBytes);
  while (true) {
    epoll_event event;
    if (epoll_wait(epoll_.get(), &event, 1, -1) != 1) continue;
    if (event.data.fd == stop_.get()) return;
    if (event.data.fd == listener_.get()) {
      Accept();
      Watch(listener_.get(), EPOLL_CTL_MOD);
    } else {
      ServeNext(event.data.fd, room);
    }
  }
}

void SharedMemoryServer::Accept() {
  ScopedFd socket(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!socket.valid()) {
    if (LeavesConnectionQueued(errno)) std::this_thread::sleep_for(kAcceptAgainAfter);
    return;
  }
  if (!PeerIsSameUser(socket)) {
    spdlog::warn("refused a process of another user that asked for this segment's memory");
    return;
  }
  const SharedMemoryHello hello{.size = region_->bytes().size()};
  if (!SendPacket(socket, std::as_bytes(std::span(&hello, 1)), region_->fd()).ok()) return;
  const int fd = socket.get();
  MutexLock lock(mutex_);
  if (Watch(fd, EPOLL_CTL_ADD)) connections_[fd].socket = std::move(socket);
}

void SharedMemoryServer::ServeNext(int fd, std::span<std::byte> room) {
  Connection* connection;
  {
    MutexLock lock(mutex_);
    connection = &connections_.at(fd);
  }
  const bool goes_on = Serve(*connection, room);
  // Its pins are released without the lock.
  std::map<int, Connection>::node_type ended;
  MutexLock lock(mutex_);
  if (!goes_on || !Watch(fd, EPOLL_CTL_MOD)) ended = connections_.extract(fd);
}

bool SharedMemoryServer::Serve(Connection& connection, std::span<std::byte> room) {
  ScopedFd memory;
  const auto length = ReceivePacket(connection.socket, room, TimePoint::min(), &memory);
  if (!length.ok()) return absl::IsDeadlineExceeded(length.status());
  const std::span<const std::byte> packet = room.first(*length);
  uint32_t kind = 0;
  if (packet.size() < sizeof(kind)) return false;
  std::memcpy(&kind, packet.data(), sizeof(kind));
  if (kind == PinRequest::kStage) return Stage(connection, memory);
  if (kind == PinRequest::kWrite) return Write(connection, packet);
  const auto request = UnpackPinRequest(packet);
  if (!request.ok()) return false;
  if (kind == PinRequest::kPin) return Pin(connection, *request);
  for (uint32_t i = 0; i < request->count; ++i) connection.pins.erase(request->items[i].id);
  return true;
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
  PinReply reply{.first_id = request.items[0].id, .count = request.count};
  for (uint32_t i = 0; i < request.count; ++i) {
    if (connection.pins.size() == kMaxPinsPerConnection) {
      reply.answers[i] = PinReply::kTooMany;
      continue;
    }
    auto opened = host_.OpenForRead(request.items[i].extent);
    if (absl::IsUnavailable(opened.status())) reply.answers[i] = PinReply::kNotNow;
    if (!opened.ok()) continue;
    connection.pins[request.items[i].id] = std::move(opened->hold);
    reply.answers[i] = PinReply::kPinned;
  }
  return SendPacket(connection.socket, std::as_bytes(std::span(&reply, 1))).ok();
}

}  // namespace tandem::transfer

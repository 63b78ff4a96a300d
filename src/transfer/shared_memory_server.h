#pragma once

#include <map>
#include <memory>
#include <span>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "absl/status/statusor.h"
#include "base/scoped_fd.h"
#include "transfer/extent_host.h"
#include "transfer/memory_region.h"
#include "transfer/shared_memory_messages.h"
#include "transfer/staged_writes.h"

namespace tandem::transfer {

/// Lets processes of the same user on this host map a segment, pins the extents they read, and
/// copies what they write: an extent stays as it is until its reader lets go or the reader's
/// connection ends.
class SharedMemoryServer {
 public:
  /// `host` answers on the server's thread and must outlive it.
  static absl::StatusOr<std::unique_ptr<SharedMemoryServer>> Start(
      std::shared_ptr<const MemoryRegion> region, ExtentHost& host);
  /// Ends all connections; their pins are released.
  ~SharedMemoryServer();

  /// The name of the socket, "@...", for SharedMemoryPeer::Connect.
  const std::string& socket_name() const { return socket_name_; }

 private:
  struct Connection {
    ScopedFd socket;
    std::unordered_map<uint64_t, std::shared_ptr<const void>> pins;
    std::unique_ptr<StagedWrites> writes;  // of a writer that has staged its memory
  };

  SharedMemoryServer(std::shared_ptr<const MemoryRegion> region, ExtentHost& host)
      : region_(std::move(region)), host_(host) {}
  void Run();
  void Accept();
  bool Serve(Connection& connection);
  bool Pin(Connection& connection, const PinRequest& request);
  bool Stage(Connection& connection, const ScopedFd& memory);
  bool Write(Connection& connection, std::span<const std::byte> packet);
  bool Watch(int fd);

  const std::shared_ptr<const MemoryRegion> region_;
  ExtentHost& host_;
  std::string socket_name_;
  ScopedFd listener_;
  ScopedFd epoll_;
  ScopedFd stop_;
  // Of the server's thread alone.
  std::map<int, Connection> connections_;
  std::vector<std::byte> packet_ = std::vector<std::byte>(kMaxWritePacketBytes);
  std::thread thread_;
};

}  // namespace tandem::transfer

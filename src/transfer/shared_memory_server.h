#pragma once

#include <map>
#include <memory>
#include <string>
#include <thread>
#include <unordered_map>

#include "absl/status/statusor.h"
#include "base/scoped_fd.h"
#include "transfer/extent_host.h"
#include "transfer/memory_region.h"
#include "transfer/shared_memory_messages.h"

namespace tandem::transfer {

/// Lets processes of the same user on this host map a segment, and pins the extents they read: an
/// extent stays as it is until its reader lets go or the reader's connection ends.
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
  };

  SharedMemoryServer(std::shared_ptr<const MemoryRegion> region, ExtentHost& host)
      : region_(std::move(region)), host_(host) {}
  void Run();
  void Accept();
  bool Serve(Connection& connection);
  bool Pin(Connection& connection, const PinRequest& request);
  bool Watch(int fd);

  const std::shared_ptr<const MemoryRegion> region_;
  ExtentHost& host_;
  std::string socket_name_;
  ScopedFd listener_;
  ScopedFd epoll_;
  ScopedFd stop_;
  std::map<int, Connection> connections_;  // of the server's thread alone
  std::thread thread_;
};

}  // namespace tandem::transfer

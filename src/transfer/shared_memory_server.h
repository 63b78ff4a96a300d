#pragma once

#include <map>
#include <memory>
#include <span>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "absl/status/statusor.h"
#include "base/checksummed_copy.h"
#include "base/mutex.h"
#include "base/scoped_fd.h"
#include "transfer/extent_host.h"
#include "transfer/memory_region.h"
#include "transfer/shared_memory_messages.h"
#include "transfer/staged_writes.h"

namespace tandem::transfer {

/// Lets processes of the same user on this host map a segment, pins the extents they read, and
/// copies what they write: an extent stays as it is until its reader lets go or the reader's
/// connection ends. Its threads serve whichever connection has something to say, each one at a
/// time, so that several writers' bytes are copied at once.
class SharedMemoryServer {
 public:
  /// `host` answers on the server's threads and must outlive it.
  static absl::StatusOr<std::unique_ptr<SharedMemoryServer>> Start(
      std::shared_ptr<const MemoryRegion> region, ExtentHost& host,
      int threads = CopyThreadCount());
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
  /// Serves what came over a connection; `room` is for the packet.
  void ServeNext(int fd, std::span<std::byte> room);
  bool Serve(Connection& connection, std::span<std::byte> room);
  bool Pin(Connection& connection, const PinRequest& request);
  bool Stage(Connection& connection, const ScopedFd& memory);
  bool Write(Connection& connection, std::span<const std::byte> packet);
  /// Has one thread told once of what comes next; `operation` is epoll_ctl's.
  bool Watch(int fd, int operation);

  const std::shared_ptr<const MemoryRegion> region_;
  ExtentHost& host_;
  std::string socket_name_;
  ScopedFd listener_;
  ScopedFd epoll_;
  ScopedFd stop_;
  Mutex mutex_;
  // Each belongs to the thread that was told of it, until it has it watched again.
  std::map<int, Connection> connections_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::thread> threads_;
};

}  // namespace tandem::transfer

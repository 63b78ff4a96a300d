#pragma once

#include <functional>
#include <list>
#include <memory>
#include <string>
#include <thread>

#include "absl/status/statusor.h"
#include "base/mutex.h"
#include "base/scoped_fd.h"
#include "store/proto/local_channel.h"

namespace tandem::store {

/// A master's end of LocalChannel: a thread that accepts and one for each connection. Processes of
/// other users are turned away.
class LocalServer {
 public:
  /// Answers a call, on any of the threads: the response, or a status that the caller is given.
  using Handler =
      std::function<absl::StatusOr<std::string>(LocalCall call, const std::string& request)>;

  /// FailedPrecondition if another process listens under that name.
  static absl::StatusOr<std::unique_ptr<LocalServer>> Start(const std::string& name,
                                                            Handler handler);
  /// Ends all connections, after the calls in progress.
  ~LocalServer();

 private:
  struct Connection {
    ScopedFd socket;
    std::thread thread;
    bool ended = false;
  };

  LocalServer(ScopedFd listener, Handler handler)
      : listener_(std::move(listener)), handler_(std::move(handler)) {}
  void Accept();
  /// Serves a new connection, if it is one. False once the server is to stop.
  bool Take(ScopedFd socket);
  void Serve(Connection& connection);
  void Reap() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const ScopedFd listener_;
  const Handler handler_;
  Mutex mutex_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::list<Connection> connections_ ABSL_GUARDED_BY(mutex_);
  std::thread acceptor_;
};

}  // namespace tandem::store

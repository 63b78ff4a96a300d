#pragma once

#include <functional>
#include <list>
#include <string>
#include <thread>

#include "absl/status/statusor.h"
#include "base/mutex.h"
#include "base/scoped_fd.h"
#include "store/proto/call_frame.h"
#include "store/proto/call_socket.h"

namespace tandem::store {

/// A master's end of CallChannel: a thread that accepts and one for each connection.
class CallServer {
 public:
  /// Answers a call, on any of the threads: the response, or a status that the caller is given.
  using Handler =
      std::function<absl::StatusOr<std::string>(HotCall call, const std::string& request)>;

  /// Whether the other end of a new connection may call, on that connection's thread.
  using Admission = std::function<bool(CallSocket& socket)>;

  /// `listener` is a socket that listens.
  CallServer(ScopedFd listener, Admission admit, Handler handler);
  /// Ends all connections, after the calls in progress.
  ~CallServer();

 private:
  struct Connection {
    CallSocket socket;
    std::thread thread;
    bool ended = false;
  };

  void Accept();
  /// Serves a new connection, if it is one. False once the server is to stop.
  bool Take(ScopedFd socket);
  void Serve(Connection& connection);
  void Reap() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const ScopedFd listener_;
  const Admission admit_;
  const Handler handler_;
  Mutex mutex_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::list<Connection> connections_ ABSL_GUARDED_BY(mutex_);
  std::thread acceptor_;
};

}  // namespace tandem::store

#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/scoped_fd.h"

namespace tandem::http {

/// A listening socket on 127.0.0.1 that says exactly what a test tells it to, to clients that must
/// cope with servers of all kinds. Accepting and reading end after ten seconds.
class Listener {
 public:
  /// `backlog` is that of listen(2): how many connections wait to be accepted.
  explicit Listener(int backlog = 16);

  int port() const { return port_; }
  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }

  /// Accepts a connection, reads a request head, and sends `reply`.
  ScopedFd Answer(std::string_view reply);
  void AnswerAndClose(std::string_view reply) { Answer(reply); }
  void ReadRequest(int connection);
  /// Connections that fill the backlog: further ones are not made while these are held.
  std::vector<ScopedFd> FillQueue();

 private:
  ScopedFd fd_;
  int port_ = 0;
};

}  // namespace tandem::http

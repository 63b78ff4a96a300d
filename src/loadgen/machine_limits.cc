#include "loadgen/machine_limits.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <thread>
#include <vector>

#include "base/scoped_fd.h"
#include "base/status.h"

namespace tandem::loadgen {
namespace {

constexpr size_t kCopyBytes = 16 << 20;
constexpr size_t kMessageBytes = 1 << 20;
constexpr timeval kSocketTimeout{.tv_sec = 10, .tv_usec = 0};

double MeasureMemcpy(Duration time) {
  // Several targets in turn, more than any cache holds.
  constexpr int kTargets = 8;
  const std::vector<char> source(kCopyBytes, 1);
  std::vector<std::vector<char>> targets(kTargets, std::vector<char>(kCopyBytes));
  const TimePoint start = Clock::Real().Now();
  TimePoint now = start;
  uint64_t bytes = 0;
  for (int i = 0; now - start < time; ++i) {
    std::memcpy(targets[i % kTargets].data(), source.data(), kCopyBytes);
    bytes += kCopyBytes;
    now = Clock::Real().Now();
  }
  return double(bytes) / Seconds(now - start);
}

struct Connection {
  ScopedFd sender, receiver;
};

absl::StatusOr<Connection> Connect() {
  const ScopedFd listener(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
  socklen_t length = sizeof(address);
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  Connection connection;
  connection.sender = ScopedFd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (bind(listener.get(), generic, length) != 0 || listen(listener.get(), 1) != 0 ||
      getsockname(listener.get(), generic, &length) != 0 ||
      connect(connection.sender.get(), generic, length) != 0) {
    return absl::ErrnoToStatus(errno, "loopback connection");
  }
  connection.receiver = ScopedFd(accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
  if (!connection.receiver.valid()) return absl::ErrnoToStatus(errno, "loopback connection");
  for (const int fd : {connection.sender.get(), connection.receiver.get()}) {
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &kSocketTimeout, sizeof(kSocketTimeout));
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &kSocketTimeout, sizeof(kSocketTimeout));
  }
  return connection;
}

absl::StatusOr<double> MeasureLoopback(Duration time) {
  ASSIGN_OR_RETURN(Connection connection, Connect());
  std::thread sender([&connection, time] {
    const std::vector<char> message(kMessageBytes, 1);
    const TimePoint start = Clock::Real().Now();
    while (send(connection.sender.get(), message.data(), message.size(), MSG_NOSIGNAL) > 0 &&
           Clock::Real().Now() - start < time) {
    }
    shutdown(connection.sender.get(), SHUT_WR);
  });
  std::vector<char> buffer(kMessageBytes);
  uint64_t bytes = 0;
  // From the first bytes on: the thread may start late on a busy machine.
  ssize_t received = recv(connection.receiver.get(), buffer.data(), buffer.size(), 0);
  const TimePoint start = Clock::Real().Now();
  while (received > 0) {
    bytes += received;
    received = recv(connection.receiver.get(), buffer.data(), buffer.size(), 0);
  }
  const double seconds = Seconds(Clock::Real().Now() - start);
  sender.join();
  if (received < 0) return absl::UnavailableError("the loopback connection broke");
  return double(bytes) / seconds;
}

}  // namespace

absl::StatusOr<MachineLimits> MeasureMachine(Duration time) {
  MachineLimits limits;
  limits.memcpy_bytes_per_second = MeasureMemcpy(time);
  ASSIGN_OR_RETURN(limits.loopback_bytes_per_second, MeasureLoopback(time));
  return limits;
}

}  // namespace tandem::loadgen

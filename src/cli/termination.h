#pragma once

namespace tandem::cli {

/// SIGINT and SIGTERM as an event to wait for. Create it before any thread starts: it blocks the
/// signals, so that no thread is interrupted by them, and ignores SIGPIPE.
class Termination {
 public:
  Termination();
  ~Termination();
  Termination(const Termination&) = delete;
  Termination& operator=(const Termination&) = delete;

  /// A descriptor that becomes readable when a signal has come, for use with poll.
  int fd() const { return fd_; }

  /// Waits for a signal, however long it takes: it is what a server does while it serves.
  void Wait();

  /// Takes the signal that has come; the next one ends the process at once.
  void EndProcessAtNextSignal();

 private:
  int fd_;
};

}  // namespace tandem::cli

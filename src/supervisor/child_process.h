#pragma once

#include <sys/types.h>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/scoped_fd.h"

namespace tandem::supervisor {

/// What to run.
struct ChildCommand {
  std::string program;
  std::vector<std::string> arguments;
  std::map<std::string, std::string> environment;  ///< Added to this process's.
};

/// A child process in a process group of its own, so that the terminal's Ctrl-C reaches only its
/// parent. The kernel kills it if this process dies. Its destructor kills it and reaps it.
class ChildProcess {
 public:
  /// Starts the child; call it on the main thread, with whose end the kernel would otherwise take
  /// the child away.
  static absl::StatusOr<std::unique_ptr<ChildProcess>> Start(const ChildCommand& command);
  ~ChildProcess();
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  pid_t pid() const { return pid_; }
  /// Becomes readable when the child has ended.
  int exit_fd() const { return exit_fd_.get(); }
  /// Both standard output and standard error of the child; does not block.
  int output_fd() const { return output_fd_.get(); }

  void Signal(int signal);

  /// How the child ended ("exit code 1", "signal 9 (Killed)"), or nothing while it runs.
  std::optional<std::string> Ended();

 private:
  ChildProcess(pid_t pid, ScopedFd exit_fd, ScopedFd output_fd)
      : pid_(pid), exit_fd_(std::move(exit_fd)), output_fd_(std::move(output_fd)) {}

  const pid_t pid_;
  const ScopedFd exit_fd_;
  const ScopedFd output_fd_;
  std::optional<std::string> ended_;
};

}  // namespace tandem::supervisor

#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "supervisor/backoff.h"
#include "supervisor/child_process.h"
#include "supervisor/line_relay.h"
#include "supervisor/ready_watcher.h"

namespace tandem::supervisor {

/// One child as it is to be kept running.
struct ChildPlan {
  std::string name;                       ///< Stands before its log lines.
  std::function<ChildCommand()> command;  ///< Asked at every start.
  std::string ready_file;                 ///< Where the child says that it serves.
  std::vector<std::string> after;         ///< Children that must serve before this one is started.
  std::function<void(const PortMap& ports)> on_ready;
  std::function<std::string()> address;  ///< For the table.
  int stop_stage = 0;                    ///< Lower stages are stopped, and are gone, first.
  /// Whether it lets requests in flight finish first: for what is left of the grace time.
  bool drains = false;
  /// To SIGKILL, from SIGTERM or, if it drains, from the end of the grace time.
  Duration stop_timeout = std::chrono::seconds(1);
};

/// Keeps a set of children running: starts them in order, relays their output, starts one that died
/// again with back-off, and stops all. Runs on the main thread, single-threaded.
class Supervisor {
 public:
  /// `directory` holds the ready files. `print` receives text to show, whole lines. `grace` is what
  /// children that drain have together, from the first signal on.
  Supervisor(std::vector<ChildPlan> plans, std::string directory, Duration grace,
             std::function<void(const std::string& lines)> print, const Clock& clock);

  /// Runs until `termination_fd` becomes readable, then stops the children stage by stage; a second
  /// signal there kills them at once. `on_all_ready` is called when all serve for the first time.
  /// Returns 0 after a stop that was asked for, 128 and the signal's number if a second one cut it
  /// short, and 1 if a child died before it had ever served: the others are stopped then.
  int Run(int termination_fd, std::function<void()> on_all_ready);

 private:
  enum class State { kWaiting, kStarting, kReady, kRestarting, kStopped };
  struct Child {
    ChildPlan plan;
    LineRelay relay;
    State state = State::kWaiting;
    bool ever_ready = false;
    Backoff backoff;
    TimePoint start_at{};
    TimePoint kill_at = TimePoint::max();
    std::unique_ptr<ChildProcess> process;
    std::string last_end;
  };

  void StartWhatIsDue();
  void Start(Child& child);
  void NoteReady();
  void Reap(Child& child);
  void Relay(Child& child);
  void BeginStop(int exit_code);
  void ContinueStop();
  void KillAll();
  void TakeSignal(int termination_fd);
  bool IsReady(const std::string& name) const;
  bool AllReady() const;
  TimePoint NextEvent() const;
  void WaitForEvents(int termination_fd);
  void Say(const std::string& text);
  std::string Table() const;

  std::vector<Child> children_;
  const std::string directory_;
  const Duration grace_;
  const std::function<void(const std::string&)> print_;
  const Clock& clock_;
  std::unique_ptr<ReadyWatcher> watcher_;
  std::function<void()> on_all_ready_;
  bool stopping_ = false;
  TimePoint grace_ends_{};  // once stopping
  int exit_code_ = 0;
};

}  // namespace tandem::supervisor

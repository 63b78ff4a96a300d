#include "supervisor/supervisor.h"

#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <limits>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace tandem::supervisor {

Supervisor::Supervisor(std::vector<ChildPlan> plans, std::string directory, Duration grace,
                       std::function<void(const std::string&)> print, const Clock& clock)
    : directory_(std::move(directory)), grace_(grace), print_(std::move(print)), clock_(clock) {
  for (ChildPlan& plan : plans) {
    LineRelay relay(absl::StrFormat("%-9s | ", plan.name));
    children_.push_back({.plan = std::move(plan), .relay = std::move(relay)});
  }
}

int Supervisor::Run(int termination_fd, std::function<void()> on_all_ready) {
  on_all_ready_ = std::move(on_all_ready);
  auto watcher = ReadyWatcher::Create(directory_);
  if (!watcher.ok()) {
    Say(std::string(watcher.status().message()));
    return 1;
  }
  watcher_ = *std::move(watcher);
  while (true) {
    if (stopping_) {
      ContinueStop();
      const bool all_gone = std::ranges::all_of(
          children_, [](const Child& child) { return child.state == State::kStopped; });
      if (all_gone) return exit_code_;
    } else {
      StartWhatIsDue();
    }
    WaitForEvents(termination_fd);
  }
}

void Supervisor::StartWhatIsDue() {
  for (Child& child : children_) {
    if (child.state == State::kWaiting &&
        std::ranges::all_of(child.plan.after, [this](auto& name) { return IsReady(name); })) {
      Start(child);
    } else if (child.state == State::kRestarting && clock_.Now() >= child.start_at) {
      Start(child);
    }
  }
}

void Supervisor::Start(Child& child) {
  unlink(child.plan.ready_file.c_str());
  child.backoff.Started(clock_.Now());
  auto process = ChildProcess::Start(child.plan.command());
  if (!process.ok()) {
    Say(absl::StrCat(child.plan.name, " cannot be started: ", process.status().message()));
    BeginStop(1);
    return;
  }
  child.process = *std::move(process);
  child.state = State::kStarting;
}

void Supervisor::NoteReady() {
  watcher_->Acknowledge();
  for (Child& child : children_) {
    if (child.state != State::kStarting) continue;
    const auto ports = ReadyWatcher::Read(child.plan.ready_file);
    if (!ports) continue;
    child.state = State::kReady;
    if (child.plan.on_ready) child.plan.on_ready(*ports);
    const bool again = std::exchange(child.ever_ready, true);
    if (again) Say(absl::StrCat(child.plan.name, " serves again, pid ", child.process->pid()));
    if (!AllReady()) continue;
    print_(Table());
    if (on_all_ready_) std::exchange(on_all_ready_, nullptr)();
  }
}

void Supervisor::Relay(Child& child) {
  char part[16 << 10];
  ssize_t length;
  while ((length = read(child.process->output_fd(), part, sizeof(part))) > 0) {
    const std::string lines = child.relay.Append({part, static_cast<size_t>(length)});
    if (!lines.empty()) print_(lines);
  }
}

void Supervisor::Reap(Child& child) {
  const auto end = child.process->Ended();
  if (!end) return;
  Relay(child);
  if (const std::string rest = child.relay.Flush(); !rest.empty()) print_(rest);
  child.last_end = *end;
  child.process.reset();
  if (stopping_) {
    child.state = State::kStopped;
    return;
  }
  if (!child.ever_ready) {
    Say(absl::StrCat(child.plan.name, " ended with ", *end, " before it served; stopping"));
    child.state = State::kStopped;
    BeginStop(1);
    return;
  }
  child.start_at = child.backoff.Died(clock_.Now());
  child.state = State::kRestarting;
  Say(absl::StrFormat("%s died (%s); it is started again in %.1f s", child.plan.name, *end,
                      Seconds(child.start_at - clock_.Now())));
}

void Supervisor::BeginStop(int exit_code) {
  if (stopping_) return;
  stopping_ = true;
  exit_code_ = exit_code;
  grace_ends_ = clock_.Now() + grace_;
  for (Child& child : children_) {
    if (child.process == nullptr) child.state = State::kStopped;
  }
}

void Supervisor::ContinueStop() {
  const TimePoint now = clock_.Now();
  int next_stage = std::numeric_limits<int>::max();
  for (const Child& child : children_) {
    if (child.process != nullptr) next_stage = std::min(next_stage, child.plan.stop_stage);
  }
  for (Child& child : children_) {
    if (child.process == nullptr || child.plan.stop_stage > next_stage) continue;
    if (child.kill_at == TimePoint::max()) {
      child.kill_at = (child.plan.drains ? grace_ends_ : now) + child.plan.stop_timeout;
      child.process->Signal(SIGTERM);
    } else if (now >= child.kill_at) {
      child.process->Signal(SIGKILL);
      child.kill_at = now + std::chrono::seconds(1);
    }
  }
}

void Supervisor::KillAll() {
  for (Child& child : children_) {
    if (child.process != nullptr) child.process->Signal(SIGKILL);
  }
}

void Supervisor::TakeSignal(int termination_fd) {
  signalfd_siginfo signal{};
  if (read(termination_fd, &signal, sizeof(signal)) != sizeof(signal)) return;
  if (!stopping_) {
    Say("stopping: requests in flight may finish (once more kills everything)");
    return BeginStop(0);
  }
  Say("a second signal: everything is killed");
  exit_code_ = 128 + static_cast<int>(signal.ssi_signo);
  KillAll();
}

bool Supervisor::IsReady(const std::string& name) const {
  return std::ranges::any_of(children_, [&](const Child& child) {
    return child.plan.name == name && child.state == State::kReady;
  });
}

bool Supervisor::AllReady() const {
  return std::ranges::all_of(children_,
                             [](const Child& child) { return child.state == State::kReady; });
}

TimePoint Supervisor::NextEvent() const {
  TimePoint next = clock_.Now() + std::chrono::seconds(1);
  for (const Child& child : children_) {
    if (child.state == State::kRestarting) next = std::min(next, child.start_at);
    if (child.process != nullptr) next = std::min(next, child.kill_at);
  }
  return next;
}

void Supervisor::WaitForEvents(int termination_fd) {
  std::vector<pollfd> waited{{termination_fd, POLLIN, 0}, {watcher_->fd(), POLLIN, 0}};
  std::vector<Child*> owners{nullptr, nullptr};
  for (Child& child : children_) {
    if (child.process == nullptr) continue;
    for (int fd : {child.process->exit_fd(), child.process->output_fd()}) {
      waited.push_back({fd, POLLIN, 0});
      owners.push_back(&child);
    }
  }
  const Duration left = std::max(NextEvent() - clock_.Now(), Duration::zero());
  const auto timeout = std::chrono::ceil<std::chrono::milliseconds>(left);
  if (poll(waited.data(), waited.size(), static_cast<int>(timeout.count())) <= 0) return;

  if (waited[0].revents != 0) TakeSignal(termination_fd);
  if (waited[1].revents != 0) NoteReady();
  for (size_t i = 2; i < waited.size(); i += 2) {
    Child& child = *owners[i];
    if ((waited[i + 1].revents & POLLIN) != 0) Relay(child);
    if (waited[i].revents != 0) Reap(child);
  }
}

void Supervisor::Say(const std::string& text) { print_(absl::StrCat("up        | ", text, "\n")); }

std::string Supervisor::Table() const {
  std::string table = absl::StrFormat("\n%-10s %8s  %-24s %s\n", "role", "pid", "address", "state");
  for (const Child& child : children_) {
    absl::StrAppend(&table, absl::StrFormat("%-10s %8d  %-24s %s\n", child.plan.name,
                                            child.process->pid(), child.plan.address(), "serving"));
  }
  return table + "\n";
}

}  // namespace tandem::supervisor

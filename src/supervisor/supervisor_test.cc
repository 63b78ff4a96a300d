#include "supervisor/supervisor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <filesystem>

#include "absl/strings/str_cat.h"

namespace tandem::supervisor {
namespace {

using testing::HasSubstr;

/// Children are shell scripts; the supervisor is stopped by writing to a pipe that stands for the
/// signal descriptor.
class SupervisorTest : public testing::Test {
 protected:
  SupervisorTest()
      : directory_(testing::TempDir() + "/supervisor_test_" + std::to_string(getpid())) {
    std::filesystem::remove_all(directory_);
    std::filesystem::create_directories(directory_);
    EXPECT_EQ(pipe(termination_), 0);
  }
  ~SupervisorTest() override {
    close(termination_[0]);
    close(termination_[1]);
    std::filesystem::remove_all(directory_);
  }

  /// A child that says it serves and then runs `script`.
  ChildPlan Serving(const std::string& name, const std::string& script,
                    std::vector<std::string> after = {}) {
    const std::string ready = absl::StrCat(directory_, "/", name, ".ready");
    const std::string announce = absl::StrCat("echo '{\"ports\": {\"http\": 1}}' > ", ready,
                                              ".partial; mv ", ready, ".partial ", ready, "; ");
    return {.name = name,
            .command =
                [=] {
                  return ChildCommand{"/bin/sh", {"-c", announce + script}, {}};
                },
            .ready_file = ready,
            .after = std::move(after),
            .on_ready = [this, name](const PortMap&) { ready_order_.push_back(name); },
            .address = [] { return "here:1"; }};
  }

  void Stop() {
    signalfd_siginfo signal{};
    signal.ssi_signo = SIGTERM;
    ASSERT_EQ(write(termination_[1], &signal, sizeof(signal)), ssize_t{sizeof(signal)});
  }

  int Run(std::vector<ChildPlan> plans, std::function<void()> on_all_ready) {
    Supervisor supervisor(
        std::move(plans), directory_, grace_, [this](const std::string& text) { Print(text); },
        Clock::Real());
    return supervisor.Run(termination_[0], std::move(on_all_ready));
  }

  virtual void Print(const std::string& text) {
    printed_ += text;
    for (const std::string& cue : {stop_at_, stop_again_at_}) {
      if (!cue.empty() && text.find(cue) != std::string::npos) Stop();
    }
  }

  static constexpr char kForever[] = "while :; do read line < /dev/zero; done";
  const std::string directory_;
  int termination_[2];
  Duration grace_{};
  std::string printed_;
  std::string stop_at_, stop_again_at_;
  std::vector<std::string> ready_order_;
};

TEST_F(SupervisorTest, StartsInOrderShowsATableAndStops) {
  const int code =
      Run({Serving("first", kForever), Serving("second", kForever, {"first"})}, [this] { Stop(); });
  EXPECT_EQ(code, 0);
  EXPECT_THAT(ready_order_, testing::ElementsAre("first", "second"));
  EXPECT_THAT(printed_, testing::AllOf(HasSubstr("role"), HasSubstr("here:1")));
}

TEST_F(SupervisorTest, PrefixesOutputWithTheRole) {
  stop_at_ = "some news";
  Run({Serving("worker", absl::StrCat("echo some news; ", kForever))}, nullptr);
  EXPECT_THAT(printed_, HasSubstr("worker    | some news\n"));
}

TEST_F(SupervisorTest, StartsAChildThatDiedAgainAndSaysSo) {
  const std::string mark = directory_ + "/died_once";
  stop_at_ = "serves again";
  const int code = Run(
      {Serving("worker", absl::StrCat("if [ -e ", mark, " ]; then ", kForever, "; fi; : > ", mark,
                                      "; while [ ! -e ", mark, ".go ]; do :; done; exit 3"))},
      [&] { std::filesystem::create_directory(mark + ".go"); });
  EXPECT_EQ(code, 0);
  EXPECT_THAT(printed_, HasSubstr("worker died (exit code 3)"));
  EXPECT_EQ(ready_order_.size(), 2u);
}

TEST_F(SupervisorTest, StopsAllWhenOneCannotStart) {
  ChildPlan broken = Serving("broken", "");
  broken.command = [] { return ChildCommand{"/bin/sh", {"-c", "echo bad flag; exit 2"}, {}}; };
  const int code = Run({Serving("fine", kForever), broken}, nullptr);
  EXPECT_EQ(code, 1);
  EXPECT_THAT(printed_, testing::AllOf(HasSubstr("broken    | bad flag"),
                                       HasSubstr("broken ended with exit code 2")));
}

TEST_F(SupervisorTest, KillsAChildThatIgnoresTheSignal) {
  stop_at_ = "cannot hear";
  ChildPlan deaf = Serving("deaf", absl::StrCat("trap '' TERM; echo cannot hear; ", kForever));
  deaf.stop_timeout = std::chrono::milliseconds(50);
  const TimePoint start = Clock::Real().Now();
  const int code = Run({deaf}, nullptr);
  EXPECT_GE(Clock::Real().Now() - start, std::chrono::milliseconds(50));
  EXPECT_EQ(code, 0);
}

TEST_F(SupervisorTest, WaitsTheGraceTimeForAChildThatDrains) {
  ChildPlan worker = Serving("worker",
                             "trap 'sleep 0.2; echo drained; exit 0' TERM; echo listening; "
                             "while :; do sleep 0.01; done");
  worker.drains = true;
  worker.stop_timeout = std::chrono::milliseconds(1);
  grace_ = std::chrono::seconds(60);
  stop_at_ = "listening";
  EXPECT_EQ(Run({worker}, nullptr), 0);
  EXPECT_THAT(printed_, HasSubstr("worker    | drained"));
}

TEST_F(SupervisorTest, GivesLaterStagesOnlyWhatIsLeftOfTheGraceTime) {
  const std::string deaf = absl::StrCat("trap '' TERM; ", kForever);
  ChildPlan first = Serving("first", deaf), second = Serving("second", deaf);
  first.drains = second.drains = true;
  first.stop_timeout = second.stop_timeout = std::chrono::milliseconds(20);
  second.stop_stage = 1;
  grace_ = std::chrono::seconds(1);
  const TimePoint start = Clock::Real().Now();
  EXPECT_EQ(Run({first, second}, [this] { Stop(); }), 0);
  const Duration took = Clock::Real().Now() - start;
  EXPECT_GE(took, grace_);
  EXPECT_LT(took, 2 * grace_);
}

TEST_F(SupervisorTest, KillsAllAtASecondSignalAndFailsWithItsNumber) {
  ChildPlan worker = Serving("worker", absl::StrCat("trap 'echo not yet' TERM; echo listening; ",
                                                    "while :; do sleep 0.01; done"));
  worker.drains = true;
  grace_ = std::chrono::hours(1);
  stop_at_ = "listening";
  stop_again_at_ = "not yet";
  EXPECT_EQ(Run({worker}, nullptr), 128 + SIGTERM);
}

}  // namespace
}  // namespace tandem::supervisor

#include "store/master/maintenance.h"

namespace tandem::store {
namespace {

constexpr Duration kRound = std::chrono::milliseconds(100);
/// Between two steps of an eviction: a mutex that is let go and taken again at once is seldom given
/// to those who wait for it.
constexpr Duration kBreath = std::chrono::microseconds(100);
/// A round that comes later than this was held up, and the calls that clients made with it.
constexpr Duration kStall = std::chrono::milliseconds(500);

}  // namespace

Maintenance::Maintenance(Master& master) : master_(master), thread_([this] { Run(); }) {}

Maintenance::~Maintenance() {
  {
    MutexLock lock(mutex_);
    stop_ = true;
  }
  stopped_.NotifyAll();
  thread_.join();
}

void Maintenance::Run() {
  MutexLock lock(mutex_);
  const auto told_to_stop = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return stop_; };
  TimePoint round = Clock::Real().Now();
  while (!stopped_.WaitUntil(mutex_, round + kRound, told_to_stop)) {
    const TimePoint now = Clock::Real().Now();
    if (now - round > kStall) master_.ForgiveSilence(now - round);
    round = now;
    master_.Maintain();
    while (master_.ContinueEviction()) std::this_thread::sleep_for(kBreath);
  }
}

}  // namespace tandem::store

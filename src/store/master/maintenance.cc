#include "store/master/maintenance.h"

namespace tandem::store {

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
  while (!stopped_.WaitUntil(mutex_, Clock::Real().Now() + std::chrono::milliseconds(100),
                             told_to_stop)) {
    master_.Maintain();
  }
}

}  // namespace tandem::store

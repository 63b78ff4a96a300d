#include "store/client/revocations.h"

#include <utility>

namespace tandem::store {

void Revocations::Start(MasterClient& master) {
  thread_ = std::thread([this, &master] { Run(master); });
}

void Revocations::Stop() {
  {
    MutexLock lock(mutex_);
    stopped_ = true;
    changed_.NotifyAll();
  }
  if (thread_.joinable()) thread_.join();
}

void Revocations::Add(proto::PutEndItem item) {
  MutexLock lock(mutex_);
  if (stopped_) return;
  items_.push_back(std::move(item));
  changed_.NotifyAll();
}

void Revocations::Run(MasterClient& master) {
  bool answered = true;
  bool stopped = false;
  while (!stopped) {
    std::vector<proto::PutEndItem> items;
    {
      MutexLock lock(mutex_);
      const TimePoint retry = Clock::Real().Now() + options_.retry_interval;
      changed_.WaitUntil(mutex_, retry, [&]() ABSL_NO_THREAD_SAFETY_ANALYSIS {
        return stopped_ || (answered && !items_.empty());
      });
      stopped = stopped_;
      items = std::exchange(items_, {});
    }
    answered = Send(master, items);
    if (answered) continue;
    MutexLock lock(mutex_);
    items_.insert(items_.end(), std::make_move_iterator(items.begin()),
                  std::make_move_iterator(items.end()));
  }
}

bool Revocations::Send(MasterClient& master, std::vector<proto::PutEndItem>& items) {
  if (items.empty()) return true;
  proto::PutRevokeRequest request;
  request.set_client_id(options_.client_id);
  for (const proto::PutEndItem& item : items) *request.add_items() = item;
  return master.PutRevoke(request, Clock::Real().Now() + options_.call_timeout).ok();
}

}  // namespace tandem::store

#include "store/client/offloader.h"

#include <vector>

#include "store/client/found_objects.h"
#include "store/proto/error_code.h"

namespace tandem::store {

Offloader::~Offloader() {
  Stop();
  if (thread_.joinable()) thread_.join();
}

void Offloader::Start(const proto::Offload& where) {
  disk_.Open(where);
  MutexLock lock(mutex_);
  if (!stopped_ && !thread_.joinable()) thread_ = std::thread([this] { Run(); });
}

void Offloader::Stop() {
  MutexLock lock(mutex_);
  stopped_ = true;
  changed_.NotifyAll();
}

bool Offloader::Pause(Duration time) {
  MutexLock lock(mutex_);
  return changed_.WaitUntil(mutex_, Clock::Real().Now() + time,
                            [this]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return stopped_; });
}

void Offloader::Run() {
  while (!disk_.AwaitOpen(Clock::Real().Now() + options_.retry_interval)) {
    if (disk_.unusable() || Pause(Duration::zero())) return;
  }
  Duration wait{};
  while (!Pause(wait)) wait = Round();
}

Duration Offloader::Round() {
  const auto poll = std::chrono::ceil<std::chrono::milliseconds>(options_.poll_interval);
  report_.set_client_id(options_.client_id);
  report_.set_segment(options_.segment);
  report_.set_wait_milliseconds(static_cast<uint32_t>(poll.count()));
  const auto answer = master_.Offload(report_, Clock::Real().Now() + options_.call_timeout + poll);
  if (!answer.ok()) return options_.retry_interval;
  if (answer->code() != kOk) {
    // It does not know this owner, who registers all that is on disk, or wants nothing there.
    report_.clear_stored();
    return answer->code() == kSegmentNotFound ? options_.retry_interval : options_.poll_interval;
  }
  report_.clear_stored();
  report_.clear_dropped();
  const std::vector<uint64_t> refused(answer->refused().begin(), answer->refused().end());
  (void)disk_.Remove(refused, Clock::Real().Now() + options_.call_timeout);
  Store(*answer);
  return Duration::zero();
}

void Offloader::Store(const proto::OffloadResponse& batch) {
  if (batch.objects().empty()) return;
  std::vector<StoredObject> objects;
  std::vector<Extent> extents;
  for (const proto::HeldObject& held : batch.objects()) {
    objects.push_back({.key = held.key(),
                       .generation = held.extent().generation(),
                       .size = held.size(),
                       .checksum = held.checksum(),
                       .soft_pin = held.soft_pin()});
    extents.push_back(FromProto(held.extent()));
  }
  const DiskTier::Stored ended =
      disk_.Store(objects, [&](size_t i) { return owner_.OpenForStore(extents[i]); });
  report_.mutable_stored()->Add(ended.stored.begin(), ended.stored.end());
  report_.mutable_dropped()->Add(ended.dropped.begin(), ended.dropped.end());
}

}  // namespace tandem::store

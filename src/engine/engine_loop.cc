#include "engine/engine_loop.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <thread>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "base/log.h"
#include "base/mutex.h"
#include "base/status.h"
#include "engine/engine_core.h"
#include "engine/request_validation.h"

namespace tandem::engine {
namespace {

// The loop looks around this often even if nobody wakes it.
constexpr Duration kLongestSleep = std::chrono::seconds(1);

// How long Drain waits for the requests it aborted: a step may be under way.
constexpr Duration kAbortGrace = std::chrono::seconds(30);

class EngineThread : public EngineLoop {
 public:
  EngineThread(const EngineOptions& options, model::Decoder& decoder, const compute::KvPool& kv,
               const model::Tokenizer& tokenizer, cache::Connector* connector,
               MetricRegistry& metrics, const Clock& clock)
      : clock_(clock),
        core_(options, decoder, kv, tokenizer, connector, metrics, clock),
        max_length_(core_.max_length()),
        vocab_size_(decoder.config().vocab_size) {
    if (max_length_ < options.max_model_len) {
      spdlog::warn("The KV pool of {} blocks holds {} tokens: max_model_len is {}, not {}.",
                   options.num_blocks, max_length_, max_length_, options.max_model_len);
    }
    thread_ = std::thread([this] { Run(); });
  }

  ~EngineThread() override {
    {
      MutexLock lock(mutex_);
      stopping_ = true;
      changed_.NotifyAll();
    }
    thread_.join();
  }

  absl::Status Submit(EngineRequest request, OutputCallback callback) override {
    RETURN_IF_ERROR(ValidateRequest(request, max_length_, vocab_size_));
    MutexLock lock(mutex_);
    if (draining_ || stopping_) {
      return absl::UnavailableError("the instance is shutting down and takes no more requests");
    }
    if (!ids_.insert(request.id).second) {
      return absl::InvalidArgumentError("id: a request \"" + request.id +
                                        "\" is in flight already");
    }
    inbox_.push_back(
        {.arrival = clock_.Now(), .request = std::move(request), .callback = std::move(callback)});
    WakeLocked();
    return absl::OkStatus();
  }

  void Abort(const std::string& id) override {
    MutexLock lock(mutex_);
    aborts_.push_back(id);
    WakeLocked();
  }

  void Wake() override {
    MutexLock lock(mutex_);
    WakeLocked();
  }

  bool Drain(TimePoint deadline) override {
    MutexLock lock(mutex_);
    draining_ = true;
    // Waits in slices: `deadline` is a time of clock_, which may not be the machine's.
    while (!ids_.empty() && clock_.Now() < deadline) {
      const Duration slice = std::min(deadline - clock_.Now(), kLongestSleep);
      WaitForIdle(slice);
    }
    if (ids_.empty()) return true;
    abort_all_ = true;
    WakeLocked();
    WaitForIdle(kAbortGrace);
    return false;
  }

  int load() const override {
    MutexLock lock(mutex_);
    return static_cast<int>(ids_.size());
  }

 private:
  struct Submission {
    TimePoint arrival;
    EngineRequest request;
    OutputCallback callback;
  };

  void WakeLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    woken_ = true;
    changed_.NotifyAll();
  }

  void WaitForIdle(Duration longest) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    changed_.WaitUntil(mutex_, Clock::Real().Now() + longest,
                       [this]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return ids_.empty(); });
  }

  void Run() {
    while (TakeMessages()) {
      if (!core_.Step()) Sleep();
    }
    core_.AbortAll();
  }

  // Returns whether to go on.
  bool TakeMessages() {
    std::vector<Submission> inbox;
    std::vector<std::string> aborts;
    bool abort_all;
    bool stopping;
    {
      MutexLock lock(mutex_);
      inbox.swap(inbox_);
      aborts.swap(aborts_);
      abort_all = std::exchange(abort_all_, false);
      stopping = stopping_;
      woken_ = false;
    }
    for (Submission& submission : inbox) {
      const std::string id = submission.request.id;
      core_.Add(std::move(submission.request), Forgetting(id, std::move(submission.callback)),
                submission.arrival);
    }
    for (const std::string& id : aborts) core_.Abort(id);
    if (abort_all) core_.AbortAll();
    return !stopping;
  }

  // The callback, which after the last output also forgets the id.
  OutputCallback Forgetting(std::string id, OutputCallback callback) {
    return [this, id = std::move(id), callback = std::move(callback)](const EngineOutput& output) {
      callback(output);
      if (!output.finished) return;
      MutexLock lock(mutex_);
      ids_.erase(id);
      changed_.NotifyAll();
    };
  }

  void Sleep() {
    Duration longest = kLongestSleep;
    if (const auto deadline = core_.deadline()) {
      longest = std::clamp(*deadline - clock_.Now(), Duration::zero(), kLongestSleep);
    }
    MutexLock lock(mutex_);
    changed_.WaitUntil(mutex_, Clock::Real().Now() + longest,
                       [this]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return woken_ || stopping_; });
  }

  const Clock& clock_;
  EngineCore core_;  // The thread's.
  const int max_length_;
  const int vocab_size_;

  mutable Mutex mutex_;
  CondVar changed_;
  std::vector<Submission> inbox_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::string> aborts_ ABSL_GUARDED_BY(mutex_);
  absl::flat_hash_set<std::string> ids_ ABSL_GUARDED_BY(mutex_);  // Of requests in flight.
  bool woken_ ABSL_GUARDED_BY(mutex_) = false;
  bool draining_ ABSL_GUARDED_BY(mutex_) = false;
  bool abort_all_ ABSL_GUARDED_BY(mutex_) = false;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;

  std::thread thread_;
};

}  // namespace

std::unique_ptr<EngineLoop> EngineLoop::Start(const EngineOptions& options, model::Decoder& decoder,
                                              const compute::KvPool& kv,
                                              const model::Tokenizer& tokenizer,
                                              cache::Connector* connector, MetricRegistry& metrics,
                                              const Clock& clock) {
  return std::make_unique<EngineThread>(options, decoder, kv, tokenizer, connector, metrics, clock);
}

}  // namespace tandem::engine

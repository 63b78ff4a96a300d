#include "proxy/health_prober.h"

#include <fmt/format.h>

#include <boost/json/value.hpp>
#include <utility>

#include "proxy/prefill_decode_plan.h"

namespace tandem::proxy {
namespace {

constexpr Duration kProbeTimeout = std::chrono::seconds(2);
constexpr int kTolerableSilences = 1;  // In a row: a machine at full load may answer late once.

http::ClientRequest Ask(const InstancePool& pool, int instance, const std::string& target) {
  return {.url = pool.Url(instance, target),
          .connect_timeout = kProbeTimeout,
          .idle_timeout = kProbeTimeout,
          .total_timeout = kProbeTimeout};
}

/// Takes the namespace from the reply to GET /version, which an instance of another make has not.
void ReadVersion(const std::string& version, InstancePool& pool, int instance) {
  const std::optional<boost::json::object> json = ParseObject(version);
  if (!json) return;
  const boost::json::value* found = json->if_contains("kv_namespace");
  if (found != nullptr && found->is_string()) {
    pool.SetNamespace(instance, found->get_string().c_str());
  } else {
    pool.MarkForeign(instance);
  }
}

}  // namespace

HealthProber::HealthProber(std::vector<InstancePool*> pools, http::Client& client,
                           Duration interval, Duration prefill_patience)
    : pools_(std::move(pools)),
      client_(client),
      interval_(interval),
      prefill_patience_(prefill_patience) {
  for (const InstancePool* pool : pools_) {
    auto& probes = probes_.emplace_back();
    for (int i = 0; i < pool->size(); ++i) probes.push_back(std::make_shared<Probe>());
  }
  thread_ = std::thread([this] { Run(); });
}

HealthProber::~HealthProber() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
    stop_.NotifyAll();
  }
  thread_.join();
}

void HealthProber::Run() {
  bool stopping = false;
  while (!stopping) {
    const TimePoint next = Clock::Real().Now() + interval_;
    for (size_t p = 0; p < pools_.size(); ++p) {
      for (int i = 0; i < pools_[p]->size(); ++i) ProbeHealth(*pools_[p], i, probes_[p][i]);
      pools_[p]->CancelCalls(prefill_patience_);
    }
    MutexLock lock(mutex_);
    stopping = stop_.WaitUntil(mutex_, next,
                               [this]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return stopping_; });
  }
}

void HealthProber::ProbeHealth(InstancePool& pool, int instance,
                               const std::shared_ptr<Probe>& probe) {
  {
    MutexLock lock(probe->mutex);
    if (std::exchange(probe->pending, true)) return;
  }
  auto health = std::make_shared<int>(0);
  client_.Start(Ask(pool, instance, "/health"),
                {.on_headers = [health](int status, const http::Headers&) { *health = status; },
                 .on_end =
                     [&pool, instance, probe, health](const absl::Status& end) {
                       MutexLock lock(probe->mutex);
                       probe->pending = false;
                       const bool silent = end.code() == absl::StatusCode::kDeadlineExceeded;
                       probe->silences = silent ? probe->silences + 1 : 0;
                       if (end.ok() && *health == 200) {
                         pool.MarkUp(instance);
                       } else if (end.ok()) {
                         pool.MarkDown(instance, fmt::format("GET /health answers {}", *health));
                       } else if (end.code() == absl::StatusCode::kUnavailable ||
                                  probe->silences > kTolerableSilences) {
                         pool.MarkDown(instance, std::string(end.message()));
                       }
                     }});
  const InstanceStatus status = pool.Status(instance);
  if (status.up && status.cache_namespace.empty()) ProbeVersion(pool, instance);
}

void HealthProber::ProbeVersion(InstancePool& pool, int instance) {
  auto body = std::make_shared<std::string>();
  client_.Start(Ask(pool, instance, "/version"),
                {.on_body = [body](std::string_view part) { body->append(part); },
                 .on_end =
                     [&pool, instance, body](const absl::Status& end) {
                       if (end.ok()) ReadVersion(*body, pool, instance);
                     }});
}

}  // namespace tandem::proxy

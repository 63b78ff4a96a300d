#include "proxy/health_prober.h"

#include <fmt/format.h>

#include <utility>

#include "proxy/recognition.h"

namespace tandem::proxy {
namespace {

constexpr int kTolerableSilences = 1;  // In a row: a machine at full load may answer late once.

http::ClientRequest Ask(const InstancePool& pool, int instance, const std::string& target,
                        Duration timeout) {
  return {.url = pool.Url(instance, target),
          .connect_timeout = timeout,
          .idle_timeout = timeout,
          .total_timeout = timeout};
}

/// The two questions that tell what an instance is, which are under way together.
struct MakeProbe {
  Mutex mutex;
  ProbeReply version ABSL_GUARDED_BY(mutex);
  ProbeReply models ABSL_GUARDED_BY(mutex);
  int pending ABSL_GUARDED_BY(mutex) = 2;
};

void Apply(const Recognition& recognition, InstancePool& pool, int instance) {
  switch (recognition.make) {
    case InstanceMake::kTandem:
      pool.SetNamespace(instance, recognition.cache_namespace);
      pool.SetKvRole(instance, recognition.kv_role);
      return;
    case InstanceMake::kForeign:
      return pool.MarkForeign(instance);
    case InstanceMake::kUnfit:
      return pool.MarkUnfit(instance, recognition.found);
    case InstanceMake::kUnknown:
      return;
  }
}

}  // namespace

HealthProber::HealthProber(InstancePool& prefillers, InstancePool& decoders, http::Client& client,
                           const Times& times)
    : prefillers_(prefillers), decoders_(decoders), client_(client), times_(times) {
  for (const InstancePool* pool : {&prefillers_, &decoders_}) {
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
    const TimePoint next = Clock::Real().Now() + times_.interval;
    ProbeAll(prefillers_, probes_[0]);
    ProbeAll(decoders_, probes_[1]);
    prefillers_.CancelSilentCalls(times_.patience);
    // With no other decoder, waiting for the one that stands still is all that is left.
    if (decoders_.AnyUp()) decoders_.CancelSilentCalls(times_.patience);
    MutexLock lock(mutex_);
    stopping = stop_.WaitUntil(mutex_, next,
                               [this]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return stopping_; });
  }
}

void HealthProber::ProbeAll(InstancePool& pool, const Probes& probes) {
  for (int i = 0; i < pool.size(); ++i) ProbeHealth(pool, i, probes[i]);
}

void HealthProber::ProbeHealth(InstancePool& pool, int instance,
                               const std::shared_ptr<Probe>& probe) {
  {
    MutexLock lock(probe->mutex);
    if (std::exchange(probe->pending, true)) return;
  }
  auto health = std::make_shared<int>(0);
  const TimePoint asked = Clock::Real().Now();
  client_.Start(Ask(pool, instance, "/health", times_.timeout),
                {.on_headers = [health](int status, const http::Headers&) { *health = status; },
                 .on_end =
                     [&pool, instance, probe, health, asked](const absl::Status& end) {
                       MutexLock lock(probe->mutex);
                       probe->pending = false;
                       const bool silent = end.code() == absl::StatusCode::kDeadlineExceeded;
                       probe->silences = silent ? probe->silences + 1 : 0;
                       probe->healthy = end.ok() && *health == 200;
                       if (end.ok()) pool.NoteAnswer(instance);
                       if (probe->healthy) {
                         pool.MarkUp(instance, asked);
                       } else if (end.ok() && LacksHealth(*health)) {
                         pool.MarkUnfit(instance, fmt::format("GET /health answers {}", *health));
                       } else if (end.ok()) {
                         pool.MarkDown(instance, fmt::format("GET /health answers {}", *health));
                       } else if (end.code() == absl::StatusCode::kUnavailable ||
                                  probe->silences > kTolerableSilences) {
                         pool.MarkDown(instance, std::string(end.message()));
                       }
                     }});
  const InstanceStatus status = pool.Status(instance);
  // The namespace may have come with a prefill's reply, which tells no role.
  const bool half_known = status.make == InstanceMake::kTandem && !status.kv_role;
  if (status.up && (status.make == InstanceMake::kUnknown || half_known)) {
    return ProbeMake(pool, instance);
  }
  bool healthy = false;
  {
    MutexLock lock(probe->mutex);
    healthy = probe->healthy;
  }
  if (status.make == InstanceMake::kUnfit && healthy) ProbeMake(pool, instance);
}

void HealthProber::ProbeMake(InstancePool& pool, int instance) {
  auto probe = std::make_shared<MakeProbe>();
  const auto ask = [&](const char* target, ProbeReply MakeProbe::*reply) {
    auto got = std::make_shared<ProbeReply>();
    client_.Start(Ask(pool, instance, target, times_.timeout),
                  {.on_headers = [got](int status, const http::Headers&) { got->status = status; },
                   .on_body = [got](std::string_view part) { got->body.append(part); },
                   .on_end =
                       [&pool, instance, probe, got, reply](const absl::Status& end) {
                         MutexLock lock(probe->mutex);
                         if (end.ok()) (*probe).*reply = std::move(*got);
                         if (--probe->pending > 0) return;
                         Apply(Recognize(probe->version, probe->models), pool, instance);
                       }});
  };
  ask("/version", &MakeProbe::version);
  ask("/v1/models", &MakeProbe::models);
}

}  // namespace tandem::proxy

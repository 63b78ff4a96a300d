#include "proxy/proxy_server.h"

#include <fmt/format.h>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <vector>

#include "base/log.h"
#include "base/mutex.h"
#include "base/status.h"
#include "http/metrics_response.h"
#include "http/request_id.h"
#include "http/router.h"
#include "http/server.h"
#include "proxy/completion_request.h"
#include "proxy/health_prober.h"
#include "proxy/relay.h"

namespace tandem::proxy {
namespace {

using http::Request;
using Writer = std::shared_ptr<http::ResponseWriter>;

/// For the words to clients whose requests are broken off; a supervisor waits for a second.
constexpr Duration kLastReplies = std::chrono::milliseconds(500);

http::Response JsonReply(int status, const boost::json::object& json) {
  return {.status = status,
          .headers = {{"Content-Type", "application/json"}},
          .body = boost::json::serialize(json)};
}

boost::json::array ToJson(const InstancePool& pool) {
  boost::json::array instances;
  for (const InstanceStatus& status : pool.Status()) {
    instances.emplace_back(boost::json::object{{"address", status.address},
                                               {"up", status.up},
                                               {"kv_namespace", status.cache_namespace},
                                               {"kv_role", status.kv_role.value_or("")},
                                               {"foreign", status.make == InstanceMake::kForeign},
                                               {"problem", status.problem}});
  }
  return instances;
}

class RoutingProxy : public ProxyServer {
 public:
  RoutingProxy(const ProxyOptions& options, MetricRegistry& registry)
      : options_(options),
        registry_(registry),
        metrics_(registry),
        namespaces_(metrics_.namespace_mismatches),
        prefillers_("prefiller", options_.prefillers, Clock::Real()),
        decoders_("decoder", options_.decoders, Clock::Real()),
        client_(http::Client::Create(options_.threads)),
        context_{options_, *client_, prefillers_, decoders_, metrics_, namespaces_} {
    AddRoutes();
  }
  ~RoutingProxy() override { Stop(Clock::Real().Now()); }

  absl::Status Listen() {
    ASSIGN_OR_RETURN(
        server_, http::Server::Start(
                     {.host = options_.host, .port = options_.port, .threads = options_.threads},
                     [this](Request request, Writer writer) {
                       // The id that the instances would keep, so that all log the same one.
                       const std::string id = http::RequestId(request.headers);
                       request.headers.Set(http::kRequestIdHeader, id);
                       router_.Dispatch(std::move(request), std::move(writer));
                     }));
    prober_.emplace(prefillers_, decoders_, *client_,
                    HealthProber::Times{.interval = options_.probe_interval,
                                        .timeout = options_.probe_timeout,
                                        .patience = options_.patience});
    return absl::OkStatus();
  }

  int port() const override { return server_->port(); }

  void Stop(TimePoint deadline) override {
    if (server_ != nullptr) {
      if (!server_->Drain(deadline)) BreakOff();
      server_->Stop(Clock::Real().Now() + kLastReplies);
    }
    prober_.reset();
    client_.reset();
  }

 private:
  void AddRoutes();
  std::shared_ptr<RequestScope> Open(Request request, Writer writer);
  void ServeCompletion(Request request, Writer writer);
  void Forward(Request request, Writer writer, bool prefiller_may_answer);
  void BreakOff();
  http::Response Health() const;

  const ProxyOptions options_;
  MetricRegistry& registry_;
  ProxyMetrics metrics_;
  NamespaceCheck namespaces_;
  InstancePool prefillers_;
  InstancePool decoders_;
  std::unique_ptr<http::Client> client_;
  ProxyContext context_;
  http::Router router_;
  std::unique_ptr<http::Server> server_;
  std::optional<HealthProber> prober_;

  Mutex mutex_;
  std::vector<std::weak_ptr<RequestScope>> open_ ABSL_GUARDED_BY(mutex_);  // And some that ended.
};

void RoutingProxy::AddRoutes() {
  for (const char* path : {"/v1/completions", "/v1/chat/completions"}) {
    router_.Add("POST", path, [this](Request request, Writer writer) {
      ServeCompletion(std::move(request), std::move(writer));
    });
  }
  router_.Add("GET", "/v1/models", [this](Request request, Writer writer) {
    Forward(std::move(request), std::move(writer), true);
  });
  router_.Add("GET", "/health",
              [this](const Request&, const Writer& writer) { writer->Respond(Health()); });
  router_.Add("GET", "/version", [this](const Request&, const Writer& writer) {
    // The role keeps a proxy from taking itself or another proxy for an instance.
    writer->Respond(JsonReply(200, {{"version", options_.version}, {"role", "proxy"}}));
  });
  router_.Add("GET", "/metrics", [this](const Request&, const Writer& writer) {
    writer->Respond(http::MetricsResponse(registry_));
  });
  router_.AddFallback([this](Request request, Writer writer) {
    Forward(std::move(request), std::move(writer), false);
  });
}

std::shared_ptr<RequestScope> RoutingProxy::Open(Request request, Writer writer) {
  auto scope = std::make_shared<RequestScope>(context_, std::move(request), writer);
  writer->OnClose([weak = std::weak_ptr(scope)] {
    if (const auto open = weak.lock()) open->Leave();
  });
  MutexLock lock(mutex_);
  // Sweeping when the list is full keeps the cost per request constant.
  if (open_.size() == open_.capacity()) {
    std::erase_if(open_, [](const auto& weak) { return weak.expired(); });
    open_.reserve(2 * open_.size() + 16);
  }
  open_.push_back(scope);
  return scope;
}

void RoutingProxy::BreakOff() {
  std::vector<std::weak_ptr<RequestScope>> open;
  {
    MutexLock lock(mutex_);
    open.swap(open_);
  }
  int broken = 0;
  for (const auto& weak : open) {
    if (const auto scope = weak.lock()) {
      scope->BreakOff();
      ++broken;
    }
  }
  if (broken > 0) {
    spdlog::warn("{} requests in flight are broken off: the time for them has passed", broken);
  }
}

void RoutingProxy::ServeCompletion(Request request, Writer writer) {
  std::make_shared<CompletionRequest>(Open(std::move(request), std::move(writer)))->Start();
}

void RoutingProxy::Forward(Request request, Writer writer, bool prefiller_may_answer) {
  auto scope = Open(std::move(request), std::move(writer));
  PrefillDecodePlan plan = PrefillDecodePlan::Whole(scope->TakeBody());
  const auto relay =
      std::make_shared<Relay>(std::move(scope), std::move(plan), boost::json::object());
  if (prefiller_may_answer) relay->AllowPrefillers();
  relay->Start();
}

http::Response RoutingProxy::Health() const {
  bool decoder_up = false;
  for (const InstanceStatus& decoder : decoders_.Status()) decoder_up |= decoder.up;
  return JsonReply(decoder_up ? 200 : 503, {{"status", decoder_up ? "ok" : "no decoder is up"},
                                            {"prefillers", ToJson(prefillers_)},
                                            {"decoders", ToJson(decoders_)}});
}

}  // namespace

absl::StatusOr<std::unique_ptr<ProxyServer>> ProxyServer::Start(const ProxyOptions& options,
                                                                MetricRegistry& registry) {
  auto proxy = std::make_unique<RoutingProxy>(options, registry);
  RETURN_IF_ERROR(proxy->Listen());
  return proxy;
}

}  // namespace tandem::proxy

#include "proxy/proxy_server.h"

#include <fmt/format.h>

#include <atomic>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <random>

#include "base/status.h"
#include "http/router.h"
#include "http/server.h"
#include "proxy/completion_request.h"
#include "proxy/health_prober.h"
#include "proxy/relay.h"

namespace tandem::proxy {
namespace {

using http::Request;
using Writer = std::shared_ptr<http::ResponseWriter>;

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
                                               {"foreign", status.foreign}});
  }
  return instances;
}

/// Names requests whose clients did not: unique within a process, and in all likelihood among
/// several.
class RequestIds {
 public:
  std::string Next() { return fmt::format("{:016x}{:016x}", prefix_, next_.fetch_add(1)); }

 private:
  const uint64_t prefix_ = uint64_t{std::random_device()()} << 32 | std::random_device()();
  std::atomic<uint64_t> next_ = 1;
};

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
                       if (!request.headers.Get("X-Request-Id")) {
                         request.headers.Set("X-Request-Id", ids_.Next());
                       }
                       router_.Dispatch(std::move(request), std::move(writer));
                     }));
    prober_.emplace(std::vector<InstancePool*>{&prefillers_, &decoders_}, *client_,
                    options_.probe_interval, options_.prefill_patience);
    return absl::OkStatus();
  }

  int port() const override { return server_->port(); }

  void Stop(TimePoint deadline) override {
    if (server_ != nullptr) server_->Stop(deadline);
    prober_.reset();
    client_.reset();
  }

 private:
  void AddRoutes();
  std::shared_ptr<RequestScope> Open(Request request, Writer writer);
  void ServeCompletion(Request request, Writer writer);
  void Forward(Request request, Writer writer, bool prefiller_may_answer);
  http::Response Health() const;

  const ProxyOptions options_;
  MetricRegistry& registry_;
  ProxyMetrics metrics_;
  NamespaceCheck namespaces_;
  InstancePool prefillers_;
  InstancePool decoders_;
  RequestIds ids_;
  std::unique_ptr<http::Client> client_;
  ProxyContext context_;
  http::Router router_;
  std::unique_ptr<http::Server> server_;
  std::optional<HealthProber> prober_;
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
    writer->Respond(JsonReply(200, {{"version", options_.version}}));
  });
  router_.Add("GET", "/metrics", [this](const Request&, const Writer& writer) {
    writer->Respond({.headers = {{"Content-Type", "text/plain; version=0.0.4"}},
                     .body = RenderMetrics(registry_)});
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
  return scope;
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

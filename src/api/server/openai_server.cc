#include "api/server/openai_server.h"

#include <atomic>

#include "api/server/api_context.h"
#include "api/server/authorization.h"
#include "api/server/handlers.h"
#include "api/server/json_reply.h"
#include "http/metrics_response.h"
#include "http/request_id.h"
#include "http/router.h"

namespace tandem::api {
namespace {

using WriterPointer = std::shared_ptr<http::ResponseWriter>;

class Server : public OpenAiServer {
 public:
  Server(const OpenAiServerOptions& options, ServedModel model, engine::EngineLoop& engine,
         const MetricRegistry& metrics, const Clock& clock)
      : model_(std::move(model)),
        context_{.model = model_,
                 .encoder = PromptEncoder(model_),
                 .engine = engine,
                 .clock = clock,
                 .log_requests = options.log_requests},
        authorization_(options.api_keys),
        metrics_(metrics),
        version_(options.version) {
    AddGenerationRoutes();
    AddModelRoutes();
    AddStateRoutes();
  }

  absl::Status Listen(const http::ServerOptions& options) {
    auto server = http::Server::Start(options, [this](http::Request request, WriterPointer writer) {
      Handle(std::move(request), std::move(writer));
    });
    if (!server.ok()) return server.status();
    http_ = *std::move(server);
    return absl::OkStatus();
  }

  int port() const override { return http_->port(); }
  void BeginDrain() override { draining_ = true; }
  void Stop(TimePoint deadline) override { http_->Stop(deadline); }

 private:
  void Handle(http::Request request, WriterPointer writer) {
    const std::string id = http::RequestId(request.headers);
    request.headers.Set(http::kRequestIdHeader, id);
    writer = http::WithRequestId(std::move(writer), id);
    if (absl::Status status = authorization_.Check(request); !status.ok()) {
      http::Response reply = ErrorReply(status);
      reply.headers.Set("WWW-Authenticate", "Bearer");
      return writer->Respond(std::move(reply));
    }
    router_.Dispatch(std::move(request), std::move(writer));
  }

  void AddGenerationRoutes() {
    router_.Add("POST", "/v1/completions", [this](http::Request request, WriterPointer writer) {
      HandleCompletion(context_, request, *request.headers.Get(http::kRequestIdHeader),
                       std::move(writer));
    });
    router_.Add("POST", "/v1/chat/completions",
                [this](http::Request request, WriterPointer writer) {
                  HandleChat(context_, request, *request.headers.Get(http::kRequestIdHeader),
                             std::move(writer));
                });
    router_.Add("POST", "/tokenize", [this](http::Request request, WriterPointer writer) {
      HandleTokenize(context_, request, std::move(writer));
    });
    router_.Add("POST", "/detokenize", [this](http::Request request, WriterPointer writer) {
      HandleDetokenize(context_, request, std::move(writer));
    });
  }

  void AddModelRoutes() {
    router_.Add("GET", "/v1/models", [this](http::Request, WriterPointer writer) {
      HandleModels(context_, std::move(writer));
    });
    for (const std::string& name : model_.names) {
      router_.Add("GET", "/v1/models/" + name, [this, name](http::Request, WriterPointer writer) {
        HandleModel(context_, name, std::move(writer));
      });
    }
  }

  void AddStateRoutes() {
    const auto health = [this](http::Request, WriterPointer writer) {
      if (draining_) {
        return writer->Respond(ErrorReply(absl::UnavailableError("this instance is stopping")));
      }
      writer->Respond({.status = 200, .headers = {}, .body = ""});
    };
    router_.Add("GET", "/health", health);
    router_.Add("GET", "/ping", health);
    router_.Add("POST", "/ping", health);
    router_.Add("GET", "/version", [this](http::Request, WriterPointer writer) {
      writer->Respond(JsonReply(200, {{"version", version_},
                                      {"kv_namespace", model_.kv_namespace},
                                      {"kv_role", model_.kv_role}}));
    });
    router_.Add("GET", "/load", [this](http::Request, WriterPointer writer) {
      writer->Respond(JsonReply(200, {{"server_load", context_.engine.load()}}));
    });
    router_.Add("GET", "/metrics", [this](http::Request, WriterPointer writer) {
      writer->Respond(http::MetricsResponse(metrics_));
    });
  }

  const ServedModel model_;
  ApiContext context_;
  const Authorization authorization_;
  const MetricRegistry& metrics_;
  const std::string version_;
  std::atomic<bool> draining_ = false;
  http::Router router_;
  std::unique_ptr<http::Server> http_;  // Last: its threads use all of the above.
};

}  // namespace

absl::StatusOr<std::unique_ptr<OpenAiServer>> OpenAiServer::Start(
    const OpenAiServerOptions& options, ServedModel model, engine::EngineLoop& engine,
    const MetricRegistry& metrics, const Clock& clock) {
  auto server = std::make_unique<Server>(options, std::move(model), engine, metrics, clock);
  absl::Status status = server->Listen(options.http);
  if (!status.ok()) return status;
  return server;
}

}  // namespace tandem::api

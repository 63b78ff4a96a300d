#include "proxy/testing/fake_instance.h"

#include <gtest/gtest.h>

#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value_to.hpp>

#include "http/error.h"
#include "http/event_stream.h"

namespace tandem::proxy {
namespace {

using boost::json::array;
using boost::json::object;
using boost::json::value;

constexpr Duration kLimit = std::chrono::seconds(10);

http::Response Json(const object& json) {
  return {.headers = {{"Content-Type", "application/json"}}, .body = boost::json::serialize(json)};
}

std::string Text(int id) { return "t" + std::to_string(id) + " "; }

/// Ids already given, then how many there are to be in all.
struct Span {
  int from = 1;
  int to = 1;
};

Span TokensOf(const object& body) {
  Span span{.to = body.contains("max_tokens") ? body.at("max_tokens").to_number<int>() : 16};
  const value* params = body.if_contains("kv_transfer_params");
  const value* resume = params ? params->get_object().if_contains("resume_tokens") : nullptr;
  if (resume != nullptr) span.from = static_cast<int>(resume->get_array().size()) + 1;
  return span;
}

object Chunk(const std::string& id, const object& choice) {
  return {{"id", id}, {"created", 1}, {"choices", array{choice}}};
}

}  // namespace

FakeInstance::FakeInstance(Behaviour behaviour, int port) : behaviour_(std::move(behaviour)) {
  auto server = http::Server::Start(
      {.host = "127.0.0.1", .port = port},
      [this](http::Request request, std::shared_ptr<http::ResponseWriter> writer) {
        Answer(std::move(request), std::move(writer));
      });
  EXPECT_TRUE(server.ok()) << server.status();
  server_ = *std::move(server);
  port_ = server_->port();
}

FakeInstance::~FakeInstance() { Stop(); }

void FakeInstance::Stop() { server_.reset(); }

std::vector<SeenRequest> FakeInstance::seen() const {
  MutexLock lock(mutex_);
  return seen_;
}

bool FakeInstance::WaitForRequests(size_t count) const {
  MutexLock lock(mutex_);
  return changed_.WaitUntil(mutex_, Clock::Real().Now() + kLimit,
                            [&]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return seen_.size() >= count; });
}

bool FakeInstance::WaitForLeaver() const {
  MutexLock lock(mutex_);
  return changed_.WaitUntil(mutex_, Clock::Real().Now() + kLimit,
                            [&]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return leavers_ > 0; });
}

void FakeInstance::Answer(http::Request request, std::shared_ptr<http::ResponseWriter> writer) {
  if (request.path == "/health") return writer->Respond({});
  if (request.path == "/version") {
    object version{{"version", "0"}};
    if (!foreign()) version["kv_namespace"] = behaviour_.cache_namespace;
    return writer->Respond(Json(version));
  }
  if (!request.path.ends_with("completions")) {
    return writer->Respond({.status = 201,
                            .headers = {{"X-Extra", "kept"}},
                            .body = request.method + " " + request.target + " " + request.body});
  }
  const object body = boost::json::parse(request.body).as_object();
  writer->OnClose([this] {
    MutexLock lock(mutex_);
    ++leavers_;
    changed_.NotifyAll();
  });
  {
    MutexLock lock(mutex_);
    seen_.push_back({request.path, request.headers, body});
    if (behaviour_.silent) unanswered_.push_back(writer);
    changed_.NotifyAll();
  }
  if (!behaviour_.silent) AnswerCompletion(body, writer);
}

void FakeInstance::AnswerCompletion(const object& body,
                                    const std::shared_ptr<http::ResponseWriter>& writer) {
  if (behaviour_.status != 200) {
    return writer->Respond(http::ErrorResponse(behaviour_.status, "as the test wants"));
  }
  const Span span = TokensOf(body);
  const bool stream = body.contains("stream") && body.at("stream").as_bool();
  const value* params = body.if_contains("kv_transfer_params");
  if (!stream) {
    std::string text;
    for (int id = span.from; id <= span.to; ++id) text += Text(id);
    object reply = Chunk("whole", {{"index", 0}, {"text", text}, {"finish_reason", "length"}});
    reply["usage"] = object{{"completion_tokens", span.to}};
    if (params != nullptr && params->get_object().contains("ret_first_tok")) {
      reply["kv_transfer_params"] = object{{"first_tok", 1},
                                           {"committed_tokens", 32},
                                           {"namespace", behaviour_.cache_namespace},
                                           {"stored_bytes", 1024}};
      if (!behaviour_.first_finish.empty()) {
        reply["kv_transfer_params"].as_object()["first_tok_finish_reason"] =
            behaviour_.first_finish;
      }
    }
    return writer->Respond(Json(reply));
  }
  const std::string reply_id = "stream-" + std::to_string(port_);
  writer->StartStream(200, {{"Content-Type", "text/event-stream; charset=utf-8"}});
  for (int id = span.from; id <= span.to; ++id) {
    // Dropping the writer breaks the connection.
    if (behaviour_.break_after >= 0 && id > behaviour_.break_after) return;
    object choice{{"index", 0}, {"text", Text(id)}};
    choice["finish_reason"] = id == span.to ? value("length") : value();
    if (!foreign() && body.contains("return_token_ids")) choice["token_ids"] = array{id};
    writer->Write(http::FormatEvent(boost::json::serialize(Chunk(reply_id, choice))));
  }
  writer->Write(http::FormatEvent("[DONE]"));
  writer->Finish();
}

}  // namespace tandem::proxy

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

Span TokensOf(const object& body, bool foreign) {
  Span span{.to = body.contains("max_tokens") ? body.at("max_tokens").to_number<int>() : 16};
  const value* prompt = body.if_contains("prompt");
  if (foreign && prompt != nullptr && prompt->is_array()) {
    const int last = prompt->get_array().back().to_number<int>();
    return {.from = last + 1, .to = last + span.to};
  }
  const value* params = body.if_contains("kv_transfer_params");
  const value* resume = params ? params->get_object().if_contains("resume_tokens") : nullptr;
  if (resume != nullptr) span.from = static_cast<int>(resume->get_array().size()) + 1;
  return span;
}

int ChoicesOf(const object& body) {
  const int n = body.contains("n") ? body.at("n").to_number<int>() : 1;
  const value* prompt = body.if_contains("prompt");
  const bool batch =
      prompt != nullptr && prompt->is_array() && prompt->get_array().front().is_string();
  return batch ? n * static_cast<int>(prompt->get_array().size()) : n;
}

/// As if a prompt that is no list of ids had three of them.
object Usage(const object& body, int generated) {
  const value* prompt = body.if_contains("prompt");
  const bool ids = prompt != nullptr && prompt->is_array();
  return {{"prompt_tokens", ids ? prompt->get_array().size() : 3},
          {"completion_tokens", generated}};
}

object Chunk(const std::string& id, const object& choice) {
  return {{"id", id}, {"created", 1}, {"choices", array{choice}}};
}

}  // namespace

FakeInstance::FakeInstance(Behaviour behaviour, int port)
    : behaviour_(std::move(behaviour)), unfit_(behaviour_.unfit) {
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
  if (request.path == "/health") return AnswerProbe(writer);
  if (unfit()) return writer->Respond(http::ErrorResponse(404, "there is nothing here"));
  if (request.path == "/version") {
    object version{{"version", "0"}};
    if (!foreign()) version["kv_namespace"] = behaviour_.cache_namespace;
    if (!behaviour_.kv_role.empty()) version["kv_role"] = behaviour_.kv_role;
    return writer->Respond(Json(version));
  }
  if (request.path == "/v1/models") {
    return writer->Respond(Json({{"object", "list"}, {"data", array{address()}}}));
  }
  if (request.path == "/tokenize" && request.body != "{}") {
    return writer->Respond(
        Json({{"count", 3}, {"max_model_len", 10}, {"tokens", array{101, 102, 103}}}));
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
  if (!behaviour_.silent) AnswerCompletion(request.path, body, writer);
}

bool FakeInstance::unfit() const {
  MutexLock lock(mutex_);
  return unfit_;
}

void FakeInstance::BecomeFit() {
  MutexLock lock(mutex_);
  unfit_ = false;
}

void FakeInstance::SetHealth(int status) {
  MutexLock lock(mutex_);
  health_ = status;
}

bool FakeInstance::WaitForProbes(int count) const {
  MutexLock lock(mutex_);
  const int enough = probes_ + count;
  return changed_.WaitUntil(mutex_, Clock::Real().Now() + kLimit,
                            [&]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return probes_ >= enough; });
}

void FakeInstance::GoOn() {
  std::vector<PausedStream> paused;
  {
    MutexLock lock(mutex_);
    paused.swap(paused_);
  }
  for (PausedStream& stream : paused) Stream(std::move(stream));
}

void FakeInstance::AnswerProbe(const std::shared_ptr<http::ResponseWriter>& writer) {
  MutexLock lock(mutex_);
  if (behaviour_.stands_still && !paused_.empty()) return unanswered_.push_back(writer);
  ++probes_;
  changed_.NotifyAll();
  writer->Respond({.status = health_});
}

void FakeInstance::AnswerCompletion(const std::string& path, const object& body,
                                    const std::shared_ptr<http::ResponseWriter>& writer) {
  if (behaviour_.status != 200) {
    return writer->Respond(http::ErrorResponse(behaviour_.status, "as the test wants"));
  }
  const Span span = TokensOf(body, foreign());
  if (span.from > 1 && behaviour_.resume_status != 200) {
    return writer->Respond(http::ErrorResponse(behaviour_.resume_status, "cannot go on"));
  }
  const bool stream = body.contains("stream") && body.at("stream").as_bool();
  const value* params = body.if_contains("kv_transfer_params");
  if (!stream) {
    std::string text;
    for (int id = span.from; id <= span.to; ++id) text += Text(id);
    object choice{{"index", 0}, {"finish_reason", "length"}};
    if (path.ends_with("/chat/completions")) {
      choice["message"] = object{{"role", "assistant"}, {"content", text}};
    } else {
      choice["text"] = text;
    }
    object reply = Chunk("whole", choice);
    reply["usage"] = Usage(body, span.to - span.from + 1);
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
  writer->StartStream(200, {{"Content-Type", "text/event-stream; charset=utf-8"}});
  Stream(
      {.writer = writer,
       .next = span.from,
       .last = span.to,
       .choices = ChoicesOf(body),
       .seed =
           body.contains("seed") ? std::optional(body.at("seed").to_number<int>()) : std::nullopt,
       .usage = body.contains("stream_options") ? Usage(body, span.to - span.from + 1) : object(),
       .with_ids = !foreign() && body.contains("return_token_ids")});
}

void FakeInstance::Stream(PausedStream stream) {
  const std::string reply_id = "stream-" + std::to_string(port_);
  http::ResponseWriter& writer = *stream.writer;
  for (int id = stream.next; id <= stream.last; ++id) {
    // Dropping the writer breaks the connection.
    if (behaviour_.break_after >= 0 && id > behaviour_.break_after) return;
    if (behaviour_.drain_after >= 0 && id > behaviour_.drain_after) {
      writer.Write(http::FormatEvent(
          http::ErrorBody("this instance is stopping", "ServiceUnavailableError", "", 503)));
      break;
    }
    if (behaviour_.pause_after >= 0 && id > behaviour_.pause_after && !stream.was_paused) {
      stream.was_paused = true;
      stream.next = id;
      MutexLock lock(mutex_);
      paused_.push_back(std::move(stream));
      return changed_.NotifyAll();
    }
    for (int index = 0; index < stream.choices; ++index) {
      const int last = stream.last - (stream.seed ? *stream.seed + index : 0);
      if (id > last) continue;
      object choice{{"index", index}, {"text", Text(id)}};
      choice["finish_reason"] = id == last ? value("length") : value();
      if (stream.with_ids) choice["token_ids"] = array{id};
      if (stream.with_ids && id == 1) choice["prompt_token_ids"] = array{7, 7, 7};
      writer.Write(http::FormatEvent(boost::json::serialize(Chunk(reply_id, choice))));
    }
  }
  if (!stream.usage.empty()) {
    const object chunk{{"id", reply_id}, {"choices", array()}, {"usage", stream.usage}};
    writer.Write(http::FormatEvent(boost::json::serialize(chunk)));
  }
  writer.Write(http::FormatEvent("[DONE]"));
  writer.Finish();
}

}  // namespace tandem::proxy

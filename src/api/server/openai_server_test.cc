#include "api/server/openai_server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>
#include <future>

#include "api/server/testing/fake_engine.h"
#include "api/server/testing/letter_tokenizer.h"
#include "base/testing/captured_log.h"
#include "http/client.h"
#include "http/event_stream.h"
#include "http/testing/event.h"

namespace tandem::api {
namespace {

using boost::json::parse;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

engine::EngineOutput Step(std::vector<int32_t> tokens, const std::string& text) {
  engine::EngineOutput output;
  output.tokens = std::move(tokens);
  output.text = text;
  output.prompt_tokens = 5;
  output.cached_tokens = 4;
  return output;
}

engine::EngineOutput LastStep(std::vector<int32_t> tokens, const std::string& text,
                              engine::FinishReason reason) {
  engine::EngineOutput output = Step(std::move(tokens), text);
  output.finished = true;
  output.reason = reason;
  output.generated_tokens = 2;
  return output;
}

class OpenAiServerTest : public ::testing::Test {
 protected:
  void StartServer(std::vector<std::string> api_keys = {}, bool generous = false,
                   bool log_requests = false) {
    ServedModel model{.names = {"m", "alias"},
                      .root = "/models/m",
                      .created = 1,
                      .max_model_len = 64,
                      .vocab_size = tokenizer_.vocab_size() + 1,
                      .tokenizer = &tokenizer_,
                      .chat_template = &template_,
                      .kv_namespace = "model=m",
                      .kv_role = "kv_consumer",
                      .max_logprobs = generous ? -1 : 20,
                      .priority_scheduling = generous};
    OpenAiServerOptions options;
    options.http = {.host = "127.0.0.1", .threads = 2};
    options.api_keys = std::move(api_keys);
    options.log_requests = log_requests;
    options.version = "1.2";
    auto server = OpenAiServer::Start(options, model, engine_, metrics_, Clock::Real());
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
  }
  void SetUp() override { StartServer(); }
  void TearDown() override { server_->Stop(Clock::Real().Now()); }

  http::ClientRequest Post(const std::string& path, const std::string& body) {
    http::ClientRequest request;
    request.method = "POST";
    request.url = "http://127.0.0.1:" + std::to_string(server_->port()) + path;
    request.headers = {{"X-Request-Id", "r1"}};
    request.body = body;
    return request;
  }
  http::Response Fetch(http::ClientRequest request) {
    absl::StatusOr<http::Response> response = client_->Fetch(std::move(request));
    EXPECT_TRUE(response.ok()) << response.status();
    return response.ok() ? *response : http::Response{.status = 0};
  }
  http::Response Get(const std::string& path) {
    http::ClientRequest request = Post(path, "");
    request.method = "GET";
    return Fetch(request);
  }
  std::future<http::Response> FetchLater(http::ClientRequest request) {
    return std::async(std::launch::async, [this, request] { return Fetch(request); });
  }
  /// The data of each event of a stream.
  static std::vector<std::string> Events(const http::Response& response) {
    std::vector<std::string> events;
    http::EventParser parser;
    EXPECT_TRUE(
        parser.Feed(response.body, [&](std::string_view data) { events.emplace_back(data); }).ok());
    return events;
  }
  static std::string ErrorMessage(const http::Response& response) {
    return std::string(parse(response.body).at("error").at("message").as_string());
  }

  /// Asks for two choices and leaves once the first has a token.
  void StreamTwoChoicesAndGoAway() {
    const auto started = std::make_shared<http::Event>();
    auto call =
        client_->Start(Post("/v1/completions", R"({"prompt": "a", "stream": true, "n": 2})"),
                       {.on_headers = [](int, const http::Headers&) {},
                        .on_body = [started](std::string_view) { started->Set(); },
                        .on_end = [](const absl::Status&) {}});
    ASSERT_TRUE(engine_.WaitForRequests(2));
    engine_.Emit(0, Step({'x'}, "x"));
    ASSERT_TRUE(started->Wait());
    call->Cancel();
  }

  const LetterTokenizer tokenizer_;
  const ColonTemplate template_;
  FakeEngine engine_;
  MetricRegistry metrics_;
  const std::unique_ptr<http::Client> client_ = http::Client::Create(1);
  std::unique_ptr<OpenAiServer> server_;
};

constexpr char kChat[] = R"({"messages": [{"role": "user", "content": "hi"}], "max_tokens": 2})";

TEST_F(OpenAiServerTest, AnswersAChat) {
  auto reply = FetchLater(Post("/v1/chat/completions", kChat));
  ASSERT_TRUE(engine_.WaitForRequests(1));
  EXPECT_EQ(tokenizer_.Decode(engine_.request(0).prompt, false), "user:hi;assistant:");
  EXPECT_EQ(engine_.request(0).sampling.max_tokens, 2);
  engine_.Emit(0, Step({'h'}, "h"));
  engine_.Emit(0, LastStep({'o'}, "o", engine::FinishReason::kLength));
  const http::Response response = reply.get();
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.headers.Get("X-Request-Id"), "r1");
  const boost::json::value json = parse(response.body);
  EXPECT_EQ(json.at("id"), "chatcmpl-r1");
  EXPECT_EQ(json.at("model"), "m");
  EXPECT_EQ(json.at("choices").at(0).at("message"),
            parse(R"({"role": "assistant", "content": "ho"})"));
  EXPECT_EQ(json.at("choices").at(0).at("finish_reason"), "length");
  EXPECT_EQ(json.at("usage"),
            parse(R"({"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7,
                      "prompt_tokens_details": {"cached_tokens": 4}})"));
  EXPECT_FALSE(json.as_object().contains("kv_transfer_params"));
}

TEST_F(OpenAiServerTest, StreamsAChat) {
  auto reply = FetchLater(
      Post("/v1/chat/completions",
           R"({"messages": [{"role": "user", "content": "hi"}], "stream": true, "model": "alias",
          "stream_options": {"include_usage": true}})"));
  ASSERT_TRUE(engine_.WaitForRequests(1));
  engine_.Emit(0, Step({'h'}, "h"));
  engine_.Emit(0, Step({'e'}, ""));
  engine_.Emit(0, LastStep({'o'}, "o", engine::FinishReason::kStop));
  const http::Response response = reply.get();
  EXPECT_THAT(*response.headers.Get("Content-Type"), HasSubstr("text/event-stream"));
  const std::vector<std::string> events = Events(response);
  ASSERT_EQ(events.size(), 5u) << response.body;
  EXPECT_EQ(parse(events[0]).at("choices").at(0).at("delta"),
            parse(R"({"role": "assistant", "content": ""})"));
  EXPECT_EQ(parse(events[1]).at("choices").at(0).at("delta"), parse(R"({"content": "h"})"));
  EXPECT_EQ(parse(events[1]).at("model"), "alias");
  EXPECT_TRUE(parse(events[1]).at("choices").at(0).at("finish_reason").is_null());
  EXPECT_EQ(parse(events[2]).at("choices").at(0).at("finish_reason"), "stop");
  EXPECT_EQ(parse(events[3]).at("choices"), boost::json::array());
  EXPECT_EQ(parse(events[3]).at("usage").at("completion_tokens"), 2);
  EXPECT_EQ(events[4], "[DONE]");
}

TEST_F(OpenAiServerTest, AStreamWithTokenIdsHasAChunkForEachStep) {
  auto reply = FetchLater(
      Post("/v1/completions", R"({"prompt": "ab", "stream": true, "return_token_ids": true})"));
  ASSERT_TRUE(engine_.WaitForRequests(1));
  engine_.Emit(0, Step({'x'}, ""));
  engine_.Emit(0, LastStep({'y', 'z'}, "xyz", engine::FinishReason::kStop));
  const std::vector<std::string> events = Events(reply.get());
  ASSERT_EQ(events.size(), 3u);
  const boost::json::value first = parse(events[0]).at("choices").at(0);
  EXPECT_EQ(first.at("token_ids"), parse("[120]"));
  EXPECT_EQ(first.at("prompt_token_ids"), parse("[256, 97, 98]"));
  const boost::json::value second = parse(events[1]).at("choices").at(0);
  EXPECT_EQ(second.at("token_ids"), parse("[121, 122]"));
  EXPECT_FALSE(second.as_object().contains("prompt_token_ids"));
}

TEST_F(OpenAiServerTest, AnswersEveryPromptNTimes) {
  auto reply = FetchLater(
      Post("/v1/completions", R"({"prompt": ["a", "b"], "n": 2, "seed": 7, "echo": true})"));
  ASSERT_TRUE(engine_.WaitForRequests(4));
  EXPECT_EQ(engine_.request(1).sampling.seed, 8u);
  EXPECT_THAT(engine_.request(2).prompt, ElementsAre(256, 'b'));
  for (const size_t index : {3, 1, 0, 2}) {
    engine_.Emit(index, LastStep({'0'}, std::to_string(index), engine::FinishReason::kLength));
  }
  const boost::json::value json = parse(reply.get().body);
  ASSERT_EQ(json.at("choices").as_array().size(), 4u);
  EXPECT_EQ(json.at("choices").at(1).at("text"), "a1");
  EXPECT_EQ(json.at("choices").at(3).at("text"), "b3");
  EXPECT_EQ(json.at("choices").at(3).at("index"), 3);
  EXPECT_EQ(json.at("usage").at("prompt_tokens"), 10);
  EXPECT_EQ(json.at("usage").at("completion_tokens"), 8);
}

TEST_F(OpenAiServerTest, ScoresAPromptByEchoWithoutOutput) {
  auto reply = FetchLater(
      Post("/v1/completions", R"({"prompt": "ab", "echo": true, "max_tokens": 0, "logprobs": 1})"));
  ASSERT_TRUE(engine_.WaitForRequests(1));
  EXPECT_EQ(engine_.request(0).sampling.max_tokens, 1);
  EXPECT_EQ(engine_.request(0).sampling.prompt_logprobs, 1);
  engine::EngineOutput output = LastStep({'x'}, "x", engine::FinishReason::kLength);
  output.prompt_logprobs = {{},
                            {.token = 'a', .logprob = -1, .rank = 2, .top = {{'q', -0.5f}}},
                            {.token = 'b', .logprob = -2, .rank = 1, .top = {{'b', -2.0f}}}};
  output.logprobs = {{.token = 'x', .logprob = -3, .rank = 1, .top = {}}};
  engine_.Emit(0, output);
  const boost::json::value choice = parse(reply.get().body).at("choices").at(0);
  EXPECT_EQ(choice.at("text"), "ab");
  EXPECT_EQ(choice.at("logprobs").at("tokens"), parse(R"(["<s>", "a", "b"])"));
  EXPECT_EQ(choice.at("logprobs").at("token_logprobs"), parse("[null, -1.0, -2.0]"));
  EXPECT_EQ(choice.at("logprobs").at("text_offset"), parse("[0, 3, 4]"));
}

TEST_F(OpenAiServerTest, APrefillTellsWhatTheDecoderNeeds) {
  auto reply = FetchLater(Post("/v1/completions",
                               R"({"prompt": "ab", "max_tokens": 1, "min_tokens": 3, "logprobs": 0,
                                   "kv_transfer_params": {"ret_first_tok": true}})"));
  ASSERT_TRUE(engine_.WaitForRequests(1));
  EXPECT_TRUE(engine_.request(0).wait_for_commit);
  EXPECT_EQ(engine_.request(0).sampling.min_tokens, 1);
  // Nobody else asks for more than can come, here by default.
  const auto refused = Fetch(Post("/v1/completions", R"({"prompt": "ab", "min_tokens": 50})"));
  EXPECT_EQ(refused.status, 400);
  EXPECT_THAT(refused.body, HasSubstr("min_tokens must be at most max_tokens, 16, got 50"));
  engine::EngineOutput output = LastStep({'x'}, "x", engine::FinishReason::kLength);
  output.logprobs = {{.token = 'x', .logprob = -1, .rank = 1, .top = {}}};
  output.committed_tokens = 3;
  output.saved_bytes = 99;
  engine_.Emit(0, output);
  EXPECT_EQ(parse(reply.get().body).at("kv_transfer_params"),
            parse(R"({"first_tok": 120, "committed_tokens": 3, "namespace": "model=m",
                      "first_tok_logprobs": {"token": 120, "logprob": -1.0, "rank": 1, "top": []},
                      "stored_bytes": 99})"));
}

TEST_F(OpenAiServerTest, AResumedStreamHasNoRole) {
  auto reply = FetchLater(Post("/v1/chat/completions",
                               R"({"messages": [{"role": "user", "content": "hi"}], "stream": true,
          "kv_transfer_params": {"first_tok": 104, "committed_tokens": 18,
                                 "resume_tokens": [104, 101]}})"));
  ASSERT_TRUE(engine_.WaitForRequests(1));
  EXPECT_EQ(engine_.request(0).given.size(), 2u);
  EXPECT_EQ(engine_.request(0).given_already_sent, 2);
  EXPECT_EQ(engine_.request(0).committed_tokens, 18);
  engine_.Emit(0, LastStep({'y'}, "y", engine::FinishReason::kStop));
  const std::vector<std::string> events = Events(reply.get());
  ASSERT_EQ(events.size(), 2u);
  EXPECT_EQ(parse(events[0]).at("choices").at(0).at("delta"), parse(R"({"content": "y"})"));
}

TEST_F(OpenAiServerTest, TakesOverATokenThatOnlyTheModelKnows) {
  auto reply = FetchLater(
      Post("/v1/completions", R"({"prompt": "ab", "kv_transfer_params": {"first_tok": 257}})"));
  ASSERT_TRUE(engine_.WaitForRequests(1));
  EXPECT_EQ(engine_.request(0).given.front().token, 257);
  engine_.Emit(0, LastStep({'y'}, "y", engine::FinishReason::kStop));
  EXPECT_EQ(reply.get().status, 200);
}

TEST_F(OpenAiServerTest, TellsWhatStoppedIt) {
  auto reply = FetchLater(Post("/v1/completions",
                               R"({"prompt": "ab", "stop": ["7"], "stop_token_ids": [7, 8],
                                   "n": 4})"));
  ASSERT_TRUE(engine_.WaitForRequests(4));
  engine::EngineOutput output = LastStep({'x'}, "x", engine::FinishReason::kStop);
  output.stop_reason = "7";
  engine_.Emit(0, output);
  output.stop_reason = "8";
  engine_.Emit(1, output);
  output.stop_reason = "9";
  engine_.Emit(2, output);
  output.stop_reason = "";
  engine_.Emit(3, output);
  const boost::json::value json = parse(reply.get().body);
  EXPECT_EQ(json.at("choices").at(0).at("stop_reason"), "7");
  EXPECT_EQ(json.at("choices").at(1).at("stop_reason"), 8);
  EXPECT_EQ(json.at("choices").at(2).at("stop_reason"), 9) << "an end that the checkpoint lists";
  EXPECT_TRUE(json.at("choices").at(3).at("stop_reason").is_null()) << "the tokenizer's own end";
}

TEST_F(OpenAiServerTest, PassesOnWhatRestrictsTheOutput) {
  auto reply = FetchLater(Post("/v1/completions",
                               R"({"prompt": "ab", "bad_words": ["no", " no"], "cache_salt": "mine",
                                   "allowed_token_ids": [97, 98], "logit_bias": {"99": 3},
                                   "min_tokens": 2})"));
  ASSERT_TRUE(engine_.WaitForRequests(1));
  const engine::EngineRequest request = engine_.request(0);
  EXPECT_THAT(request.sampling.bad_words,
              ElementsAre(ElementsAre('n', 'o'), ElementsAre('n', 'o')));
  EXPECT_THAT(request.sampling.allowed_token_ids, ElementsAre(97, 98));
  EXPECT_THAT(request.sampling.logit_bias, ElementsAre(std::pair(99, 3.0f)));
  EXPECT_EQ(request.sampling.min_tokens, 2);
  EXPECT_EQ(request.cache_salt, "mine");
  EXPECT_FALSE(request.sampling.logprobs);
  engine::EngineOutput output = LastStep({}, "", engine::FinishReason::kError);
  output.error = absl::InvalidArgumentError("nothing is left");
  engine_.Emit(0, output);
  EXPECT_EQ(reply.get().status, 400);
}

TEST_F(OpenAiServerTest, BestOfReturnsTheMostLikelyChoices) {
  auto reply = FetchLater(
      Post("/v1/completions", R"({"prompt": ["a", "b"], "n": 2, "best_of": 3, "seed": 7})"));
  ASSERT_TRUE(engine_.WaitForRequests(6));
  EXPECT_EQ(engine_.request(2).sampling.seed, 9u);
  EXPECT_EQ(engine_.request(2).sampling.logprobs, 0);
  EXPECT_THAT(engine_.request(3).prompt, ElementsAre(256, 'b'));
  const float logprobs[] = {-3, -1, -2, -1, -1.5f, -0.5f};
  for (size_t index = 0; index < 6; ++index) {
    engine::EngineOutput output =
        LastStep({'0', '1'}, std::to_string(index), engine::FinishReason::kLength);
    output.logprobs = {{.token = '0', .logprob = logprobs[index]},
                       {.token = '1', .logprob = -0.1f}};
    engine_.Emit(index, output);
  }
  const boost::json::value json = parse(reply.get().body);
  const auto& choices = json.at("choices").as_array();
  ASSERT_EQ(choices.size(), 4u);
  const char* texts[] = {"1", "2", "5", "3"};
  for (int index = 0; index < 4; ++index) {
    EXPECT_EQ(choices[index].at("text"), texts[index]);
    EXPECT_EQ(choices[index].at("index"), index);
    EXPECT_TRUE(choices[index].at("logprobs").is_null()) << "none were asked for";
  }
  EXPECT_EQ(json.at("usage").at("prompt_tokens"), 10);
  EXPECT_EQ(json.at("usage").at("completion_tokens"), 8) << "of the choices returned, as in vLLM";
}

TEST_F(OpenAiServerTest, EchoPutsAnOpenMessageBeforeTheOutput) {
  auto reply = FetchLater(Post(
      "/v1/chat/completions",
      R"({"messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "I a"}],
          "continue_final_message": true, "echo": true})"));
  ASSERT_TRUE(engine_.WaitForRequests(1));
  engine_.Emit(0, LastStep({'m'}, "m", engine::FinishReason::kStop));
  EXPECT_EQ(parse(reply.get().body).at("choices").at(0).at("message").at("content"), "I am");
  reply = FetchLater(Post("/v1/chat/completions",
                          R"({"messages": [{"role": "user", "content": "hi"}], "echo": true})"));
  ASSERT_TRUE(engine_.WaitForRequests(2));
  engine_.Emit(1, LastStep({'m'}, "m", engine::FinishReason::kStop));
  EXPECT_EQ(parse(reply.get().body).at("choices").at(0).at("message").at("content"), "m")
      << "the last message is another's";
}

TEST_F(OpenAiServerTest, RefusesWhatTheInstanceDoesNotAllow) {
  const std::pair<const char*, const char*> refused[] = {
      {R"("priority": 3)", "priority must be 0 unless the instance runs with --scheduling-policy"},
      {R"("n": 2, "temperature": 0)", "n must be 1 when using greedy sampling, got 2"},
      {R"("best_of": 3, "temperature": 0)", "best_of must be 1 when using greedy sampling, got 3"},
      {R"("logprobs": 21)", "logprobs must be at most 20 here (--max-logprobs), got 21"},
      {R"("logprobs": -1)", "got -1, which means all"},
      {R"("prompt_logprobs": 21)", "prompt_logprobs must be at most 20"},
      {R"("bad_words": [" "])", "bad_words must have words of at least one token"},
      {R"("allowed_token_ids": [258])", "allowed_token_ids names token id 258"}};
  for (const auto& [field, message] : refused) {
    const http::Response response =
        Fetch(Post("/v1/completions", std::string(R"({"prompt": "a", )") + field + "}"));
    EXPECT_EQ(response.status, 400) << field;
    EXPECT_THAT(ErrorMessage(response), HasSubstr(message));
    EXPECT_THAT(std::string(field),
                HasSubstr(std::string(parse(response.body).at("error").at("param").as_string())));
  }
  const http::Response chat =
      Fetch(Post("/v1/chat/completions",
                 R"({"messages": [{"role": "user", "content": "hi"}], "logprobs": true,
               "top_logprobs": 21})"));
  EXPECT_THAT(ErrorMessage(chat), HasSubstr("top_logprobs must be at most 20"));
}

TEST_F(OpenAiServerTest, AllowsPrioritiesAndAllLogprobsWhereTheInstanceDoes) {
  server_->Stop(Clock::Real().Now());
  StartServer({}, /*generous=*/true);
  auto reply = FetchLater(Post("/v1/completions", R"({"prompt": "a", "priority": -3, "logprobs": -1,
                                  "prompt_logprobs": 30})"));
  ASSERT_TRUE(engine_.WaitForRequests(1));
  EXPECT_EQ(engine_.request(0).priority, -3);
  EXPECT_EQ(engine_.request(0).sampling.logprobs, 258);
  EXPECT_EQ(engine_.request(0).sampling.prompt_logprobs, 30);
  engine_.Emit(0, LastStep({'x'}, "x", engine::FinishReason::kStop));
  EXPECT_EQ(reply.get().status, 200);
}

TEST_F(OpenAiServerTest, AnErrorBeforeTheFirstOutputHasItsOwnStatus) {
  auto reply = FetchLater(Post("/v1/completions", R"({"prompt": "a", "stream": true})"));
  ASSERT_TRUE(engine_.WaitForRequests(1));
  engine::EngineOutput output = LastStep({}, "", engine::FinishReason::kError);
  output.error = absl::InternalError("the engine broke");
  engine_.Emit(0, output);
  const http::Response response = reply.get();
  EXPECT_EQ(response.status, 500);
  EXPECT_EQ(ErrorMessage(response), "the engine broke");
}

TEST_F(OpenAiServerTest, AnErrorWithinAStreamIsAnEvent) {
  auto reply = FetchLater(Post("/v1/completions", R"({"prompt": "a", "stream": true, "n": 2})"));
  ASSERT_TRUE(engine_.WaitForRequests(2));
  engine_.Emit(0, Step({'x'}, "x"));
  engine_.Emit(1, LastStep({}, "", engine::FinishReason::kAbort));
  const std::vector<std::string> events = Events(reply.get());
  ASSERT_EQ(events.size(), 3u);
  EXPECT_EQ(parse(events[1]).at("error").at("code"), 503);
  EXPECT_EQ(events[2], "[DONE]");
  EXPECT_TRUE(engine_.WaitForAbort(engine_.request(0).id));
}

TEST_F(OpenAiServerTest, AClientThatGoesAwayEndsAllItsSequences) {
  StreamTwoChoicesAndGoAway();
  EXPECT_TRUE(engine_.WaitForAbort(engine_.request(0).id));
  EXPECT_TRUE(engine_.WaitForAbort(engine_.request(1).id));
}

TEST_F(OpenAiServerTest, TheLogTellsWhatACancelledRequestCost) {
  const CapturedLog log;
  server_->Stop(Clock::Real().Now());
  StartServer({}, false, true);
  StreamTwoChoicesAndGoAway();
  for (size_t choice : {0, 1}) {
    ASSERT_TRUE(engine_.WaitForAbort(engine_.request(choice).id));
    EXPECT_THAT(log.text(), Not(HasSubstr("ended")));
    engine::EngineOutput last = LastStep({}, "", engine::FinishReason::kAbort);
    last.computed_prompt_tokens = 1;
    engine_.Emit(choice, last);
  }
  EXPECT_THAT(log.text(), HasSubstr("request r1: ended (cancelled) prompt_tokens=10 generated=4 "
                                    "cached=8 computed=2 "));
  server_->Stop(Clock::Real().Now());
}

TEST_F(OpenAiServerTest, TheLogTellsOnceThatAFieldIsNotKnown) {
  const CapturedLog log;
  server_->Stop(Clock::Real().Now());
  StartServer();
  for (int i = 0; i < 2; ++i) {
    auto reply =
        FetchLater(Post("/v1/completions", R"({"prompt": "a", "temprature": 0, "user": "me"})"));
    ASSERT_TRUE(engine_.WaitForRequests(i + 1));
    engine_.Emit(i, LastStep({'o'}, "o", engine::FinishReason::kLength));
    EXPECT_EQ(reply.get().status, 200);
  }
  EXPECT_THAT(log.text(), AllOf(HasSubstr("temprature"), HasSubstr("r1")));
  EXPECT_EQ(log.text().find("temprature"), log.text().rfind("temprature"));
  EXPECT_THAT(log.text(), Not(HasSubstr("user")));
  server_->Stop(Clock::Real().Now());
}

TEST_F(OpenAiServerTest, RefusalsOfTheEngineAreAnswered) {
  engine_.Refuse(absl::UnavailableError("the engine takes no more requests"));
  EXPECT_EQ(Fetch(Post("/v1/chat/completions", kChat)).status, 503);
}

TEST_F(OpenAiServerTest, BadRequestsAreAnsweredByName) {
  const http::Response not_json = Fetch(Post("/v1/completions", "{\"prompt\": "));
  EXPECT_EQ(not_json.status, 400);
  EXPECT_THAT(ErrorMessage(not_json), HasSubstr("not valid JSON"));
  const http::Response wrong_model =
      Fetch(Post("/v1/completions", R"({"prompt": "a", "model": "other"})"));
  EXPECT_EQ(wrong_model.status, 404);
  EXPECT_THAT(ErrorMessage(wrong_model),
              HasSubstr("`other` does not exist; model must be one of: m, alias"));
  const http::Response wrong_type =
      Fetch(Post("/v1/completions", R"({"prompt": "a", "top_p": "high"})"));
  EXPECT_EQ(wrong_type.status, 400);
  EXPECT_EQ(parse(wrong_type.body).at("error").at("param"), "top_p");
  EXPECT_EQ(Fetch(Post("/v1/completions", R"({"prompt": "a", "max_tokens": 63})")).status, 400);
}

TEST_F(OpenAiServerTest, TellsAboutItself) {
  EXPECT_EQ(parse(Get("/version").body),
            parse(R"({"version": "1.2", "kv_namespace": "model=m", "kv_role": "kv_consumer"})"));
  EXPECT_EQ(parse(Get("/load").body), parse(R"({"server_load": 3})"));
  EXPECT_EQ(Get("/ping").status, 200);
  const boost::json::value models = parse(Get("/v1/models").body);
  EXPECT_EQ(models.at("data").at(1).at("id"), "alias");
  EXPECT_EQ(models.at("data").at(1).at("max_model_len"), 64);
  EXPECT_EQ(parse(Get("/v1/models/alias").body).at("root"), "/models/m");
  AddCounter(metrics_, "things_total", "Things.").Increment();
  EXPECT_THAT(Get("/metrics").body, HasSubstr("things_total 1"));
}

TEST_F(OpenAiServerTest, HealthTellsThatItIsStopping) {
  EXPECT_EQ(Get("/health").status, 200);
  server_->BeginDrain();
  EXPECT_EQ(Get("/health").status, 503);
}

TEST_F(OpenAiServerTest, TokenizesAndBack) {
  EXPECT_EQ(parse(Fetch(Post("/tokenize", R"({"prompt": "ab", "return_token_strs": true})")).body),
            parse(R"({"count": 3, "max_model_len": 64, "tokens": [256, 97, 98],
                      "token_strs": ["<s>", "a", "b"]})"));
  const auto chat =
      parse(Fetch(Post("/tokenize", R"({"messages": [{"role": "user", "content": "x"}]})")).body);
  EXPECT_EQ(chat.at("count"), 17);
  EXPECT_EQ(parse(Fetch(Post("/detokenize", R"({"tokens": [256, 97]})")).body),
            parse(R"({"prompt": "<s>a"})"));
  EXPECT_EQ(Fetch(Post("/detokenize", R"({"tokens": [999]})")).status, 400);
}

TEST_F(OpenAiServerTest, AsksForTheApiKey) {
  server_->Stop(Clock::Real().Now());
  StartServer({"secret"});
  const http::Response refused = Get("/v1/models");
  EXPECT_EQ(refused.status, 401);
  EXPECT_EQ(parse(refused.body).at("error").at("type"), "AuthenticationError");
  EXPECT_EQ(refused.headers.Get("X-Request-Id"), "r1");
  http::ClientRequest request = Post("/v1/models", "");
  request.method = "GET";
  request.headers.Add("Authorization", "Bearer secret");
  EXPECT_EQ(Fetch(request).status, 200);
  EXPECT_EQ(Get("/health").status, 200);
}

}  // namespace
}  // namespace tandem::api

#include "proxy/proxy_server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <set>

#include "http/client.h"
#include "http/event_stream.h"
#include "http/testing/event.h"
#include "http/testing/listener.h"
#include "proxy/testing/fake_instance.h"

namespace tandem::proxy {
namespace {

using boost::json::object;
using boost::json::parse;
using boost::json::value;
using ::testing::AnyOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

/// A port of 127.0.0.1 on which nothing listens.
std::string DeadAddress() { return "127.0.0.1:" + std::to_string(http::Listener().port()); }

class ProxyServerTest : public testing::Test {
 protected:
  void Start(std::vector<std::string> prefillers, std::vector<std::string> decoders,
             ProxyOptions options = {}) {
    options.host = "127.0.0.1";
    options.port = 0;
    options.prefillers = std::move(prefillers);
    options.decoders = std::move(decoders);
    options.version = "1.2.3";
    auto proxy = ProxyServer::Start(options, registry_);
    ASSERT_TRUE(proxy.ok()) << proxy.status();
    proxy_ = *std::move(proxy);
  }

  std::string Url(const std::string& target) const {
    return "http://127.0.0.1:" + std::to_string(proxy_->port()) + target;
  }

  http::Response Post(const std::string& body, http::Headers headers = {},
                      const std::string& path = "/v1/completions") {
    auto response = client_->Fetch(
        {.method = "POST", .url = Url(path), .headers = std::move(headers), .body = body});
    EXPECT_TRUE(response.ok()) << response.status();
    return response.value_or(http::Response{.status = 0});
  }

  http::Response Get(const std::string& path) {
    auto response = client_->Fetch({.url = Url(path)});
    EXPECT_TRUE(response.ok()) << response.status();
    return response.value_or(http::Response{.status = 0});
  }

  /// The value of a metric without labels, or -1.
  double Metric(const std::string& name) {
    const std::string text = RenderMetrics(registry_);
    const size_t at = text.find("\n" + name + " ");
    return at == std::string::npos ? -1 : std::stod(text.substr(at + name.size() + 2));
  }

  /// Asks for `target` until `wanted` holds of the reply, for ten seconds at most.
  bool GetUntil(const std::string& target,
                const std::function<bool(const http::Response&)>& wanted) {
    const TimePoint deadline = Clock::Real().Now() + std::chrono::seconds(10);
    while (Clock::Real().Now() < deadline) {
      if (wanted(Get(target))) return true;
    }
    return false;
  }

  MetricRegistry registry_;
  std::unique_ptr<http::Client> client_ = http::Client::Create(1);
  std::unique_ptr<ProxyServer> proxy_;
};

/// A stream as its client reads it.
struct ReadStream {
  std::string text;
  std::set<std::string> ids;
  std::vector<std::string> others;  ///< Events without choices.
  bool has_token_ids = false;
};

ReadStream Read(const http::Response& response) {
  EXPECT_THAT(response.headers.Get("Content-Type").value_or(""), HasSubstr("text/event-stream"));
  ReadStream stream;
  http::EventParser parser;
  const auto read = [&stream](std::string_view data) {
    const std::string event(data);
    const value json = event == "[DONE]" ? value() : parse(event);
    if (!json.is_object() || !json.get_object().contains("choices")) {
      stream.others.push_back(event);
      return;
    }
    const object& choice = json.at("choices").at(0).as_object();
    stream.text += choice.at("text").as_string().c_str();
    stream.ids.insert(json.at("id").as_string().c_str());
    stream.has_token_ids |= choice.contains("token_ids");
  };
  EXPECT_TRUE(parser.Feed(response.body, read).ok());
  return stream;
}

TEST_F(ProxyServerTest, PrefillsAtOneAndDecodesAtTheOther) {
  FakeInstance prefiller, decoder;
  Start({prefiller.address()}, {decoder.address()});
  const http::Response response = Post(R"({"prompt":"hi","max_tokens":3})",
                                       {{"X-Request-Id", "r1"}, {"Authorization", "Bearer key"}});
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.headers.Get("X-Request-Id"), "r1");
  EXPECT_EQ(parse(response.body).at("choices").at(0).at("text"), "t1 t2 t3 ");

  ASSERT_THAT(prefiller.seen(), SizeIs(1));
  EXPECT_EQ(prefiller.seen()[0].body, parse(R"({"prompt":"hi","max_tokens":1,"stream":false,)"
                                            R"("kv_transfer_params":{"ret_first_tok":true}})"));
  ASSERT_THAT(decoder.seen(), SizeIs(1));
  EXPECT_EQ(decoder.seen()[0].body,
            parse(R"({"prompt":"hi","max_tokens":3,"kv_transfer_params":{"first_tok":1,)"
                  R"("committed_tokens":32,"namespace":"ns","stored_bytes":1024}})"));
  for (const auto* instance : {&prefiller, &decoder}) {
    EXPECT_EQ(instance->seen()[0].headers.Get("X-Request-Id"), "r1");
    EXPECT_EQ(instance->seen()[0].headers.Get("Authorization"), "Bearer key");
  }
  EXPECT_EQ(Metric("tandem_proxy_stored_bytes_total"), 1024);
}

TEST_F(ProxyServerTest, NamesARequestThatHasNoName) {
  FakeInstance prefiller, decoder;
  Start({prefiller.address()}, {decoder.address()});
  const std::string id = Post(R"({"prompt":"hi"})").headers.Get("X-Request-Id").value_or("");
  EXPECT_THAT(id, SizeIs(32));
  EXPECT_EQ(prefiller.seen().at(0).headers.Get("X-Request-Id"), id);
  EXPECT_EQ(decoder.seen().at(0).headers.Get("X-Request-Id"), id);
}

TEST_F(ProxyServerTest, StreamsWithoutTheTokenIdsItAskedFor) {
  FakeInstance prefiller, decoder;
  Start({prefiller.address()}, {decoder.address()});
  const ReadStream stream = Read(Post(R"({"prompt":"hi","max_tokens":4,"stream":true})"));
  EXPECT_EQ(stream.text, "t1 t2 t3 t4 ");
  EXPECT_FALSE(stream.has_token_ids);
  EXPECT_THAT(stream.others, ElementsAre("[DONE]"));
  EXPECT_EQ(decoder.seen().at(0).body.at("return_token_ids"), true);
}

TEST_F(ProxyServerTest, TakesTurnsAmongPrefillersAndAmongDecoders) {
  FakeInstance prefillers[2], decoders[3];
  Start({prefillers[0].address(), prefillers[1].address()},
        {decoders[0].address(), decoders[1].address(), decoders[2].address()});
  for (int i = 0; i < 6; ++i) Post(R"({"prompt":"hi"})");
  for (const FakeInstance& prefiller : prefillers) EXPECT_THAT(prefiller.seen(), SizeIs(3));
  for (const FakeInstance& decoder : decoders) EXPECT_THAT(decoder.seen(), SizeIs(2));
}

TEST_F(ProxyServerTest, ASessionKeepsItsPair) {
  FakeInstance prefillers[2], decoders[2];
  Start({prefillers[0].address(), prefillers[1].address()},
        {decoders[0].address(), decoders[1].address()}, {.session_header = "session-id"});
  for (int i = 0; i < 4; ++i) Post(R"({"prompt":"hi"})", {{"Session-Id", "one"}});
  EXPECT_EQ(prefillers[0].seen().size() * prefillers[1].seen().size(), 0u);
  EXPECT_EQ(decoders[0].seen().size() * decoders[1].seen().size(), 0u);
}

TEST_F(ProxyServerTest, WhatCannotBeSplitGoesWholeToTheDecoder) {
  FakeInstance prefiller, decoder;
  Start({prefiller.address()}, {decoder.address()});
  EXPECT_EQ(Post(R"({"prompt":"hi","n":2})").status, 200);
  EXPECT_THAT(prefiller.seen(), IsEmpty());
  EXPECT_EQ(decoder.seen().at(0).body, parse(R"({"prompt":"hi","n":2})"));
}

TEST_F(ProxyServerTest, AFirstTokenThatEndsTheRequestNeedsNoDecoder) {
  FakeInstance prefiller({.first_finish = "stop"});
  FakeInstance decoder;
  Start({prefiller.address()}, {decoder.address()});
  const http::Response whole = Post(R"({"prompt":"hi","max_tokens":9})");
  EXPECT_EQ(parse(whole.body).at("choices").at(0).at("text"), "t1 ");
  EXPECT_FALSE(parse(whole.body).as_object().contains("kv_transfer_params"));
  const ReadStream stream = Read(Post(R"({"prompt":"hi","max_tokens":9,"stream":true})"));
  EXPECT_EQ(stream.text, "t1 ");
  EXPECT_THAT(stream.others, ElementsAre("[DONE]"));
  EXPECT_THAT(decoder.seen(), IsEmpty());
}

TEST_F(ProxyServerTest, APrefillersErrorAboutTheRequestIsTheAnswer) {
  FakeInstance prefiller({.status = 404});
  FakeInstance decoder;
  Start({prefiller.address()}, {decoder.address()});
  const http::Response response = Post(R"({"prompt":"hi","model":"x"})");
  EXPECT_EQ(response.status, 404);
  EXPECT_THAT(response.body, HasSubstr("as the test wants"));
  EXPECT_THAT(decoder.seen(), IsEmpty());
}

TEST_F(ProxyServerTest, ADecodersErrorIsTheAnswer) {
  FakeInstance prefiller;
  FakeInstance decoder({.status = 500});
  Start({prefiller.address()}, {decoder.address()});
  EXPECT_EQ(Post(R"({"prompt":"hi"})").status, 500);
  EXPECT_EQ(Post(R"({"prompt":"hi","stream":true})").status, 500);
}

TEST_F(ProxyServerTest, WithoutAPrefillerTheDecoderDoesTheWholeJob) {
  FakeInstance decoder;
  Start({DeadAddress()}, {decoder.address()}, {.probe_interval = std::chrono::hours(1)});
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(parse(Post(R"({"prompt":"hi","max_tokens":2})").body).at("choices").at(0).at("text"),
              "t1 t2 ");
  }
  EXPECT_FALSE(decoder.seen().at(0).body.contains("kv_transfer_params"));
  // The first probe may have found out before the first request did.
  EXPECT_EQ(
      Metric("tandem_proxy_prefill_failures_total") + Metric("tandem_proxy_prefills_skipped_total"),
      2);
  EXPECT_GE(Metric("tandem_proxy_prefills_skipped_total"), 1);
}

TEST_F(ProxyServerTest, APrefillerThatFailsLeavesTheJobToTheDecoder) {
  FakeInstance prefiller({.status = 503});
  FakeInstance decoder;
  Start({prefiller.address()}, {decoder.address()});
  EXPECT_EQ(Post(R"({"prompt":"hi","max_tokens":2})").status, 200);
  EXPECT_EQ(Metric("tandem_proxy_prefill_failures_total"), 1);
}

TEST_F(ProxyServerTest, APrefillerThatIsSilentLeavesTheJobToTheDecoder) {
  FakeInstance prefiller({.silent = true});
  FakeInstance decoder;
  Start({prefiller.address()}, {decoder.address()},
        {.idle_timeout = std::chrono::milliseconds(20)});
  EXPECT_EQ(Post(R"({"prompt":"hi","max_tokens":2})").status, 200);
}

TEST_F(ProxyServerTest, ADecoderThatIsDownIsReplaced) {
  FakeInstance prefiller, decoder;
  Start({prefiller.address()}, {DeadAddress(), decoder.address()},
        {.probe_interval = std::chrono::hours(1)});
  for (int i = 0; i < 3; ++i) EXPECT_EQ(Post(R"({"prompt":"hi"})").status, 200);
  EXPECT_THAT(decoder.seen(), SizeIs(3));
}

TEST_F(ProxyServerTest, NoDecoderIsA503ThatSaysSo) {
  FakeInstance prefiller;
  const std::string dead = DeadAddress();
  Start({prefiller.address()}, {dead});
  const http::Response response = Post(R"({"prompt":"hi"})");
  EXPECT_EQ(response.status, 503);
  EXPECT_THAT(response.body, HasSubstr(dead));
}

TEST_F(ProxyServerTest, AnotherDecoderContinuesABrokenStream) {
  FakeInstance prefiller;
  FakeInstance breaking({.break_after = 2});
  FakeInstance decoder;
  Start({prefiller.address()}, {breaking.address(), decoder.address()});
  const ReadStream stream = Read(Post(R"({"prompt":"hi","max_tokens":5,"stream":true})"));
  EXPECT_EQ(stream.text, "t1 t2 t3 t4 t5 ");
  EXPECT_THAT(stream.ids, SizeIs(1));
  EXPECT_FALSE(stream.has_token_ids);
  EXPECT_THAT(stream.others, ElementsAre("[DONE]"));
  EXPECT_EQ(decoder.seen().at(0).body.at("kv_transfer_params").at("resume_tokens"), parse("[1,2]"));
  EXPECT_EQ(Metric("tandem_proxy_decoder_failovers_total"), 1);
  EXPECT_EQ(Metric("tandem_proxy_resumed_streams_total"), 1);
}

TEST_F(ProxyServerTest, AStreamThatBreaksBeforeItsFirstTokenBeginsAgain) {
  FakeInstance prefiller;
  FakeInstance breaking({.break_after = 0});
  FakeInstance decoder;
  Start({prefiller.address()}, {breaking.address(), decoder.address()});
  const ReadStream stream = Read(Post(R"({"prompt":"hi","max_tokens":2,"stream":true})"));
  EXPECT_EQ(stream.text, "t1 t2 ");
  EXPECT_FALSE(
      decoder.seen().at(0).body.at("kv_transfer_params").as_object().contains("resume_tokens"));
}

TEST_F(ProxyServerTest, AStreamThatNobodyCanContinueEndsWithAnError) {
  FakeInstance prefiller;
  FakeInstance breaking({.break_after = 2});
  Start({prefiller.address()}, {breaking.address()});
  for (const char* body : {R"({"prompt":"hi","max_tokens":5,"stream":true})",
                           R"({"prompt":"hi","max_tokens":5,"stream":true,"n":2})"}) {
    const ReadStream stream = Read(Post(body));
    EXPECT_EQ(stream.text, "t1 t2 ");
    EXPECT_THAT(stream.others, ElementsAre(HasSubstr("\"error\""), "[DONE]"));
  }
  EXPECT_EQ(Metric("tandem_proxy_broken_streams_total"), 2);
}

TEST_F(ProxyServerTest, AServerOfAnotherMakeContinuesNoStream) {
  FakeInstance prefiller;
  FakeInstance breaking({.break_after = 2});
  FakeInstance foreign({.cache_namespace = ""});
  Start({prefiller.address()}, {breaking.address(), foreign.address()},
        {.probe_interval = std::chrono::milliseconds(20)});
  ASSERT_TRUE(GetUntil("/health", [](const http::Response& response) {
    return response.body.find("\"foreign\":true") != std::string::npos;
  }));
  for (int i = 0; i < 2; ++i) {
    const ReadStream stream = Read(Post(R"({"prompt":"hi","max_tokens":3,"stream":true})"));
    EXPECT_THAT(stream.text, AnyOf("t1 t2 ", "t1 t2 t3 "));
  }
  ASSERT_THAT(foreign.seen(), SizeIs(1));
  EXPECT_FALSE(
      foreign.seen()[0].body.at("kv_transfer_params").as_object().contains("resume_tokens"));
}

TEST_F(ProxyServerTest, AStreamWithoutIdsIsNotContinued) {
  FakeInstance prefiller;
  FakeInstance breaking({.break_after = 2, .cache_namespace = ""});
  FakeInstance decoder;
  Start({prefiller.address()}, {breaking.address(), decoder.address()});
  const ReadStream stream = Read(Post(R"({"prompt":"hi","max_tokens":3,"stream":true})"));
  EXPECT_EQ(stream.text, "t1 t2 ");
  EXPECT_THAT(stream.others, ElementsAre(HasSubstr("\"error\""), "[DONE]"));
  EXPECT_THAT(decoder.seen(), IsEmpty());
}

TEST_F(ProxyServerTest, AClientThatLeavesEndsThePrefill) {
  FakeInstance prefiller({.silent = true});
  FakeInstance decoder;
  Start({prefiller.address()}, {decoder.address()});
  const auto call = client_->Start(
      {.method = "POST", .url = Url("/v1/completions"), .body = R"({"prompt":"hi"})"}, {});
  ASSERT_TRUE(prefiller.WaitForRequests(1));
  call->Cancel();
  EXPECT_TRUE(prefiller.WaitForLeaver());
  EXPECT_THAT(decoder.seen(), IsEmpty());
}

TEST_F(ProxyServerTest, AClientThatLeavesEndsTheDecode) {
  FakeInstance prefiller;
  FakeInstance decoder({.silent = true});
  Start({prefiller.address()}, {decoder.address()});
  const auto call = client_->Start(
      {.method = "POST", .url = Url("/v1/completions"), .body = R"({"prompt":"hi"})"}, {});
  ASSERT_TRUE(decoder.WaitForRequests(1));
  call->Cancel();
  EXPECT_TRUE(decoder.WaitForLeaver());
  EXPECT_EQ(Metric("tandem_proxy_disconnects_total"), 1);
}

TEST_F(ProxyServerTest, ForwardsOtherPathsToADecoder) {
  FakeInstance prefiller, decoder;
  Start({prefiller.address()}, {decoder.address()});
  const http::Response response = Post("{}", {}, "/tokenize?a=%20");
  EXPECT_EQ(response.status, 201);
  EXPECT_EQ(response.body, "POST /tokenize?a=%20 {}");
  EXPECT_EQ(response.headers.Get("X-Extra"), "kept");
}

TEST_F(ProxyServerTest, APrefillerListsTheModelsIfNoDecoderCan) {
  FakeInstance prefiller;
  Start({prefiller.address()}, {DeadAddress()});
  EXPECT_EQ(Get("/v1/models").body, "GET /v1/models ");
}

TEST_F(ProxyServerTest, HealthTellsWhoIsUp) {
  FakeInstance prefiller;
  auto decoder = std::make_unique<FakeInstance>();
  const int port = decoder->port();
  Start({prefiller.address()}, {decoder->address()},
        {.probe_interval = std::chrono::milliseconds(20)});
  EXPECT_TRUE(GetUntil("/health", [](const http::Response& response) {
    return response.status == 200 &&
           response.body.find("\"kv_namespace\":\"ns\"") != std::string::npos;
  }));
  decoder.reset();
  EXPECT_TRUE(
      GetUntil("/health", [](const http::Response& response) { return response.status == 503; }));
  FakeInstance restarted({}, port);
  EXPECT_TRUE(
      GetUntil("/health", [](const http::Response& response) { return response.status == 200; }));
  EXPECT_EQ(Post(R"({"prompt":"hi"})").status, 200);
}

TEST_F(ProxyServerTest, CountsHandOffsBetweenDifferentNamespaces) {
  FakeInstance prefiller({.cache_namespace = "a"});
  FakeInstance decoder({.cache_namespace = "b"});
  Start({prefiller.address()}, {decoder.address()});
  ASSERT_TRUE(GetUntil("/health", [](const http::Response& response) {
    return response.body.find("\"b\"") != std::string::npos;
  }));
  Post(R"({"prompt":"hi"})");
  EXPECT_EQ(Metric("tandem_proxy_namespace_mismatches_total"), 1);
}

TEST_F(ProxyServerTest, TellsItsVersionAndMetrics) {
  FakeInstance prefiller, decoder;
  Start({prefiller.address()}, {decoder.address()});
  EXPECT_EQ(Get("/version").body, R"({"version":"1.2.3"})");
  EXPECT_THAT(Get("/metrics").body, HasSubstr("tandem_proxy_hand_off_seconds_bucket"));
}

TEST_F(ProxyServerTest, StopLetsRequestsInFlightFinish) {
  FakeInstance prefiller, decoder;
  Start({prefiller.address()}, {decoder.address()});
  EXPECT_EQ(Post(R"({"prompt":"hi"})").status, 200);
  proxy_->Stop(Clock::Real().Now() + std::chrono::seconds(10));
  EXPECT_FALSE(client_->Fetch({.url = Url("/health")}).ok());
}

}  // namespace
}  // namespace tandem::proxy

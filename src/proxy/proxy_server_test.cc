#include "proxy/proxy_server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <map>
#include <set>
#include <thread>

#include "base/testing/captured_log.h"
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
using ::testing::AllOf;
using ::testing::AnyOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::Pair;
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

  /// Waits until one is known for a server of another make.
  void WaitForForeign() {
    ASSERT_TRUE(GetUntil("/health", [](const http::Response& response) {
      return response.body.find("\"foreign\":true") != std::string::npos;
    }));
  }

  /// Waits until something is wrong with the first of "prefillers" or "decoders": its state.
  object WaitForProblem(const std::string& role) {
    object state;
    EXPECT_TRUE(GetUntil("/health", [&](const http::Response& response) {
      state = parse(response.body).at(role).at(0).as_object();
      return state.at("problem") != "";
    }));
    return state;
  }

  /// Twenty probes take longer than the patience.
  static ProxyOptions Impatient() {
    return {.probe_interval = std::chrono::milliseconds(20),
            .probe_timeout = std::chrono::milliseconds(50),
            .patience = std::chrono::milliseconds(200)};
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
  std::string text;                  ///< Of all choices.
  std::map<int, std::string> texts;  ///< Of each.
  std::set<std::string> ids;
  std::vector<std::string> usage;
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
    if (const value* usage = json.get_object().if_contains("usage")) {
      stream.usage.push_back(boost::json::serialize(*usage));
    }
    if (json.at("choices").as_array().empty()) return;
    const object& choice = json.at("choices").at(0).as_object();
    stream.text += choice.at("text").as_string().c_str();
    stream.texts[choice.at("index").to_number<int>()] += choice.at("text").as_string().c_str();
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

TEST_F(ProxyServerTest, ANameThatInstancesWouldNotKeepIsReplacedForAll) {
  FakeInstance prefiller, decoder;
  Start({prefiller.address()}, {decoder.address()});
  const std::string sent = "a b\"c{}";
  const std::string id =
      Post(R"({"prompt":"hi"})", {{"X-Request-Id", sent}}).headers.Get("X-Request-Id").value_or("");
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
  FakeInstance prefiller({.status = 400});
  FakeInstance decoder;
  Start({prefiller.address()}, {decoder.address()});
  const http::Response response = Post(R"({"prompt":"hi","model":"x"})");
  EXPECT_EQ(response.status, 400);
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
  EXPECT_THAT(response.body, AllOf(HasSubstr(dead), HasSubstr("--decoder-port")));
}

TEST_F(ProxyServerTest, WhatServesNoCompletionsIsNoPrefiller) {
  FakeInstance metadata({.unfit = true});
  FakeInstance decoder;
  Start({metadata.address()}, {decoder.address()},
        {.probe_interval = std::chrono::milliseconds(20)});
  // Not even before it is known for what it is.
  EXPECT_EQ(Post(R"({"prompt":"hi","max_tokens":2})").status, 200);
  const object prefiller = WaitForProblem("prefillers");
  EXPECT_EQ(prefiller.at("up"), false);
  EXPECT_EQ(prefiller.at("foreign"), false);
  EXPECT_THAT(std::string(prefiller.at("problem").as_string()),
              AllOf(HasSubstr("--prefiller-host"), HasSubstr("--prefiller-port"),
                    HasSubstr(metadata.address()), HasSubstr("GET /v1/models answers 404"),
                    HasSubstr("expected")));
  EXPECT_EQ(Post(R"({"prompt":"hi","max_tokens":2})").status, 200);
  EXPECT_GE(Metric("tandem_proxy_prefills_skipped_total"), 1);
  // An instance there is taken at once.
  metadata.BecomeFit();
  EXPECT_TRUE(GetUntil("/health", [](const http::Response& response) {
    return parse(response.body).at("prefillers").at(0).at("up") == true;
  }));
}

TEST_F(ProxyServerTest, WhatServesNoCompletionsIsNoDecoder) {
  FakeInstance prefiller;
  FakeInstance metadata({.unfit = true});
  Start({prefiller.address()}, {metadata.address()},
        {.probe_interval = std::chrono::milliseconds(20)});
  WaitForProblem("decoders");
  EXPECT_EQ(Get("/health").status, 503);
  for (const char* body : {R"({"prompt":"hi"})", R"({"prompt":"hi","n":2,"stream":true})"}) {
    const http::Response response = Post(body);
    EXPECT_EQ(response.status, 503);
    EXPECT_THAT(response.body,
                AllOf(HasSubstr("--decoder-host"), HasSubstr("--decoder-port"),
                      HasSubstr(metadata.address()), HasSubstr("no inference instance")));
  }
}

TEST_F(ProxyServerTest, AProxyIsNoDecoder) {
  FakeInstance prefiller, decoder;
  Start({prefiller.address()}, {decoder.address()});
  const auto inner = std::move(proxy_);
  Start({prefiller.address()}, {"127.0.0.1:" + std::to_string(inner->port())});
  EXPECT_THAT(std::string(WaitForProblem("decoders").at("problem").as_string()),
              HasSubstr("it is a proxy"));
}

TEST_F(ProxyServerTest, SwappedAddressesAreTold) {
  FakeInstance consumer({.kv_role = "kv_consumer"});
  FakeInstance producer({.kv_role = "kv_producer"});
  Start({consumer.address()}, {producer.address()},
        {.probe_interval = std::chrono::milliseconds(20)});
  // Its reply tells the namespace, possibly before the first probe does.
  Post(R"({"prompt":"hi"})");
  const object prefiller = WaitForProblem("prefillers");
  EXPECT_EQ(prefiller.at("up"), true);
  EXPECT_THAT(std::string(prefiller.at("problem").as_string()),
              AllOf(HasSubstr("--prefiller-port"), HasSubstr(consumer.address()),
                    HasSubstr("kv_consumer"), HasSubstr("kv_both")));
  EXPECT_THAT(std::string(WaitForProblem("decoders").at("problem").as_string()),
              AllOf(HasSubstr("--decoder-port"), HasSubstr("kv_producer")));
  EXPECT_EQ(Post(R"({"prompt":"hi"})").status, 200);
}

TEST_F(ProxyServerTest, OneInstanceWithBothRolesSuitsBoth) {
  FakeInstance both({.kv_role = "kv_both"});
  Start({both.address()}, {both.address()});
  EXPECT_TRUE(GetUntil("/health", [](const http::Response& response) {
    const value health = parse(response.body);
    return health.at("prefillers").at(0).at("kv_role") == "kv_both" &&
           health.at("decoders").at(0).at("kv_role") == "kv_both";
  }));
  EXPECT_THAT(Get("/health").body, Not(HasSubstr("-port")));
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
    for (const auto& [choice, text] : stream.texts) EXPECT_EQ(text, "t1 t2 ") << choice;
    EXPECT_THAT(stream.others, ElementsAre(HasSubstr("\"error\""), "[DONE]"));
  }
  EXPECT_EQ(Metric("tandem_proxy_broken_streams_total"), 2);
}

TEST_F(ProxyServerTest, ChoicesOfABrokenStreamGoOnOneByOne) {
  FakeInstance prefiller, decoder;
  FakeInstance breaking({.break_after = 2});
  Start({prefiller.address()}, {breaking.address(), decoder.address()});
  const ReadStream stream =
      Read(Post(R"({"prompt":"hi","max_tokens":4,"stream":true,"n":3,"seed":0,)"
                R"("stream_options":{"include_usage":true}})"));
  EXPECT_THAT(stream.texts,
              ElementsAre(Pair(0, "t1 t2 t3 t4 "), Pair(1, "t1 t2 t3 "), Pair(2, "t1 t2 ")));
  EXPECT_THAT(stream.ids, SizeIs(1));
  EXPECT_FALSE(stream.has_token_ids);
  EXPECT_THAT(stream.others, ElementsAre("[DONE]"));
  EXPECT_THAT(stream.usage,
              ElementsAre(R"({"prompt_tokens":3,"completion_tokens":9,"total_tokens":12})"));
  // The last had ended.
  ASSERT_THAT(decoder.seen(), SizeIs(2));
  EXPECT_EQ(decoder.seen()[1].body,
            parse(R"({"prompt":"hi","max_tokens":4,"stream":true,"seed":1,)"
                  R"("stream_options":{"include_usage":true},"return_token_ids":true,)"
                  R"("kv_transfer_params":{"resume_tokens":[1,2]}})"));
  EXPECT_EQ(Metric("tandem_proxy_resumed_streams_total"), 1);
}

TEST_F(ProxyServerTest, PromptsOfABrokenStreamGoOnOneByOne) {
  FakeInstance prefiller, decoder;
  FakeInstance breaking({.break_after = 1});
  Start({prefiller.address()}, {breaking.address(), decoder.address()});
  const ReadStream stream =
      Read(Post(R"({"prompt":["hi","ho"],"max_tokens":2,"stream":true,"n":2})"));
  EXPECT_THAT(stream.texts, ElementsAre(Pair(0, "t1 t2 "), Pair(1, "t1 t2 "), Pair(2, "t1 t2 "),
                                        Pair(3, "t1 t2 ")));
  EXPECT_THAT(stream.others, ElementsAre("[DONE]"));
  ASSERT_THAT(decoder.seen(), SizeIs(4));
  EXPECT_EQ(decoder.seen()[1].body.at("prompt"), "hi");
  EXPECT_EQ(decoder.seen()[2].body.at("prompt"), "ho");
}

TEST_F(ProxyServerTest, ChoicesGoOnAtAThirdDecoderIfNeedBe) {
  FakeInstance prefiller, decoder;
  FakeInstance breaking[2]{FakeInstance({.break_after = 1}), FakeInstance({.break_after = 2})};
  Start({prefiller.address()}, {breaking[0].address(), breaking[1].address(), decoder.address()});
  const ReadStream stream = Read(Post(R"({"prompt":"hi","max_tokens":3,"stream":true,"n":2})"));
  EXPECT_THAT(stream.texts, ElementsAre(Pair(0, "t1 t2 t3 "), Pair(1, "t1 t2 t3 ")));
  EXPECT_THAT(stream.others, ElementsAre("[DONE]"));
}

TEST_F(ProxyServerTest, ChoicesThatNobodyCanContinueEndWithOneError) {
  FakeInstance prefiller;
  FakeInstance breaking({.break_after = 1});
  FakeInstance refusing({.resume_status = 400});
  Start({prefiller.address()}, {breaking.address(), refusing.address()});
  const ReadStream stream = Read(Post(R"({"prompt":"hi","max_tokens":3,"stream":true,"n":2})"));
  EXPECT_THAT(stream.texts, ElementsAre(Pair(0, "t1 "), Pair(1, "t1 ")));
  EXPECT_THAT(stream.others, ElementsAre(HasSubstr("cannot go on"), "[DONE]"));
}

TEST_F(ProxyServerTest, AStreamThatADrainingDecoderEndsGoesOnAtAnother) {
  FakeInstance prefiller;
  FakeInstance draining({.drain_after = 2});
  FakeInstance decoder;
  Start({prefiller.address()}, {draining.address(), decoder.address()});
  const ReadStream stream = Read(Post(R"({"prompt":"hi","max_tokens":5,"stream":true})"));
  EXPECT_EQ(stream.text, "t1 t2 t3 t4 t5 ");
  EXPECT_THAT(stream.others, ElementsAre("[DONE]"));
  EXPECT_EQ(decoder.seen().at(0).body.at("kv_transfer_params").at("resume_tokens"), parse("[1,2]"));
}

TEST_F(ProxyServerTest, AStreamThatTheOnlyDecoderEndsTellsWhy) {
  FakeInstance prefiller;
  FakeInstance draining({.drain_after = 2});
  Start({prefiller.address()}, {draining.address()});
  const ReadStream stream = Read(Post(R"({"prompt":"hi","max_tokens":5,"stream":true})"));
  EXPECT_EQ(stream.text, "t1 t2 ");
  EXPECT_THAT(stream.others, ElementsAre(HasSubstr("this instance is stopping"), "[DONE]"));
}

TEST_F(ProxyServerTest, WhatADrainingInstanceRefusesGoesToAnother) {
  FakeInstance draining({.status = 503});
  FakeInstance prefiller, decoder;
  Start({draining.address(), prefiller.address()}, {draining.address(), decoder.address()});
  EXPECT_EQ(parse(Post(R"({"prompt":"hi","max_tokens":2})").body).at("choices").at(0).at("text"),
            "t1 t2 ");
  EXPECT_THAT(draining.seen(), SizeIs(2));
  EXPECT_THAT(prefiller.seen(), SizeIs(1));
  EXPECT_TRUE(decoder.seen().at(0).body.contains("kv_transfer_params"));
}

TEST_F(ProxyServerTest, A503OfTheOnlyDecoderIsTheAnswer) {
  FakeInstance prefiller;
  FakeInstance draining({.status = 503});
  Start({prefiller.address()}, {draining.address()});
  const http::Response response = Post(R"({"prompt":"hi"})");
  EXPECT_EQ(response.status, 503);
  EXPECT_THAT(response.body, HasSubstr("as the test wants"));
}

TEST_F(ProxyServerTest, ARefusalToContinueMarksNobodyDown) {
  FakeInstance prefiller;
  FakeInstance breaking({.break_after = 2});
  FakeInstance refusing({.resume_status = 400});
  Start({prefiller.address()}, {breaking.address(), refusing.address()},
        {.probe_interval = std::chrono::hours(1)});
  const ReadStream stream = Read(Post(R"({"prompt":"hi","max_tokens":5,"stream":true})"));
  EXPECT_EQ(stream.text, "t1 t2 ");
  EXPECT_THAT(stream.others, ElementsAre(HasSubstr("cannot go on"), "[DONE]"));
  const value health = parse(Get("/health").body);
  EXPECT_EQ(health.at("decoders").at(0).at("up"), false);
  EXPECT_EQ(health.at("decoders").at(1).at("up"), true);
}

TEST_F(ProxyServerTest, AStreamOfADecoderThatStandsStillGoesOnAtAnother) {
  FakeInstance prefiller;
  FakeInstance hung({.pause_after = 2, .stands_still = true});
  FakeInstance decoder;
  Start({prefiller.address()}, {hung.address(), decoder.address()}, Impatient());
  const ReadStream stream = Read(Post(R"({"prompt":"hi","max_tokens":5,"stream":true})"));
  EXPECT_EQ(stream.text, "t1 t2 t3 t4 t5 ");
  EXPECT_THAT(stream.others, ElementsAre("[DONE]"));
  EXPECT_EQ(Metric("tandem_proxy_resumed_streams_total"), 1);
  EXPECT_TRUE(hung.WaitForLeaver());
}

TEST_F(ProxyServerTest, TheOnlyDecoderIsWaitedForWhileItStandsStill) {
  FakeInstance prefiller;
  FakeInstance hung({.pause_after = 2, .stands_still = true});
  Start({prefiller.address()}, {hung.address()}, Impatient());
  std::thread client([this] {
    const ReadStream stream = Read(Post(R"({"prompt":"hi","max_tokens":3,"stream":true})"));
    EXPECT_EQ(stream.text, "t1 t2 t3 ");
  });
  ASSERT_TRUE(hung.WaitForRequests(1));
  EXPECT_TRUE(
      GetUntil("/health", [](const http::Response& response) { return response.status == 503; }));
  // The prefiller is probed on, past the patience.
  EXPECT_TRUE(prefiller.WaitForProbes(20));
  hung.GoOn();
  client.join();
}

TEST_F(ProxyServerTest, AQuietStreamOfADecoderThatDrainsIsLeftAlone) {
  FakeInstance prefiller;
  FakeInstance draining({.pause_after = 2});
  FakeInstance decoder;
  Start({prefiller.address()}, {draining.address(), decoder.address()}, Impatient());
  std::thread client([this] {
    const ReadStream stream = Read(Post(R"({"prompt":"hi","max_tokens":3,"stream":true})"));
    EXPECT_EQ(stream.text, "t1 t2 t3 ");
  });
  ASSERT_TRUE(draining.WaitForRequests(1));
  draining.SetHealth(503);
  EXPECT_TRUE(GetUntil("/health", [](const http::Response& response) {
    return response.body.find("\"up\":false") != std::string::npos;
  }));
  EXPECT_TRUE(draining.WaitForProbes(20));
  draining.GoOn();
  client.join();
  EXPECT_THAT(decoder.seen(), IsEmpty());
}

TEST_F(ProxyServerTest, AServerOfAnotherMakeContinuesNoStream) {
  FakeInstance prefiller;
  FakeInstance breaking({.break_after = 2});
  FakeInstance foreign({.cache_namespace = ""});
  Start({prefiller.address()}, {breaking.address(), foreign.address()},
        {.probe_interval = std::chrono::milliseconds(20)});
  WaitForForeign();
  // Which of them is asked next depends on when the one that broke is probed again.
  size_t broken = 0, whole = 0;
  for (int i = 0; i < 100 && (broken == 0 || whole == 0); ++i) {
    const ReadStream stream = Read(Post(R"({"prompt":"hi","max_tokens":3,"stream":true})"));
    EXPECT_THAT(stream.text, AnyOf("t1 t2 ", "t1 t2 t3 "));
    ++(stream.text == "t1 t2 " ? broken : whole);
  }
  EXPECT_GT(broken, 0);
  EXPECT_GT(whole, 0);
  // It was asked for what it answered as a whole, never to go on with what broke.
  ASSERT_THAT(foreign.seen(), SizeIs(whole));
  EXPECT_FALSE(foreign.seen()[0].body.contains("kv_transfer_params"));
}

TEST_F(ProxyServerTest, ADecoderOfAnotherMakeGetsPromptAndFirstTokenAsIds) {
  FakeInstance prefiller;
  FakeInstance foreign({.cache_namespace = ""});
  Start({prefiller.address()}, {foreign.address()});
  WaitForForeign();
  const http::Response response = Post(R"({"prompt":"hi","max_tokens":4})");
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(foreign.seen().at(0).body, parse(R"({"prompt":[101,102,103,1],"max_tokens":3})"));
  const value reply = parse(response.body);
  EXPECT_EQ(reply.at("choices").at(0).at("text"), "t1 t2 t3 t4 ");
  EXPECT_EQ(reply.at("choices").at(0).at("finish_reason"), "length");
  EXPECT_EQ(reply.at("usage"), parse(R"({"prompt_tokens":3,"completion_tokens":4})"));
  EXPECT_EQ(Metric("tandem_proxy_upstream_hand_offs_total"), 1);
}

TEST_F(ProxyServerTest, AStreamOfADecoderOfAnotherMakeBeginsWithTheFirstToken) {
  FakeInstance prefiller;
  FakeInstance foreign({.pause_after = 1, .cache_namespace = ""});
  Start({prefiller.address()}, {foreign.address()});
  WaitForForeign();
  std::string body;
  http::Event first, ended;
  const auto call = client_->Start({.method = "POST",
                                    .url = Url("/v1/completions"),
                                    .body = R"({"prompt":[7,8],"max_tokens":3,"stream":true,)"
                                            R"("stream_options":{"include_usage":true}})"},
                                   {.on_body =
                                        [&](std::string_view part) {
                                          body += part;
                                          first.Set();
                                        },
                                    .on_end = [&](const absl::Status&) { ended.Set(); }});
  // It has come although the decoder is yet to produce its own.
  ASSERT_TRUE(first.Wait());
  foreign.GoOn();
  ASSERT_TRUE(ended.Wait());
  const ReadStream stream =
      Read({.headers = {{"Content-Type", "text/event-stream"}}, .body = body});
  EXPECT_EQ(stream.text, "t1 t2 t3 ");
  EXPECT_THAT(stream.ids, ElementsAre("whole"));
  EXPECT_FALSE(stream.has_token_ids);
  EXPECT_THAT(stream.usage, ElementsAre(R"({"prompt_tokens":2,"completion_tokens":3})"));
  EXPECT_THAT(foreign.seen().at(0).body.at("prompt"), parse("[7,8,1]"));
}

TEST_F(ProxyServerTest, AChatAtADecoderOfAnotherMakeStaysAChat) {
  FakeInstance prefiller;
  FakeInstance foreign({.cache_namespace = ""});
  Start({prefiller.address()}, {foreign.address()});
  WaitForForeign();
  const http::Response response =
      Post(R"({"messages":[{"role":"user","content":"hi"}],"max_completion_tokens":3})", {},
           "/v1/chat/completions");
  EXPECT_EQ(foreign.seen().at(0).path, "/v1/completions");
  const value reply = parse(response.body);
  EXPECT_EQ(reply.at("object"), "chat.completion");
  EXPECT_EQ(reply.at("choices").at(0).at("message"),
            parse(R"({"role":"assistant","content":"t1 t2 t3 "})"));
  // Without a limit it may go on to the end of the context, which the tokenizer tells.
  Post(R"({"messages":[{"role":"user","content":"hi"}]})", {}, "/v1/chat/completions");
  EXPECT_EQ(foreign.seen().at(1).body.at("max_tokens"), 6);
}

TEST_F(ProxyServerTest, WhatTheUpstreamFormCannotSayGoesWholeToADecoderOfAnotherMake) {
  FakeInstance prefiller;
  FakeInstance foreign({.cache_namespace = ""});
  Start({prefiller.address()}, {foreign.address()});
  WaitForForeign();
  const std::string body = R"({"prompt":"hi","max_tokens":2,"stop":["x"]})";
  EXPECT_EQ(parse(Post(body).body).at("choices").at(0).at("text"), "t1 t2 ");
  EXPECT_THAT(prefiller.seen(), SizeIs(1));
  EXPECT_EQ(foreign.seen().at(0).body, parse(body));
}

TEST_F(ProxyServerTest, ADecoderOfAnotherMakeIsReplacedAfterTheFirstToken) {
  FakeInstance prefiller;
  FakeInstance foreign({.break_after = 1, .cache_namespace = ""});
  FakeInstance decoder;
  Start({prefiller.address()}, {foreign.address(), decoder.address()});
  WaitForForeign();
  const ReadStream stream = Read(Post(R"({"prompt":"hi","max_tokens":3,"stream":true})"));
  EXPECT_EQ(stream.text, "t1 t2 t3 ");
  EXPECT_EQ(decoder.seen().at(0).body.at("kv_transfer_params").at("resume_tokens"), parse("[1]"));
}

TEST_F(ProxyServerTest, AnErrorOfADecoderOfAnotherMakeIsTheAnswer) {
  FakeInstance prefiller;
  FakeInstance foreign({.status = 404, .cache_namespace = ""});
  Start({prefiller.address()}, {foreign.address()});
  WaitForForeign();
  EXPECT_EQ(Post(R"({"prompt":"hi","stream":true})").status, 404);
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
  EXPECT_THAT(Get("/v1/models").body, HasSubstr(prefiller.address()));
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
  EXPECT_EQ(Get("/version").body, R"({"version":"1.2.3","role":"proxy"})");
  EXPECT_THAT(Get("/metrics").body, HasSubstr("tandem_proxy_hand_off_seconds_bucket"));
}

TEST_F(ProxyServerTest, StopTellsThoseWhoseTimeHasPassed) {
  const CapturedLog log;
  FakeInstance prefiller;
  FakeInstance decoder({.pause_after = 2});
  Start({prefiller.address()}, {decoder.address()});
  std::string streamed;
  http::Event begun, ended;
  const auto stream = client_->Start({.method = "POST",
                                      .url = Url("/v1/completions"),
                                      .body = R"({"prompt":"hi","max_tokens":3,"stream":true})"},
                                     {.on_body =
                                          [&](std::string_view part) {
                                            streamed += part;
                                            begun.Set();
                                          },
                                      .on_end =
                                          [&](const absl::Status& end) {
                                            EXPECT_TRUE(end.ok()) << end;
                                            ended.Set();
                                          }});
  ASSERT_TRUE(begun.Wait());
  proxy_->Stop(Clock::Real().Now() + std::chrono::milliseconds(50));
  ASSERT_TRUE(ended.Wait());
  const ReadStream read =
      Read({.headers = {{"Content-Type", "text/event-stream"}}, .body = streamed});
  EXPECT_EQ(read.text, "t1 t2 ");
  EXPECT_THAT(read.others,
              ElementsAre(AllOf(HasSubstr("\"error\""), HasSubstr("stopped")), "[DONE]"));
  EXPECT_TRUE(decoder.WaitForLeaver());
  proxy_.reset();
  EXPECT_EQ(Metric("tandem_proxy_disconnects_total"), 0);
  EXPECT_EQ(Metric("tandem_proxy_broken_streams_total"), 1);
  EXPECT_THAT(log.text(), AllOf(HasSubstr("this proxy stopped"), Not(HasSubstr("client left"))));
}

TEST_F(ProxyServerTest, StopAnswersThoseWhoWaitedInVain) {
  FakeInstance prefiller({.silent = true});
  FakeInstance decoder;
  Start({prefiller.address()}, {decoder.address()});
  std::thread client([this] {
    const http::Response response = Post(R"({"prompt":"hi"})", {{"X-Request-Id", "r1"}});
    EXPECT_EQ(response.status, 503);
    EXPECT_EQ(response.headers.Get("X-Request-Id"), "r1");
    EXPECT_THAT(response.body, HasSubstr("--shutdown-grace"));
  });
  ASSERT_TRUE(prefiller.WaitForRequests(1));
  proxy_->Stop(Clock::Real().Now() + std::chrono::milliseconds(50));
  client.join();
  EXPECT_TRUE(prefiller.WaitForLeaver());
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

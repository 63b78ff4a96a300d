#include "loadgen/serving_load.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <set>

#include "base/mutex.h"
#include "http/router.h"
#include "http/server.h"
#include "loadgen/serving_report.h"

namespace tandem::loadgen {
namespace {

using testing::HasSubstr;

/// Answers each prompt with two tokens, once as many requests wait as it is told to gather.
class SmallServer {
 public:
  explicit SmallServer(size_t gather) : gather_(gather) {
    router_.Add("GET", "/v1/models", [](http::Request, auto writer) {
      writer->Respond({.body = R"({"data":[{"id":"small"}]})"});
    });
    router_.Add("POST", "/v1/completions", [this](http::Request request, auto writer) {
      Take(request.body, std::move(writer));
    });
    auto server = http::Server::Start({.host = "127.0.0.1"}, [this](auto request, auto writer) {
      router_.Dispatch(std::move(request), std::move(writer));
    });
    EXPECT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
  }

  std::string url() const { return "http://127.0.0.1:" + std::to_string(server_->port()); }
  std::set<std::string> Prompts() {
    MutexLock lock(mutex_);
    return prompts_;
  }
  void Refuse() {
    MutexLock lock(mutex_);
    refuse_ = true;
  }

 private:
  using Writer = std::shared_ptr<http::ResponseWriter>;

  void Take(const std::string& body, Writer writer) {
    const auto document = boost::json::parse(body).as_object();
    MutexLock lock(mutex_);
    prompts_.insert(boost::json::serialize(document.at("prompt")));
    EXPECT_EQ(document.at("prompt").as_array().size(), 5u);
    EXPECT_EQ(document.at("model").as_string(), "small");
    EXPECT_EQ(document.at("max_tokens").as_int64(), 2);
    if (refuse_) {
      writer->Respond({.status = 503, .body = "full"});
      return;
    }
    waiting_.push_back(std::move(writer));
    if (waiting_.size() < gather_) return;
    for (const Writer& waiting : waiting_) {
      waiting->StartStream(200, {{"Content-Type", "text/event-stream"}});
      const std::string token = "data: {\"choices\":[{\"text\":\"a\"}]}\n\n";
      waiting->Write(token);
      waiting->Write(token);
      waiting->Write(
          "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":5,"
          "\"completion_tokens\":2}}\n\ndata: [DONE]\n\n");
      waiting->Finish();
    }
    waiting_.clear();
  }

  const size_t gather_;
  http::Router router_;
  Mutex mutex_;
  std::vector<Writer> waiting_ ABSL_GUARDED_BY(mutex_);
  std::set<std::string> prompts_ ABSL_GUARDED_BY(mutex_);
  bool refuse_ ABSL_GUARDED_BY(mutex_) = false;
  std::unique_ptr<http::Server> server_;
};

ServingLoadOptions Small(const SmallServer& server) {
  return {.url = server.url() + "/", .requests = 8, .input_tokens = 5, .output_tokens = 2};
}

TEST(ServingLoad, KeepsAsManyRequestsInFlightAsAsked) {
  SmallServer server(4);  // Fewer at a time would never be answered.
  const auto client = http::Client::Create(1);
  ServingLoad load(Small(server), *client);
  ASSERT_TRUE(load.Prepare().ok());
  const ServingResult result = load.Run(4);
  EXPECT_EQ(result.completed, 8) << result.first_error;
  EXPECT_EQ(result.failed, 0);
  EXPECT_EQ(result.prompt_tokens, 40);
  EXPECT_EQ(result.completion_tokens, 16);
  EXPECT_EQ(result.seconds_to_first_token.count(), 8u);
  EXPECT_EQ(result.seconds_between_tokens.count(), 8u);
  EXPECT_GT(result.seconds, 0);
  EXPECT_EQ(server.Prompts().size(), 8u);
}

TEST(ServingLoad, AsksTheSameAgainForTheSameSeedOnly) {
  SmallServer server(1);
  const auto client = http::Client::Create(1);
  ServingLoadOptions options = Small(server);
  for (const uint64_t seed : {1, 1, 2}) {
    options.seed = seed;
    ServingLoad load(options, *client);
    ASSERT_TRUE(load.Prepare().ok());
    EXPECT_EQ(load.Run(1).completed, 8);
  }
  EXPECT_EQ(server.Prompts().size(), 16u);
}

TEST(ServingLoad, CountsRefusals) {
  SmallServer server(1);
  server.Refuse();
  const auto client = http::Client::Create(1);
  ServingLoad load(Small(server), *client);
  ASSERT_TRUE(load.Prepare().ok());
  const ServingResult result = load.Run(2);
  EXPECT_EQ(result.completed, 0);
  EXPECT_EQ(result.failed, 8);
  EXPECT_EQ(result.first_error, "503: full");
}

TEST(ServingLoad, SaysThatNobodyAnswers) {
  const auto client = http::Client::Create(1);
  ServingLoad load({.url = "http://127.0.0.1:1"}, *client);
  EXPECT_FALSE(load.Prepare().ok());
}

TEST(ServingReport, TellsLatenciesAndThroughput) {
  ServingResult result{.concurrency = 4, .completed = 2, .failed = 1, .first_error = "503: full"};
  result.seconds = 2;
  result.prompt_tokens = 600;
  result.completion_tokens = 400;
  result.seconds_to_first_token.Add(0.5);
  result.seconds_between_tokens.Add(0.025);
  const std::string table = ServingTable({result});
  for (const char* text : {"500.0", "25.0", "200.0", "1 of 3 requests failed: 503: full"}) {
    EXPECT_THAT(table, HasSubstr(text));
  }
  const auto json = boost::json::parse(ServingJson({result})).as_array().at(0).as_object();
  EXPECT_EQ(json.at("ttft_p50_ms").as_double(), 500);
  EXPECT_EQ(json.at("itl_p99_ms").as_double(), 25);
  EXPECT_EQ(json.at("output_tokens_per_second").as_double(), 200);
  EXPECT_EQ(json.at("total_tokens_per_second").as_double(), 500);
}

}  // namespace
}  // namespace tandem::loadgen

#include "loadgen/serving_load.h"

#include <fmt/format.h>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <memory>
#include <random>
#include <utility>

#include "base/mutex.h"
#include "base/status.h"
#include "loadgen/token_stream.h"

namespace tandem::loadgen {
namespace {

/// Special tokens stand at the beginning of most vocabularies.
constexpr int kFirstToken = 256;

/// One load under way. Callbacks of several requests arrive on several threads.
class LoadRun {
 public:
  explicit LoadRun(int concurrency) { result_.concurrency = concurrency; }

  void Start(http::Client& client, http::ClientRequest request) {
    {
      MutexLock lock(mutex_);
      ++in_flight_;
    }
    // Callbacks of one request come one at a time.
    auto stream = std::make_shared<TokenStream>(Clock::Real().Now());
    auto refusal = std::make_shared<std::string>();
    auto status_code = std::make_shared<int>(0);
    client.Start(
        std::move(request),
        {.on_headers = [status_code](int status, const http::Headers&) { *status_code = status; },
         .on_body =
             [=](std::string_view part) {
               if (*status_code == 200) {
                 stream->Feed(part, Clock::Real().Now());
               } else {
                 refusal->append(part);
               }
             },
         .on_end =
             [=, this](const absl::Status& status) {
               stream->End(status);
               const bool refused = status.ok() && *status_code != 200;
               Finish(*stream,
                      refused ? fmt::format("{}: {}", *status_code, *refusal) : stream->error());
             }});
  }

  /// Waits until fewer than `limit` requests are in flight; false if that takes longer than `time`.
  bool WaitBelow(int limit, Duration time) {
    MutexLock lock(mutex_);
    return finished_.WaitUntil(
        mutex_, Clock::Real().Now() + time,
        [this, limit]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return in_flight_ < limit; });
  }

  ServingResult TakeResult(double seconds) {
    MutexLock lock(mutex_);
    result_.seconds = seconds;
    return std::move(result_);
  }

 private:
  void Finish(const TokenStream& stream, const std::string& error) {
    MutexLock lock(mutex_);
    --in_flight_;
    if (error.empty()) {
      ++result_.completed;
      result_.prompt_tokens += stream.prompt_tokens();
      result_.completion_tokens += stream.completion_tokens();
      result_.seconds_to_first_token.Add(stream.seconds_to_first_token());
      result_.seconds_between_tokens.Add(stream.gaps());
    } else {
      if (result_.failed++ == 0) result_.first_error = error;
    }
    finished_.NotifyAll();
  }

  Mutex mutex_;
  CondVar finished_;
  int in_flight_ ABSL_GUARDED_BY(mutex_) = 0;
  ServingResult result_ ABSL_GUARDED_BY(mutex_);
};

absl::StatusOr<std::string> FirstModel(const std::string& body) {
  boost::json::error_code failed;
  const boost::json::value document = boost::json::parse(body, failed);
  const boost::json::value* id = failed ? nullptr : document.find_pointer("/data/0/id", failed);
  if (id == nullptr || !id->is_string()) {
    return absl::UnavailableError("/v1/models lists no model; name one with --model");
  }
  return std::string(id->get_string());
}

}  // namespace

ServingLoad::ServingLoad(ServingLoadOptions options, http::Client& client)
    : options_(std::move(options)), client_(client) {
  while (options_.url.ends_with('/')) options_.url.pop_back();
}

absl::Status ServingLoad::Prepare() {
  if (!options_.model.empty()) return absl::OkStatus();
  ASSIGN_OR_RETURN(const http::Response response,
                   client_.Fetch({.url = options_.url + "/v1/models",
                                  .total_timeout = std::chrono::seconds(10)}));
  if (response.status != 200) {
    return absl::UnavailableError(
        fmt::format("{}/v1/models: {} {}", options_.url, response.status, response.body));
  }
  ASSIGN_OR_RETURN(options_.model, FirstModel(response.body));
  return absl::OkStatus();
}

std::string ServingLoad::RequestBody(uint64_t prompt_seed) const {
  std::mt19937_64 random(prompt_seed);
  std::uniform_int_distribution<int> token(kFirstToken, options_.vocabulary - 1);
  boost::json::array prompt;
  for (int i = 0; i < options_.input_tokens; ++i) prompt.push_back(token(random));
  return boost::json::serialize(boost::json::object{
      {"model", options_.model},
      {"prompt", std::move(prompt)},
      {"max_tokens", options_.output_tokens},
      {"temperature", 0},
      {"ignore_eos", true},
      {"stream", true},
      {"stream_options", {{"include_usage", true}}},
  });
}

ServingResult ServingLoad::Run(int concurrency) {
  LoadRun run(concurrency);
  std::seed_seq seeds{options_.seed, options_.seed >> 32, uint64_t(concurrency)};
  std::mt19937_64 prompt_seeds(seeds);
  const TimePoint start = Clock::Real().Now();
  for (int i = 0; i < options_.requests; ++i) {
    run.Start(client_, {.method = "POST",
                        .url = options_.url + "/v1/completions",
                        .headers = {{"Content-Type", "application/json"}},
                        .body = RequestBody(prompt_seeds()),
                        .idle_timeout = options_.request_timeout,
                        .total_timeout = options_.request_timeout});
    run.WaitBelow(concurrency, options_.request_timeout * 2);
  }
  // Every request ends by its own time limit.
  while (!run.WaitBelow(1, options_.request_timeout * 2)) {
  }
  return run.TakeResult(Seconds(Clock::Real().Now() - start));
}

}  // namespace tandem::loadgen

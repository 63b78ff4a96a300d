// What serving 16 streams takes besides the model: scheduler, sampler, tokenizer and HTTP, against
// the model's step. TANDEM_TEST_MODEL names the model; TANDEM_BENCH_THREADS, by default 2, compute.
//
// The server runs on a model that only waits, as long as the real one was measured to take: what
// its process computes is all but the model. The load comes from a process of its own.

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#include "api/server/openai_server.h"
#include "base/log.h"
#include "bench/idle_decoder.h"
#include "engine/engine_loop.h"
#include "loadgen/serving_load.h"
#include "model/model.h"
#include "model/testing/test_sequence.h"

namespace tandem {
namespace {

constexpr int kStreams = 16, kContext = 150, kRounds = 30;
constexpr int kPrompt = 86, kGenerated = 128;  // So that their middle is at kContext.
constexpr int kBlocks = 1'024, kLongest = 1'024;

double Median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<int64_t>(values.size()) / 2;
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

double ProcessorSeconds() {
  rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + 1e-6 * static_cast<double>(t.tv_usec);
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

/// A process that, told a port, asks it for the streams and ends, with 0 if all came whole. To be
/// made before there are threads.
class LoadProcess {
 public:
  LoadProcess() {
    int ends[2];
    if (pipe(ends) != 0 || (child_ = fork()) < 0) std::exit(2);
    if (child_ == 0) {
      int port = 0;
      close(ends[1]);
      if (read(ends[0], &port, sizeof(port)) != sizeof(port)) std::_Exit(2);
      std::_Exit(Load(port));
    }
    close(ends[0]);
    port_ = ends[1];
  }

  /// Whether it went well.
  bool Run(int port) const {
    int status = 1;
    return write(port_, &port, sizeof(port)) == sizeof(port) &&
           waitpid(child_, &status, 0) == child_ && status == 0;
  }

 private:
  static int Load(int port) {
    const std::unique_ptr<http::Client> client = http::Client::Create(1);
    loadgen::ServingLoad load({.url = "http://127.0.0.1:" + std::to_string(port),
                               .requests = kStreams,
                               .input_tokens = kPrompt,
                               .output_tokens = kGenerated,
                               .request_timeout = std::chrono::seconds(60)},
                              *client);
    return load.Prepare().ok() && load.Run(kStreams).completed == kStreams ? 0 : 1;
  }

  pid_t child_ = -1;
  int port_ = -1;
};

/// Seconds of the model's own step, the fastest of some.
double MeasureModel(const model::Model& model, int threads) {
  const auto decoder = model::Decoder::Load(model.config, *model.weights, threads).value();
  model::testing::TestPool pool(model.config, kStreams * (kContext + 16));
  const std::vector<int32_t> prompt(kContext, 300);
  const int32_t token = 42;
  std::vector<model::testing::TestSequence> sequences;
  std::vector<model::BatchSegment> segments;
  for (int i = 0; i < kStreams; ++i) {
    auto& sequence = sequences.emplace_back(pool, kContext + 1);
    sequence.Run(*decoder, prompt, model::TokenPath::kPrefill, model::LogitRows::kNone);
    segments.push_back(
        sequence.Next({&token, 1}, model::TokenPath::kDecode, model::LogitRows::kLast));
  }
  std::vector<double> seconds;
  for (int round = 0; round < kRounds; ++round) {
    const TimePoint start = Clock::Real().Now();
    decoder->Forward(segments, pool.kv());
    seconds.push_back(Seconds(Clock::Real().Now() - start));
  }
  return *std::min_element(seconds.begin(), seconds.end());
}

/// Seconds between the end of one step of the model and the start of the next.
class StepGaps {
 public:
  explicit StepGaps(double step_seconds) : step_seconds_(step_seconds) {}

  void Step(int rows) {
    const TimePoint start = Clock::Real().Now();
    if (last_rows_ == kStreams && rows == kStreams) gaps_.push_back(Seconds(start - end_));
    last_rows_ = rows;
    ++steps_;
    std::this_thread::sleep_for(std::chrono::duration<double>(step_seconds_));
    end_ = Clock::Real().Now();
  }

  const std::vector<double>& gaps() const { return gaps_; }
  int steps() const { return steps_; }

 private:
  const double step_seconds_;
  std::vector<double> gaps_;
  TimePoint end_;
  int last_rows_ = 0;
  int steps_ = 0;
};

int Main() {
  const LoadProcess load;
  StartLog("");
  const char* path = std::getenv("TANDEM_TEST_MODEL");
  const char* threads_text = std::getenv("TANDEM_BENCH_THREADS");
  const int threads = threads_text == nullptr ? 2 : std::atoi(threads_text);
  const auto model = model::OpenModel(path == nullptr ? "" : path);
  if (!model.ok()) {
    std::fprintf(stderr, "TANDEM_TEST_MODEL: %s\n", std::string(model.status().message()).c_str());
    return 2;
  }
  const double step = MeasureModel(*model, threads);

  StepGaps gaps(step);
  bench::IdleDecoder decoder(model->tokenizer->vocab_size(), kStreams,
                             [&](int rows) { gaps.Step(rows); });
  const auto kv = compute::KvPool::Create(bench::IdleDecoder::Layout(), kBlocks).value();
  MetricRegistry metrics;
  const auto engine = engine::EngineLoop::Start(
      {.model_name = "idle", .num_blocks = kBlocks, .max_model_len = kLongest}, decoder, kv,
      *model->tokenizer, nullptr, metrics, Clock::Real());
  const auto server =
      api::OpenAiServer::Start(
          {.http = {.host = "127.0.0.1", .port = 0, .threads = 2}, .log_requests = false},
          {.names = {"idle"}, .max_model_len = kLongest, .tokenizer = model->tokenizer.get()},
          *engine, metrics, Clock::Real())
          .value();
  const double before = ProcessorSeconds();
  if (!load.Run(server->port())) {
    std::fprintf(stderr, "the load failed\n");
    return 1;
  }
  const double processor = (ProcessorSeconds() - before) / gaps.steps();
  const TimePoint end = Clock::Real().Now();
  engine->Drain(end);
  server->Stop(end);

  const double gap = Median(gaps.gaps());
  std::printf(
      "a step of %d streams: the model %.2f ms on %d threads; between two of them %.3f ms, %.1f "
      "%%; "
      "all threads but the model's %.3f ms of processor time a step, %.1f %%\n",
      kStreams, step * 1e3, threads, gap * 1e3, 100 * gap / (gap + step), processor * 1e3,
      100 * processor / (processor + step));
  return 0;
}

}  // namespace
}  // namespace tandem

int main() { return tandem::Main(); }

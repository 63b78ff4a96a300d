#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <limits>
#include <string>
#include <vector>

#include "base/log.h"
#include "base/status.h"
#include "cli/accepted_value.h"
#include "cli/bench_store.h"
#include "cli/commands.h"
#include "cli/waiting_line.h"
#include "http/client.h"
#include "loadgen/machine_limits.h"
#include "loadgen/serving_load.h"
#include "loadgen/serving_report.h"
#include "loadgen/store_report.h"

namespace tandem::cli {
namespace {

constexpr std::chrono::seconds kLimitTime(1);

struct BenchFlags {
  loadgen::ServingLoadOptions serving;
  std::vector<int> concurrency = {1, 4, 16};
  BenchStoreOptions store;
  double pass_seconds = 0.5;
  bool json = false;
};

void AddServingFlags(CLI::App& app, BenchFlags& flags) {
  loadgen::ServingLoadOptions& serving = flags.serving;
  app.add_option("--url", serving.url, "of a proxy or an instance")->capture_default_str();
  app.add_option("--model", serving.model, "default: the first that the server lists");
  app.add_option("--concurrency", flags.concurrency, "requests in flight, such as 1,4,16")
      ->delimiter(',')
      ->transform(WholeNumber(1, 1024))
      ->capture_default_str();
  app.add_option("--requests", serving.requests, "for each concurrency")
      ->transform(WholeNumber(1, 1'000'000))
      ->capture_default_str();
  app.add_option("--input-tokens", serving.input_tokens, "of each prompt")
      ->transform(WholeNumber(1, 1'000'000))
      ->capture_default_str();
  app.add_option("--output-tokens", serving.output_tokens, "of each answer")
      ->transform(WholeNumber(1, 1'000'000))
      ->capture_default_str();
  app.add_option("--vocabulary", serving.vocabulary, "prompts are random ids of 256 to below this")
      ->transform(WholeNumber(257, 1'000'000))
      ->capture_default_str();
  app.add_option("--seed", serving.seed, "of the prompts")
      ->transform(WholeNumber(0, std::numeric_limits<int64_t>::max()))
      ->capture_default_str();
}

void AddStoreFlags(CLI::App& app, BenchFlags& flags) {
  BenchStoreOptions& store = flags.store;
  app.add_option("--master", store.master, "HOST:PORT; default: one for this measurement alone");
  app.add_option("--metadata,--metadata-server", store.metadata_server,
                 "http://HOST:8080/metadata, or P2PHANDSHAKE for none")
      ->capture_default_str();
  app.add_option("--local-hostname", store.hostname, "where other members reach this machine")
      ->capture_default_str();
  app.add_option("--protocol", store.protocol, "tcp or rdma")
      ->transform(OneOf({"tcp", "rdma"}))
      ->capture_default_str();
  app.add_option("--device-name", store.device_name, "RDMA devices, separated by commas");
  app.add_option("--segment-size", store.segment_bytes, "memory lent for the measurement")
      ->transform(ByteSize())
      ->capture_default_str();
  app.add_option("--object-sizes", store.load.object_bytes, "such as 4KB,1MB,14MB")
      ->delimiter(',')
      ->transform(ByteSize());
  app.add_option("--batch", store.load.batch, "keys in one call")
      ->transform(WholeNumber(1, 1'000'000))
      ->capture_default_str();
  app.add_option("--seconds", flags.pass_seconds, "of each measurement")
      ->transform(Number(0.01, 3600))
      ->capture_default_str();
}

void Print(const std::string& text) { std::printf("%s\n", text.c_str()); }

absl::Status BenchServe(const BenchFlags& flags) {
  const auto client = http::Client::Create(1);
  loadgen::ServingLoad load(flags.serving, *client);
  RETURN_IF_ERROR(load.Prepare());
  std::vector<loadgen::ServingResult> results;
  int failed = 0;
  for (const int concurrency : flags.concurrency) {
    results.push_back(load.Run(concurrency));
    failed += results.back().failed;
  }
  Print(flags.json ? loadgen::ServingJson(results) : loadgen::ServingTable(results));
  if (failed > 0) return absl::UnavailableError("some requests failed");
  return absl::OkStatus();
}

absl::StatusOr<loadgen::MachineLimits> MeasureLimits() {
  const WaitingLine line("measuring this machine");
  return loadgen::MeasureMachine(kLimitTime);
}

absl::Status BenchStoreAndMachine(BenchFlags flags) {
  flags.store.load.least_time =
      std::chrono::duration_cast<Duration>(std::chrono::duration<double>(flags.pass_seconds));
  ASSIGN_OR_RETURN(const auto figures, BenchStore(flags.store));
  ASSIGN_OR_RETURN(const auto limits, MeasureLimits());
  Print(flags.json ? loadgen::StoreJson(figures, limits)
                   : loadgen::StoreTable(figures) + loadgen::MachineTable(limits));
  return absl::OkStatus();
}

absl::Status BenchMachine(const BenchFlags& flags) {
  ASSIGN_OR_RETURN(const auto limits, MeasureLimits());
  Print(flags.json ? loadgen::StoreJson({}, limits) : loadgen::MachineTable(limits));
  return absl::OkStatus();
}

}  // namespace

int BenchCommand(const Arguments& arguments) {
  BenchFlags flags;
  CLI::App app("Measures a deployment, the store or this machine.", "tandem bench");
  CLI::App* serve = app.add_subcommand("serve", "latency and throughput of completions");
  AddServingFlags(*serve, flags);
  CLI::App* store = app.add_subcommand("store", "bandwidth of puts and gets, by each path");
  AddStoreFlags(*store, flags);
  CLI::App* machine = app.add_subcommand("machine", "what memory and loopback TCP allow");
  for (CLI::App* command : {serve, store, machine}) {
    command->add_flag("--json", flags.json, "print JSON instead of a table");
  }
  app.require_subcommand(1);
  try {
    app.parse(Arguments(arguments.rbegin(), arguments.rend()));
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }

  StartLog("");
  spdlog::set_level(spdlog::level::warn);
  const absl::Status status = serve->parsed()   ? BenchServe(flags)
                              : store->parsed() ? BenchStoreAndMachine(flags)
                                                : BenchMachine(flags);
  if (status.ok()) return 0;
  std::fprintf(stderr, "tandem bench: %s\n", std::string(status.message()).c_str());
  return absl::IsInvalidArgument(status) ? 2 : 1;
}

}  // namespace tandem::cli

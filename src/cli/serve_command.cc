#include <poll.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>

#include "base/log.h"
#include "base/repeated_warning.h"
#include "base/status.h"
#include "cli/commands.h"
#include "cli/instance.h"
#include "cli/listen_error.h"
#include "cli/ready_file.h"
#include "cli/serve_flags.h"
#include "cli/termination.h"
#include "http/server.h"

namespace tandem::cli {
namespace {

/// How long a store that does not answer is waited for at start: a master beside this process may
/// be starting as well.
constexpr Duration kJoinPatience = std::chrono::seconds(10);
constexpr int kJoinPauseMilliseconds = 250;
constexpr Duration kWarningPeriod = std::chrono::seconds(10);

absl::StatusOr<std::optional<SharedCacheConfig>> ReadSharedCache(const ServeOptions& options) {
  if (options.kv_transfer_config.empty()) return std::optional<SharedCacheConfig>();
  SharedCacheConfig config;
  absl::StatusOr<cache::KvTransferConfig> transfer =
      cache::KvTransferConfig::Parse(options.kv_transfer_config);
  if (!transfer.ok()) {
    return absl::InvalidArgumentError("--kv-transfer-config: " +
                                      std::string(transfer.status().message()));
  }
  config.transfer = *std::move(transfer);
  ASSIGN_OR_RETURN(config.lmcache, cache::LoadLmcacheConfig(cache::ReadEnvironment("LMCACHE_"),
                                                            config.transfer.lmcache_options));
  const char* seed = std::getenv("PYTHONHASHSEED");
  config.hash_seed = seed == nullptr ? "" : seed;
  return std::optional(std::move(config));
}

void LogOnce(const ServeOptions& options, const std::optional<SharedCacheConfig>& shared_cache) {
  for (const std::string& warning : options.warnings) spdlog::warn("{}", warning);
  if (!shared_cache) return;
  const auto& [transfer, lmcache, hash_seed] = *shared_cache;
  for (const std::string& note : transfer.notes) spdlog::info("{}", note);
  for (const std::string& warning : transfer.warnings) spdlog::warn("{}", warning);
  for (const std::string& note : lmcache.notes) spdlog::info("{}", note);
  for (const std::string& warning : lmcache.warnings) spdlog::warn("{}", warning);
  if (!lmcache.has_store()) {
    spdlog::warn("remote_url is not set (LMCACHE_CONFIG_FILE): there is no shared cache");
  }
}

/// Fails early if the address cannot be listened on: loading a model may take a while.
absl::Status CheckAddress(const ServeOptions& options) {
  const auto server =
      http::Server::Start({.host = options.host, .port = options.port},
                          [](http::Request, std::shared_ptr<http::ResponseWriter>) {});
  return server.ok() ? absl::OkStatus() : NameOtherAddresses(server.status());
}

bool SignalWithin(const Termination& termination, int milliseconds) {
  pollfd waited{termination.fd(), POLLIN, 0};
  return poll(&waited, 1, milliseconds) > 0;
}

/// Joins the store, trying again while it does not answer; Cancelled if a signal comes meanwhile.
absl::Status JoinStore(Instance& instance, const std::string& remote_url,
                       const Termination& termination, const Clock& clock) {
  const TimePoint deadline = clock.Now() + kJoinPatience;
  RepeatedWarning silence(clock, kWarningPeriod);
  while (true) {
    const absl::Status status = instance.JoinStore();
    const bool may_pass = absl::IsUnavailable(status) || absl::IsDeadlineExceeded(status);
    if (status.ok()) return status;
    if (!may_pass || clock.Now() >= deadline) {
      return absl::Status(status.code(), "cannot join the store of remote_url " + remote_url +
                                             ": " + std::string(status.message()));
    }
    silence.Say(fmt::format("the store of remote_url {} does not answer yet: {}", remote_url,
                            std::string(status.message())));
    if (SignalWithin(termination, kJoinPauseMilliseconds)) {
      return absl::CancelledError("stopped while joining the store");
    }
  }
}

absl::Status Start(Instance& instance, const ServeOptions& options,
                   const std::optional<SharedCacheConfig>& shared_cache,
                   const Termination& termination, const Clock& clock) {
  RETURN_IF_ERROR(instance.LoadModel());
  if (shared_cache) {
    RETURN_IF_ERROR(JoinStore(instance, shared_cache->lmcache.remote_url, termination, clock));
  }
  RETURN_IF_ERROR(instance.Serve());
  return WriteReadyFile(options.ready_file, {{"http", instance.port()}});
}

int Fail(const absl::Status& error, int exit_code) {
  std::fprintf(stderr, "tandem serve: %s\n", std::string(error.message()).c_str());
  return exit_code;
}

}  // namespace

int ServeCommand(const Arguments& arguments) {
  const std::variant<ServeOptions, int> parsed = ParseServeFlags(arguments);
  if (const int* exit_code = std::get_if<int>(&parsed)) return *exit_code;
  const ServeOptions& options = std::get<ServeOptions>(parsed);
  Termination termination;
  StartLog("");
  if (absl::Status status = SetLogLevel(options.log_level); !status.ok()) return Fail(status, 2);
  absl::StatusOr<std::optional<SharedCacheConfig>> shared_cache = ReadSharedCache(options);
  if (!shared_cache.ok()) return Fail(shared_cache.status(), 2);
  LogOnce(options, *shared_cache);
  if (absl::Status status = CheckAddress(options); !status.ok()) return Fail(status, 1);

  const Clock& clock = Clock::Real();
  Instance instance(options, *shared_cache, clock);
  const absl::Status status = Start(instance, options, *shared_cache, termination, clock);
  if (absl::IsCancelled(status)) return 0;
  if (!status.ok()) return Fail(status, absl::IsOutOfRange(status) ? 2 : 1);
  spdlog::info("serving {} on http://{}:{}", options.served_model_names.front(), options.host,
               instance.port());
  termination.Wait();
  termination.EndProcessAtNextSignal();
  spdlog::info("stopping: requests in flight may take {} s", options.shutdown_grace_seconds);
  instance.Stop(clock.Now() + std::chrono::seconds(options.shutdown_grace_seconds));
  spdlog::info("stopped");
  return 0;
}

}  // namespace tandem::cli

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <thread>

#include "absl/strings/match.h"
#include "base/log.h"
#include "base/status.h"
#include "cli/accepted_value.h"
#include "cli/commands.h"
#include "cli/listen_error.h"
#include "cli/ready_file.h"
#include "cli/termination.h"
#include "proxy/proxy_server.h"

namespace tandem::cli {
namespace {

using proxy::InstanceFlags;
using proxy::ProxyOptions;

struct ProxyFlags {
  ProxyOptions options;
  InstanceFlags prefillers{.role = "prefiller", .hosts = {"localhost"}, .ports = {8100}};
  InstanceFlags decoders{.role = "decoder", .hosts = {"localhost"}, .ports = {8200}};
  double idle_timeout = 60;
  double shutdown_grace = 30;
  std::string ready_file;
};

/// Flags of the LMCache proxy that say where KV is pushed: here it goes through the store.
constexpr const char* kMeaningless[] = {"--decoder-init-port", "--decoder-alloc-port",
                                        "--proxy-host", "--proxy-port"};

/// A thread can relay thousands of tokens a second; the instances need the processors more.
int DefaultThreads() {
  return std::clamp(static_cast<int>(std::thread::hardware_concurrency()) / 8, 1, 8);
}

void AddInstanceFlags(CLI::App& app, InstanceFlags& flags) {
  const std::string& role = flags.role;
  app.add_option("--" + role + "-host", flags.hosts, "host or comma-separated hosts")
      ->delimiter(',')
      ->capture_default_str();
  app.add_option("--" + role + "-port", flags.ports, "port or comma-separated ports")
      ->delimiter(',')
      ->transform(Port(1))
      ->capture_default_str();
  app.add_option("--num-" + role + "s", flags.count,
                 "with one host and port: so many ports, counted up from it")
      ->transform(WholeNumber(1, 65535));
}

void AddFlags(CLI::App& app, ProxyFlags& flags) {
  ProxyOptions& options = flags.options;
  options.threads = DefaultThreads();
  app.add_option("--host", options.host, "address to listen on")->capture_default_str();
  app.add_option("--port", options.port, "0 lets the system choose")
      ->transform(Port())
      ->capture_default_str();
  AddInstanceFlags(app, flags.prefillers);
  AddInstanceFlags(app, flags.decoders);
  app.add_option("--threads", options.threads)
      ->transform(WholeNumber(1, 1024))
      ->capture_default_str();
  app.add_option("--idle-timeout", flags.idle_timeout,
                 "seconds of silence in a stream after which its decoder counts as dead")
      ->transform(Number(0.001, kLongestSeconds))
      ->capture_default_str();
  app.add_option("--shutdown-grace", flags.shutdown_grace,
                 "seconds that requests in flight may take when stopping")
      ->transform(Number(0, kLongestSeconds))
      ->capture_default_str();
  app.add_option("--ready-file", flags.ready_file, "written with the port when the proxy serves");
  for (const char* name : kMeaningless) {
    app.add_option(name, "accepted for the LMCache proxy's sake; means nothing here")
        ->expected(1)
        ->each([name](const std::string& value) {
          spdlog::warn("{}={} means nothing here: instances exchange KV through the store", name,
                       value);
        });
  }
  app.footer(
      "CLIENT_BOUND=1 in the environment keeps requests of one session at one pair; the\n"
      "session is the header that CLIENT_BOUND_KEY names (session-id).");
}

Duration FromSeconds(double seconds) {
  return std::chrono::duration_cast<Duration>(std::chrono::duration<double>(seconds));
}

std::string Environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

std::string SessionHeader() {
  const std::string bound = Environment("CLIENT_BOUND");
  if (bound.empty() || bound == "0" || absl::EqualsIgnoreCase(bound, "false")) return "";
  const std::string key = Environment("CLIENT_BOUND_KEY");
  return key.empty() ? "session-id" : key;
}

absl::Status Resolve(ProxyFlags& flags) {
  ProxyOptions& options = flags.options;
  ASSIGN_OR_RETURN(options.prefillers, proxy::ListInstances(flags.prefillers));
  ASSIGN_OR_RETURN(options.decoders, proxy::ListInstances(flags.decoders));
  options.idle_timeout = FromSeconds(flags.idle_timeout);
  options.session_header = SessionHeader();
  options.version = TANDEM_VERSION;
  return absl::OkStatus();
}

int Fail(const absl::Status& error, int exit_code) {
  std::fprintf(stderr, "tandem proxy: %s\n", std::string(error.message()).c_str());
  return exit_code;
}

}  // namespace

int ProxyCommand(const Arguments& arguments) {
  ProxyFlags flags;
  CLI::App app("Sends each request to a prefiller, then to a decoder.", "tandem proxy");
  AddFlags(app, flags);
  StartLog("proxy");
  try {
    app.parse(std::vector<std::string>(arguments.rbegin(), arguments.rend()));
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  if (const absl::Status resolved = Resolve(flags); !resolved.ok()) return Fail(resolved, 2);

  Termination termination;
  MetricRegistry registry;
  auto proxy = proxy::ProxyServer::Start(flags.options, registry);
  if (!proxy.ok()) {
    const bool wrong_flags = absl::IsInvalidArgument(proxy.status());
    return Fail(NameOtherAddresses(proxy.status()), wrong_flags ? 2 : 1);
  }
  spdlog::info("serving on {}:{}, prefillers {}, decoders {}", flags.options.host, (*proxy)->port(),
               fmt::join(flags.options.prefillers, ","), fmt::join(flags.options.decoders, ","));
  if (const absl::Status told = WriteReadyFile(flags.ready_file, {{"http", (*proxy)->port()}});
      !told.ok()) {
    return Fail(told, 1);
  }
  termination.Wait();
  termination.EndProcessAtNextSignal();
  spdlog::info("stopping; requests in flight have {} s", flags.shutdown_grace);
  (*proxy)->Stop(Clock::Real().Now() + FromSeconds(flags.shutdown_grace));
  return 0;
}

}  // namespace tandem::cli

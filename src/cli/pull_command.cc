#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>

#include "cli/accepted_value.h"
#include "cli/commands.h"
#include "cli/pull_progress.h"
#include "cli/termination.h"
#include "model/hub/pull.h"

namespace tandem::cli {
namespace {

using model::hub::DownloadOptions;
using model::hub::PullOptions;

struct PullFlags {
  std::string model;
  PullOptions options;
  int retries = DownloadOptions().retry.attempts - 1;
  int lock_seconds = 3600;
};

void AddFlags(CLI::App& app, PullFlags& flags) {
  PullOptions& options = flags.options;
  app.add_option("MODEL", flags.model, "ORG/NAME or ORG/NAME@REVISION (a branch, tag or commit)")
      ->required();
  // One value each, so that MODEL may follow.
  app.add_option("--include", options.patterns.include,
                 "get the files that this pattern matches, such as '*Q4_K_M.gguf'; may be repeated "
                 "(default: what serving needs)")
      ->allow_extra_args(false);
  app.add_option("--exclude", options.patterns.exclude, "but not these; may be repeated")
      ->allow_extra_args(false);
  app.add_option("--connections", options.download.connections, "at a time")
      ->transform(WholeNumber(1, 64))
      ->capture_default_str();
  app.add_option("--range-size", options.download.range_bytes, "what one request asks for")
      ->transform(ByteSize(1))
      ->capture_default_str();
  app.add_option("--retries", flags.retries, "in a row that bring nothing")
      ->transform(WholeNumber(0, 100))
      ->capture_default_str();
  app.add_option("--lock-timeout", flags.lock_seconds,
                 "seconds to wait for another process that gets the same file")
      ->transform(WholeNumber(0, kLongestSeconds))
      ->capture_default_str();
  app.footer(
      "Environment: HF_HOME or HF_HUB_CACHE (where the cache is), HF_ENDPOINT, HF_TOKEN or the "
      "file\n"
      "HF_HOME/token, HF_HUB_OFFLINE=1 (only what is in the cache), HF_HUB_DOWNLOAD_TIMEOUT "
      "(seconds\n"
      "that a server may be silent), HTTPS_PROXY, SSL_CERT_FILE.\n"
      "A pull that was stopped or killed goes on where it stood.");
}

absl::StatusOr<std::string> Run(PullFlags& flags, PullProgressPrinter& printer) {
  const Termination termination;
  absl::StatusOr<model::hub::ModelReference> model = model::hub::ParseModelReference(flags.model);
  if (!model.ok()) return model.status();
  const auto environment = model::hub::ReadEnvironment();
  if (!environment.ok()) return environment.status();
  flags.options.model = *std::move(model);
  flags.options.stop_fd = termination.fd();
  return model::hub::Pull(flags.options, *environment, model::HubCache::FromEnvironment(), printer);
}

}  // namespace

int PullCommand(const Arguments& arguments) {
  PullFlags flags;
  CLI::App app("Gets a model from the hub into the hub's local cache.", "tandem pull");
  AddFlags(app, flags);
  try {
    app.parse(Arguments(arguments.rbegin(), arguments.rend()));
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  flags.options.download.retry.attempts = flags.retries + 1;
  flags.options.download.lock_wait = std::chrono::seconds(flags.lock_seconds);

  PullProgressPrinter printer(STDERR_FILENO, isatty(STDERR_FILENO) == 1, Clock::Real());
  const absl::StatusOr<std::string> snapshot = Run(flags, printer);
  printer.End();
  if (snapshot.ok()) {
    std::puts(snapshot->c_str());
    return 0;
  }
  if (absl::IsCancelled(snapshot.status())) {
    std::fputs("tandem pull: stopped; the same command goes on from here\n", stderr);
    return 1;
  }
  std::fprintf(stderr, "tandem pull: %s\n", std::string(snapshot.status().message()).c_str());
  return absl::IsInvalidArgument(snapshot.status()) ? 2 : 1;
}

}  // namespace tandem::cli

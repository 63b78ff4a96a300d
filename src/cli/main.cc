#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <string_view>

#include "cli/commands.h"

namespace tandem::cli {
namespace {

struct Command {
  std::string_view name;
  int (*run)(const Arguments& arguments);
  std::string_view summary;
};

constexpr Command kCommands[] = {
    {"master", MasterCommand, "the store's metadata service (also as mooncake_master)"},
    {"serve", ServeCommand, "an inference instance with the OpenAI API; takes vllm serve's flags"},
    {"proxy", ProxyCommand, "sends each request to a prefiller, then to a decoder"},
    {"pull", PullCommand, "gets a model from the hub into the local cache"},
    {"store", StoreCommand, "lends memory to the pool; put, get, ls, rm, stat on it"},
    {"bench", BenchCommand, "measures a deployment, the store or this machine"},
    {"up", UpCommand, "master, prefiller, decoder and proxy on this machine, supervised"},
};

void PrintUsage(std::FILE* out) {
  std::fputs("usage: tandem COMMAND [OPTIONS]    (tandem COMMAND --help tells the options)\n\n",
             out);
  for (const Command& command : kCommands) {
    std::fprintf(out, "  %-8s %s\n", command.name.data(), command.summary.data());
  }
}

int Dispatch(const Arguments& arguments) {
  if (arguments.empty()) {
    PrintUsage(stderr);
    return 2;
  }
  const std::string& name = arguments.front();
  if (name == "--help" || name == "-h" || name == "help") {
    PrintUsage(stdout);
    return 0;
  }
  if (name == "--version") {
    std::puts("tandem " TANDEM_VERSION);
    return 0;
  }
  for (const Command& command : kCommands) {
    if (name == command.name) return command.run({arguments.begin() + 1, arguments.end()});
  }
  std::fprintf(stderr, "tandem: unknown command '%s'\n\n", name.c_str());
  PrintUsage(stderr);
  return 2;
}

}  // namespace
}  // namespace tandem::cli

int main(int argc, char** argv) try {
  // gRPC's own log repeats in many words what the errors say; the variable still sets it.
  setenv("GRPC_VERBOSITY", "NONE", 0);
  const tandem::cli::Arguments arguments(argv + 1, argv + argc);
  if (std::filesystem::path(argv[0]).filename() == "mooncake_master") {
    return tandem::cli::MasterCommand(arguments);
  }
  return tandem::cli::Dispatch(arguments);
} catch (const std::exception& error) {
  std::fprintf(stderr, "tandem: %s\n", error.what());
  return 1;
}

#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "cli/commands.h"

namespace tandem::cli {

/// A flag of `vllm serve` that may stand on a command line without changing anything here.
struct HarmlessFlag {
  std::string_view name;  ///< "--swap-space"
  bool takes_value;
  std::string_view why;  ///< Why it has no effect.
};

std::span<const HarmlessFlag> HarmlessFlags();

/// A command line without its harmless flags.
struct SiftedArguments {
  Arguments arguments;                ///< Flags in their long form, with dashes for underscores.
  std::vector<std::string> warnings;  ///< One for each flag that was taken out.
};

/// Takes the harmless flags and their values out of `arguments`. `known` are the flags that are
/// left in; any other is an InvalidArgument that names the nearest. Flags may be written with
/// underscores and with their value behind an equals sign, as vLLM takes them.
absl::StatusOr<SiftedArguments> SiftArguments(const Arguments& arguments,
                                              const std::vector<std::string>& known);

}  // namespace tandem::cli

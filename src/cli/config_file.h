#pragma once

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "cli/gflags_parser.h"

namespace tandem::cli {

/// Sets the flags of `parser` that a YAML or JSON map from names of flags to values names and the
/// command line did not. InvalidArgument names the key, also one that comes twice, and what is
/// accepted; flags named before it are set.
absl::Status SetFlagsFrom(std::string_view text, GflagsParser& parser);

/// The same from the file that --config_path names. InvalidArgument begins with that flag and its
/// value, also where the file cannot be read or is larger than 1 MiB.
absl::Status ReadConfigFile(const std::string& path, GflagsParser& parser);

}  // namespace tandem::cli

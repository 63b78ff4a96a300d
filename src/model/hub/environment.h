#pragma once

#include <chrono>
#include <string>

#include "absl/status/statusor.h"

namespace tandem::model::hub {

/// Where the hub's tools keep their files: HF_HOME, else XDG_CACHE_HOME/huggingface, else
/// ~/.cache/huggingface. A leading "~/" stands for HOME.
std::string HomeDirectory();

/// The hub's local cache: HF_HUB_CACHE, else HUGGINGFACE_HUB_CACHE (its older name), else hub below
/// HomeDirectory().
std::string CacheDirectory();

/// How to reach the hub, under the names that its own tools read.
struct Environment {
  std::string endpoint;      ///< HF_ENDPOINT, without a slash at its end.
  std::string token;         ///< HF_TOKEN, else what the file HF_TOKEN_PATH or HF_HOME/token holds.
  bool offline = false;      ///< HF_HUB_OFFLINE or TRANSFORMERS_OFFLINE: nothing may be asked for.
  std::string certificates;  ///< SSL_CERT_FILE: whom to trust instead of the system's authorities.
  /// HF_HUB_DOWNLOAD_TIMEOUT: how long a server may send nothing before the connection is given up.
  std::chrono::seconds silence_limit{30};
};

/// InvalidArgument names the variable, its value and what is accepted; other errors tell why the
/// file with the token cannot be read.
absl::StatusOr<Environment> ReadEnvironment();

}  // namespace tandem::model::hub

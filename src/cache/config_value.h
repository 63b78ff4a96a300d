#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace tandem::cache {

/// One option as it was written: in a YAML file, in the environment or on the command line.
struct ConfigValue {
  enum class Shape { kScalar, kList, kMap };

  std::string name;    ///< "chunk_size", "extra_config.protocol"
  std::string text;    ///< The scalar without quotes, or the source of a list or map.
  std::string origin;  ///< "config.yaml:3", "environment LMCACHE_CHUNK_SIZE"
  Shape shape = Shape::kScalar;

  /// InvalidArgument: "<origin>: <name>: '<text>' is not accepted; it takes <accepted>".
  absl::Status Refuse(std::string_view accepted) const;
};

/// Each reads a value as one type; InvalidArgument says what is accepted.
absl::StatusOr<bool> AsBool(const ConfigValue& value);
absl::StatusOr<int64_t> AsInteger(const ConfigValue& value, int64_t least, int64_t most);
absl::StatusOr<double> AsNumber(const ConfigValue& value, double least, double most);
/// A number of bytes, or a number with kb, mb, gb or tb (powers of 1024), or as kib, k and so on.
absl::StatusOr<uint64_t> AsByteSize(const ConfigValue& value);
absl::StatusOr<std::string> AsText(const ConfigValue& value);

/// The options of a YAML map. Those below its key `extra_config` are named "extra_config.<key>";
/// values that are null are left out. `source` names the text in errors ("<source>:<line>").
absl::StatusOr<std::vector<ConfigValue>> ParseYamlOptions(std::string_view yaml,
                                                          const std::string& source);

/// The options that one setting `name: yaml` stands for: one, or several for a map `extra_config`.
absl::StatusOr<std::vector<ConfigValue>> ParseYamlOption(const std::string& name,
                                                         std::string_view yaml,
                                                         const std::string& origin);

}  // namespace tandem::cache

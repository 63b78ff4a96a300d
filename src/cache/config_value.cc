#include "cache/config_value.h"

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include <charconv>
#include <cmath>
#include <limits>
#include <map>
#include <optional>

#include "absl/strings/ascii.h"
#include "base/byte_size.h"
#include "base/status.h"

namespace tandem::cache {
namespace {

constexpr char kExtraConfig[] = "extra_config";
constexpr size_t kMaxYamlBytes = size_t{1} << 20;

ConfigValue FromNode(std::string name, const YAML::Node& node, std::string origin) {
  ConfigValue value{std::move(name), "", std::move(origin), ConfigValue::Shape::kScalar};
  if (node.IsScalar()) {
    value.text = node.Scalar();
    return value;
  }
  value.shape = node.IsMap() ? ConfigValue::Shape::kMap : ConfigValue::Shape::kList;
  value.text = node.IsMap() ? "{...}" : "[...]";
  return value;
}

absl::StatusOr<std::string> KeyOf(const YAML::Node& key, const std::string& origin) {
  if (key.IsScalar()) return key.Scalar();
  return absl::InvalidArgumentError(
      fmt::format("{}: a key is a list or a map; the names of options are accepted", origin));
}

std::string OriginOf(const YAML::Node& node, const std::string& source) {
  return fmt::format("{}:{}", source, node.Mark().line + 1);
}

/// Where each key of a map stands. YAML leaves open which of two equal ones counts.
class Keys {
 public:
  absl::Status Add(const std::string& name, const std::string& origin) {
    const auto [first, is_new] = first_.emplace(name, origin);
    if (is_new) return absl::OkStatus();
    return absl::InvalidArgumentError(
        fmt::format("{}: {} is there twice, first at {}; a map takes each key once", origin, name,
                    first->second));
  }

 private:
  std::map<std::string, std::string> first_;
};

absl::Status AppendOption(const std::string& name, const YAML::Node& node,
                          const std::string& origin, const std::string& source,
                          std::vector<ConfigValue>* options) {
  if (node.IsNull() || !node.IsDefined()) return absl::OkStatus();
  if (name != kExtraConfig) {
    options->push_back(FromNode(name, node, origin));
    return absl::OkStatus();
  }
  if (!node.IsMap()) return FromNode(name, node, origin).Refuse("a map of options");
  Keys keys;
  for (const auto& entry : node) {
    const std::string entry_origin = source.empty() ? origin : OriginOf(entry.first, source);
    ASSIGN_OR_RETURN(const std::string key, KeyOf(entry.first, entry_origin));
    const std::string full_name = fmt::format("{}.{}", kExtraConfig, key);
    RETURN_IF_ERROR(keys.Add(full_name, entry_origin));
    if (entry.second.IsNull()) continue;
    options->push_back(FromNode(full_name, entry.second, entry_origin));
  }
  return absl::OkStatus();
}

absl::Status TooLong(const std::string& source, size_t size) {
  return absl::InvalidArgumentError(
      fmt::format("{}: {} bytes; at most {} are accepted", source, size, kMaxYamlBytes));
}

template <typename Number>
bool ParseNumber(std::string_view text, Number* number) {
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, *number);
  return error == std::errc() && stop == end;
}

std::string Bound(double value) {
  return std::abs(value) < 1e15 ? fmt::format("{}", value) : "any";
}

}  // namespace

absl::Status ConfigValue::Refuse(std::string_view accepted) const {
  return absl::InvalidArgumentError(
      fmt::format("{}: {}: '{}' is not accepted; it takes {}", origin, name, text, accepted));
}

absl::StatusOr<bool> AsBool(const ConfigValue& value) {
  const std::string text = absl::AsciiStrToLower(value.text);
  if (value.shape == ConfigValue::Shape::kScalar) {
    if (text == "true" || text == "yes" || text == "on" || text == "1") return true;
    if (text == "false" || text == "no" || text == "off" || text == "0") return false;
  }
  return value.Refuse("true or false");
}

absl::StatusOr<int64_t> AsInteger(const ConfigValue& value, int64_t least, int64_t most) {
  int64_t number = 0;
  if (value.shape == ConfigValue::Shape::kScalar && ParseNumber(value.text, &number) &&
      number >= least && number <= most) {
    return number;
  }
  return value.Refuse(most == std::numeric_limits<int64_t>::max()
                          ? fmt::format("a whole number of at least {}", least)
                          : fmt::format("a whole number from {} to {}", least, most));
}

absl::StatusOr<double> AsNumber(const ConfigValue& value, double least, double most) {
  double number = 0;
  if (value.shape == ConfigValue::Shape::kScalar && ParseNumber(value.text, &number) &&
      number >= least && number <= most) {
    return number;
  }
  return value.Refuse(fmt::format("a number from {} to {}", Bound(least), Bound(most)));
}

absl::StatusOr<uint64_t> AsByteSize(const ConfigValue& value) {
  if (value.shape == ConfigValue::Shape::kScalar) {
    if (const std::optional<uint64_t> bytes = ParseByteSize(value.text)) return *bytes;
  }
  return value.Refuse(kByteSizes);
}

absl::StatusOr<std::string> AsText(const ConfigValue& value) {
  if (value.shape != ConfigValue::Shape::kScalar) return value.Refuse("text");
  return value.text;
}

absl::StatusOr<std::vector<ConfigValue>> ParseYamlOptions(std::string_view yaml,
                                                          const std::string& source) {
  if (yaml.size() > kMaxYamlBytes) return TooLong(source, yaml.size());
  std::vector<ConfigValue> options;
  try {
    const YAML::Node root = YAML::Load(std::string(yaml));
    if (!root.IsDefined() || root.IsNull()) return options;
    if (!root.IsMap()) {
      return absl::InvalidArgumentError(fmt::format(
          "{}: not a map; lines of 'option: value' are accepted", OriginOf(root, source)));
    }
    Keys keys;
    for (const auto& entry : root) {
      const std::string origin = OriginOf(entry.first, source);
      ASSIGN_OR_RETURN(const std::string name, KeyOf(entry.first, origin));
      RETURN_IF_ERROR(keys.Add(name, origin));
      RETURN_IF_ERROR(AppendOption(name, entry.second, origin, source, &options));
    }
  } catch (const YAML::Exception& error) {
    return absl::InvalidArgumentError(fmt::format(
        "{}:{}:{}: not YAML: {}", source, error.mark.line + 1, error.mark.column + 1, error.msg));
  }
  return options;
}

absl::StatusOr<std::vector<ConfigValue>> ParseYamlOption(const std::string& name,
                                                         std::string_view yaml,
                                                         const std::string& origin) {
  if (yaml.size() > kMaxYamlBytes) return TooLong(origin, yaml.size());
  std::vector<ConfigValue> options;
  try {
    RETURN_IF_ERROR(AppendOption(name, YAML::Load(std::string(yaml)), origin, "", &options));
  } catch (const YAML::Exception& error) {
    return absl::InvalidArgumentError(
        fmt::format("{}: {}: '{}' is not YAML: {}", origin, name, yaml, error.msg));
  }
  return options;
}

}  // namespace tandem::cache

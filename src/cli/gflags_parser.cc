#include "cli/gflags_parser.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_join.h"
#include "base/edit_distance.h"
#include "base/status.h"

namespace tandem::cli {
namespace {

std::optional<bool> ParseBool(const std::string& text) {
  const std::string lower = absl::AsciiStrToLower(text);
  for (const char* yes : {"true", "t", "yes", "y", "1", "on"}) {
    if (lower == yes) return true;
  }
  for (const char* no : {"false", "f", "no", "n", "0", "off"}) {
    if (lower == no) return false;
  }
  return std::nullopt;
}

std::optional<int64_t> ParseInt(const std::string& text, int64_t least, int64_t most) {
  int64_t value = 0;
  if (!absl::SimpleAtoi(text, &value) || value < least || value > most) return std::nullopt;
  return value;
}

std::optional<int64_t> ParseMilliseconds(const std::string& text, int64_t most) {
  std::string trimmed = text;
  absl::StripAsciiWhitespace(&trimmed);
  const size_t digits = std::min(trimmed.find_first_not_of("0123456789"), trimmed.size());
  std::string unit = absl::AsciiStrToLower(trimmed.substr(digits));
  absl::StripLeadingAsciiWhitespace(&unit);
  int64_t scale = 1;
  if (unit == "s") {
    scale = 1000;
  } else if (unit == "m") {
    scale = 60 * 1000;
  } else if (unit == "h") {
    scale = 60 * 60 * 1000;
  } else if (!unit.empty() && unit != "ms") {
    return std::nullopt;
  }
  const auto count = ParseInt(trimmed.substr(0, digits), 0, most / scale);
  if (!count) return std::nullopt;
  return *count * scale;
}

}  // namespace

std::string NormalizedFlag(std::string_view name) {
  std::string normalized(name);
  std::replace(normalized.begin(), normalized.end(), '-', '_');
  return normalized;
}

void GflagsParser::Add(const std::string& name, Flag flag) {
  flag.default_text = flag.print();
  flags_.emplace(name, std::move(flag));
}

void GflagsParser::AddBool(const std::string& name, bool* value, const std::string& help) {
  const auto set = [value](const std::string& text) {
    const std::optional<bool> parsed = ParseBool(text);
    if (parsed) *value = *parsed;
    return parsed.has_value();
  };
  Add(name, {set, [value] { return std::string(*value ? "true" : "false"); }, "true or false", help,
             true});
}

void GflagsParser::AddInt(const std::string& name, int64_t least, int64_t most, int64_t* value,
                          const std::string& help) {
  const auto set = [=](const std::string& text) {
    const std::optional<int64_t> parsed = ParseInt(text, least, most);
    if (parsed) *value = *parsed;
    return parsed.has_value();
  };
  Add(name, {set, [value] { return std::to_string(*value); },
             fmt::format("a whole number {} to {}", least, most), help});
}

void GflagsParser::AddMilliseconds(const std::string& name, int64_t most, int64_t* value,
                                   const std::string& help) {
  const auto set = [=](const std::string& text) {
    const std::optional<int64_t> parsed = ParseMilliseconds(text, most);
    if (parsed) *value = *parsed;
    return parsed.has_value();
  };
  Add(name,
      {set, [value] { return std::to_string(*value); },
       fmt::format(
           "a time in whole ms, s, m or h (ms where none is named), in milliseconds 0 to {}", most),
       help});
}

void GflagsParser::AddPort(const std::string& name, int* value, const std::string& help) {
  const auto set = [=](const std::string& text) {
    const std::optional<int64_t> parsed = ParseInt(text, 0, 65535);
    if (parsed) *value = static_cast<int>(*parsed);
    return parsed.has_value();
  };
  Add(name, {set, [value] { return std::to_string(*value); }, "a port number 0 to 65535", help});
}

void GflagsParser::AddDouble(const std::string& name, double least, double most, double* value,
                             const std::string& help) {
  const auto set = [=](const std::string& text) {
    double parsed = 0;
    if (!absl::SimpleAtod(text, &parsed) || !(parsed >= least && parsed <= most)) return false;
    *value = parsed;
    return true;
  };
  Add(name, {set, [value] { return fmt::format("{}", *value); },
             fmt::format("a number {} to {}", least, most), help});
}

void GflagsParser::AddString(const std::string& name, std::string* value, const std::string& help) {
  const auto set = [value](const std::string& text) {
    *value = text;
    return true;
  };
  Add(name, {set, [value] { return fmt::format("\"{}\"", *value); }, "a text", help});
}

void GflagsParser::AddChoice(const std::string& name, const std::vector<std::string>& choices,
                             std::string* value, const std::string& help) {
  const auto set = [=](const std::string& text) {
    if (std::find(choices.begin(), choices.end(), text) == choices.end()) return false;
    *value = text;
    return true;
  };
  Add(name, {set, [value] { return *value; }, "one of " + absl::StrJoin(choices, ", "), help});
}

GflagsParser::Flag* GflagsParser::Find(std::string_view name) {
  const auto it = flags_.find(NormalizedFlag(name));
  return it == flags_.end() ? nullptr : &it->second;
}

absl::Status GflagsParser::Unknown(std::string_view name) const {
  std::vector<std::string_view> names;
  for (const auto& [known, flag] : flags_) names.push_back(known);
  return absl::InvalidArgumentError(
      fmt::format("unknown flag '{}'{}", name, Suggestion(NormalizedFlag(name), names)));
}

absl::Status GflagsParser::SetFlag(const std::string& name, Flag& flag, const std::string& value) {
  if (!flag.set(value)) {
    return absl::InvalidArgumentError(
        fmt::format("--{}={}: not {}", NormalizedFlag(name), value, flag.accepted));
  }
  flag.given = true;
  return absl::OkStatus();
}

absl::Status GflagsParser::Set(const std::string& name, const std::string& value) {
  Flag* flag = Find(name);
  return flag == nullptr ? Unknown(name) : SetFlag(name, *flag, value);
}

absl::Status GflagsParser::Parse(const Arguments& arguments) {
  for (size_t i = 0; i < arguments.size(); ++i) {
    const std::string& argument = arguments[i];
    if (argument.size() < 2 || argument[0] != '-' || argument == "--") {
      return absl::InvalidArgumentError(fmt::format(
          "argument '{}' is not a flag; flags are given as --name=value, booleans as --name or "
          "--name=true",
          argument));
    }
    std::string name = argument.substr(argument[1] == '-' ? 2 : 1);
    if (name == "help" || name == "h") {
      help_asked_ = true;
      continue;
    }
    std::optional<std::string> value;
    if (const size_t equals = name.find('='); equals != std::string::npos) {
      value = name.substr(equals + 1);
      name.resize(equals);
    }
    Flag* flag = Find(name);
    if (flag == nullptr && !value && name.starts_with("no")) {
      flag = Find(name.substr(2));
      if (flag != nullptr && !flag->is_bool) flag = nullptr;
      value = "false";
    }
    if (flag == nullptr) return Unknown(name);
    if (!value && flag->is_bool) value = "true";
    if (!value && i + 1 < arguments.size()) value = arguments[++i];
    if (!value) {
      return absl::InvalidArgumentError(
          fmt::format("--{} lacks its value: {}", name, flag->accepted));
    }
    RETURN_IF_ERROR(SetFlag(name, *flag, *value));
  }
  return absl::OkStatus();
}

bool GflagsParser::IsSet(const std::string& name) const {
  const auto it = flags_.find(NormalizedFlag(name));
  return it != flags_.end() && it->second.given;
}

bool GflagsParser::IsChanged(const std::string& name) const {
  const auto it = flags_.find(NormalizedFlag(name));
  return it != flags_.end() && it->second.print() != it->second.default_text;
}

std::string GflagsParser::Help() const {
  std::string help;
  for (const auto& [name, flag] : flags_) {
    help += fmt::format("  --{:<36} {}: {}. Default: {}\n", name, flag.help, flag.accepted,
                        flag.default_text);
  }
  return help;
}

}  // namespace tandem::cli

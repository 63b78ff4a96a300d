#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "cli/commands.h"

namespace tandem::cli {

/// How a flag's name is spelt in messages: with underscores for dashes.
std::string NormalizedFlag(std::string_view name);

/// A command line in the style of gflags: one dash or two, the value after '=' or as the next
/// argument, underscores or dashes within a name; booleans as --flag, --noflag or --flag=true.
/// Where a flag comes twice the last one counts. Errors name the flag, its value and what is
/// accepted.
class GflagsParser {
 public:
  /// The targets hold the defaults and must outlive the parser.
  void AddBool(const std::string& name, bool* value, const std::string& help);
  void AddInt(const std::string& name, int64_t least, int64_t most, int64_t* value,
              const std::string& help);
  /// Milliseconds from 0 to `most`: alone, or a whole number with ms, s, m or h in either case, and
  /// spaces around either.
  void AddMilliseconds(const std::string& name, int64_t most, int64_t* value,
                       const std::string& help);
  /// 0 to 65535.
  void AddPort(const std::string& name, int* value, const std::string& help);
  void AddDouble(const std::string& name, double least, double most, double* value,
                 const std::string& help);
  void AddString(const std::string& name, std::string* value, const std::string& help);
  void AddChoice(const std::string& name, const std::vector<std::string>& choices,
                 std::string* value, const std::string& help);

  /// Reads every argument; `--help` and `-h` only set help_asked(). On an error the flags before it
  /// are set.
  absl::Status Parse(const Arguments& arguments);

  /// Sets one flag from a text, as a line of a configuration file does.
  absl::Status Set(const std::string& name, const std::string& value);

  /// Whether the flag was given.
  bool IsSet(const std::string& name) const;
  /// Whether the flag's value is another than its default.
  bool IsChanged(const std::string& name) const;
  bool help_asked() const { return help_asked_; }
  /// A flag a line: name, default and what it does.
  std::string Help() const;

 private:
  struct Flag {
    std::function<bool(const std::string& text)> set;
    std::function<std::string()> print;
    std::string accepted;  ///< "a whole number 0 to 10"
    std::string help;
    bool is_bool = false;
    bool given = false;
    std::string default_text;
  };

  void Add(const std::string& name, Flag flag);
  Flag* Find(std::string_view name);
  absl::Status Unknown(std::string_view name) const;
  absl::Status SetFlag(const std::string& name, Flag& flag, const std::string& value);

  std::map<std::string, Flag, std::less<>> flags_;
  bool help_asked_ = false;
};

}  // namespace tandem::cli

#pragma once

#include <boost/json/object.hpp>
#include <chrono>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace tandem::model {

/// A checkpoint's chat template in the subset of Jinja that published templates use. Const and safe
/// for use by several threads.
class ChatTemplate {
 public:
  virtual ~ChatTemplate() = default;

  /// InvalidArgument with line and column for what the interpreter does not know.
  static absl::StatusOr<std::unique_ptr<ChatTemplate>> Parse(std::string_view source);

  /// Renders with `variables` (messages, tools, add_generation_prompt, bos_token, eos_token, ...);
  /// `now` is the time that strftime_now prints, as local time. InvalidArgument for a template's
  /// own raise_exception, with its text, and for a wrong operation, with line and column. Bounded
  /// in time and output whatever the variables say.
  virtual absl::StatusOr<std::string> Render(const boost::json::object& variables,
                                             std::chrono::system_clock::time_point now) const = 0;

  absl::StatusOr<std::string> Render(const boost::json::object& variables) const {
    return Render(variables, std::chrono::system_clock::now());
  }
};

}  // namespace tandem::model

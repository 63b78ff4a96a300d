#pragma once

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <cstdint>
#include <limits>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace tandem::api {

/// The numbers that a field accepts.
struct Range {
  double least = -std::numeric_limits<double>::infinity();
  double most = std::numeric_limits<double>::infinity();
  bool above_least = false;  ///< `least` itself is not accepted.
};

/// Reads the fields of a JSON object with their types. A field that is absent or null leaves its
/// target as it was. The first field that does not fit is kept as status(): it names the field, its
/// value and what is accepted; later reads change nothing. For use by one thread.
class FieldReader {
 public:
  /// `object` outlives the reader. `path` stands before the names in errors ("stream_options.").
  explicit FieldReader(const boost::json::object& object, std::string path = "")
      : object_(object), path_(std::move(path)) {}

  /// The field's value, or null if it is absent or null.
  const boost::json::value* Find(std::string_view name);

  void Read(std::string_view name, bool& value);
  void Read(std::string_view name, std::string& value);
  void Read(std::string_view name, std::optional<float>& value, const Range& range = {});
  void Read(std::string_view name, int& value, const Range& range = {});
  void Read(std::string_view name, std::optional<int>& value, const Range& range = {});
  void Read(std::string_view name, std::optional<int64_t>& value, const Range& range = {});
  /// A list of token ids.
  void Read(std::string_view name, std::vector<int32_t>& value);

  /// Notes that the field is wrong. `accepted` ends the sentence "... must be".
  void Fail(std::string_view name, std::string_view accepted);
  /// Notes an error of another form about the field.
  void FailWith(std::string_view name, std::string_view message);

  /// Takes over the error of a reader of a part, unless it is OK.
  void Adopt(const absl::Status& status);

  const absl::Status& status() const { return status_; }

  /// Fields of the object that nothing has looked for.
  std::vector<std::string> UnreadFields() const;

 private:
  std::optional<int64_t> ReadInteger(std::string_view name, const Range& range);

  const boost::json::object& object_;
  const std::string path_;
  std::set<std::string, std::less<>> looked_for_;
  absl::Status status_;
};

/// An integer, also one that is written as a number with a zero fraction; else nothing.
std::optional<int64_t> AsInteger(const boost::json::value& value);

/// A list of token ids, or nothing if it is not one.
std::optional<std::vector<int32_t>> AsTokenIds(const boost::json::value& value);

/// The value as JSON, cut to what fits into a message.
std::string Quote(const boost::json::value& value);

/// The JSON object in `body`; InvalidArgument says where it stops being one.
absl::StatusOr<boost::json::object> ParseObject(std::string_view body);

}  // namespace tandem::api

#pragma once

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace tandem::model {

/// A value inside a JSON document together with its path, so that errors name the field. Cheap to
/// copy; refers to the document.
class JsonReader {
 public:
  JsonReader(const boost::json::value* value, std::string path)
      : value_(value), path_(std::move(path)) {}

  const std::string& path() const { return path_; }
  /// Whether the member is there and not null.
  bool Has(std::string_view member) const;
  bool IsString() const { return value_->is_string(); }
  bool IsArray() const { return value_->is_array(); }
  bool IsObject() const { return value_->is_object(); }

  /// InvalidArgument if this is no object or has no such member.
  absl::StatusOr<JsonReader> Member(std::string_view name) const;
  JsonReader Element(size_t index) const;

  absl::StatusOr<std::string_view> String() const;
  absl::StatusOr<int32_t> TokenId() const;
  absl::StatusOr<int64_t> Integer(int64_t least, int64_t most) const;
  /// A finite number.
  absl::StatusOr<double> Number() const;
  absl::StatusOr<const boost::json::array*> Array() const;
  absl::StatusOr<const boost::json::object*> Object() const;

  absl::StatusOr<std::string_view> StringMember(std::string_view name) const;
  /// `fallback` for a member that is absent or null.
  absl::StatusOr<bool> BoolMember(std::string_view name, bool fallback) const;
  absl::StatusOr<std::string_view> StringMember(std::string_view name,
                                                std::string_view fallback) const;

  absl::StatusOr<int64_t> IntegerMember(std::string_view name, int64_t least, int64_t most) const;

  /// InvalidArgument "<path> is <value>; accepted: <accepted>".
  absl::Status Wrong(std::string_view accepted) const;

 private:
  const boost::json::value* value_;
  std::string path_;
};

}  // namespace tandem::model

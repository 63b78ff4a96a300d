#pragma once

#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tandem::http {

/// Header fields in the order they were sent. Names compare without regard to case.
class Headers {
 public:
  Headers() = default;
  Headers(std::initializer_list<std::pair<std::string, std::string>> fields) : fields_(fields) {}

  /// The first field of that name, or nothing.
  std::optional<std::string> Get(std::string_view name) const;
  /// Replaces every field of that name by one.
  void Set(std::string_view name, std::string_view value);
  void Add(std::string_view name, std::string_view value);
  /// Drops every field of that name.
  void Remove(std::string_view name);

  auto begin() const { return fields_.begin(); }
  auto end() const { return fields_.end(); }

 private:
  std::vector<std::pair<std::string, std::string>> fields_;
};

/// A request as a server received it, body complete.
struct Request {
  std::string method;  ///< Upper case.
  std::string path;    ///< Percent-decoded, without the query.
  std::string query;   ///< As sent, without the question mark.
  Headers headers;
  std::string body;
  std::string remote_address;  ///< "host:port" of the client.
  std::string target;          ///< Path and query as they stood on the request line.

  /// The percent-decoded value of the first query parameter of that name, or nothing.
  std::optional<std::string> QueryValue(std::string_view name) const;
};

/// A complete reply.
struct Response {
  int status = 200;
  Headers headers;
  std::string body;
};

}  // namespace tandem::http

#include "http/error.h"

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

namespace tandem::http {
namespace {

std::string_view TypeOf(int status) {
  switch (status) {
    case 401:
      return "AuthenticationError";
    case 404:
      return "NotFoundError";
    case 500:
      return "InternalServerError";
    case 501:
      return "NotImplementedError";
    case 502:
    case 503:
      return "ServiceUnavailableError";
    case 504:
      return "TimeoutError";
    default:
      return status < 500 ? "BadRequestError" : "InternalServerError";
  }
}

/// Bytes outside printable ASCII may be broken UTF-8, for which JSON has no place.
std::string Printable(std::string_view message) {
  std::string printable(message);
  for (char& c : printable) {
    if (static_cast<unsigned char>(c) >= 0x80) c = '?';
  }
  return printable;
}

}  // namespace

std::string ErrorBody(std::string_view message, std::string_view type, std::string_view param,
                      int code) {
  boost::json::object error{{"message", Printable(message)}, {"type", type}};
  error["param"] = param.empty() ? boost::json::value() : boost::json::value(Printable(param));
  error["code"] = code;
  return boost::json::serialize(boost::json::object{{"error", std::move(error)}});
}

Response ErrorResponse(int status, std::string_view message, std::string_view type,
                       std::string_view param) {
  return {.status = status,
          .headers = {{"Content-Type", "application/json"}},
          .body = ErrorBody(message, type, param, status)};
}

Response ErrorResponse(int status, std::string_view message) {
  return ErrorResponse(status, message, TypeOf(status));
}

}  // namespace tandem::http

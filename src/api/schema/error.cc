#include "api/schema/error.h"

#include <boost/json/value.hpp>

#include "absl/strings/cord.h"

namespace tandem::api {
namespace {

constexpr char kFieldPayload[] = "tandem/field";

std::string_view TypeName(int http_status) {
  switch (http_status) {
    case 401:
      return "AuthenticationError";
    case 404:
      return "NotFoundError";
    case 500:
      return "InternalServerError";
    case 501:
      return "NotImplementedError";
    case 503:
      return "ServiceUnavailableError";
    case 504:
      return "TimeoutError";
    default:
      return http_status < 500 ? "BadRequestError" : "InternalServerError";
  }
}

}  // namespace

absl::Status FieldError(std::string_view field, std::string_view message) {
  absl::Status status = absl::InvalidArgumentError(std::string(message));
  status.SetPayload(kFieldPayload, absl::Cord(std::string(field)));
  return status;
}

int HttpStatus(const absl::Status& error) {
  switch (error.code()) {
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kOutOfRange:
      return 400;
    case absl::StatusCode::kUnauthenticated:
      return 401;
    case absl::StatusCode::kNotFound:
      return 404;
    case absl::StatusCode::kCancelled:
      return 499;
    case absl::StatusCode::kUnimplemented:
      return 501;
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kResourceExhausted:
    case absl::StatusCode::kAborted:
      return 503;
    case absl::StatusCode::kDeadlineExceeded:
      return 504;
    default:
      return 500;
  }
}

boost::json::object ErrorBody(const absl::Status& error) {
  const auto field = error.GetPayload(kFieldPayload);
  return ErrorBody(HttpStatus(error), std::string(error.message()),
                   field ? std::string(*field) : "");
}

boost::json::object ErrorBody(int http_status, std::string_view message, std::string_view param) {
  boost::json::object error{{"message", message}, {"type", TypeName(http_status)}};
  error["param"] = param.empty() ? boost::json::value() : boost::json::value(param);
  error["code"] = http_status;
  return {{"error", std::move(error)}};
}

}  // namespace tandem::api

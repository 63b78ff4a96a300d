#pragma once

#include <memory>
#include <string>

#include "http/response_writer.h"

namespace tandem::http {

inline constexpr char kRequestIdHeader[] = "X-Request-Id";

/// The id that the client sent, if it is fit for log lines (at most 128 letters, digits and any of
/// "-_.:"), else a new random one.
std::string RequestId(const Headers& headers);

/// A writer that puts the request's id into the head of the reply.
std::shared_ptr<ResponseWriter> WithRequestId(std::shared_ptr<ResponseWriter> writer,
                                              std::string id);

}  // namespace tandem::http

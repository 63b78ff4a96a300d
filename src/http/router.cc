#include "http/router.h"

#include <fmt/format.h>

#include "http/error.h"

namespace tandem::http {

void Router::Add(const std::string& method, const std::string& path, Handler handler) {
  handlers_[path][method] = std::move(handler);
}

void Router::AddFallback(Handler handler) { fallback_ = std::move(handler); }

void Router::Dispatch(Request request, std::shared_ptr<ResponseWriter> writer) const {
  const auto path = handlers_.find(request.path);
  if (path == handlers_.end()) {
    if (fallback_) return fallback_(std::move(request), std::move(writer));
    writer->Respond(ErrorResponse(404, fmt::format("there is nothing at '{}' here", request.path)));
    return;
  }
  auto method = path->second.find(request.method);
  if (method == path->second.end() && request.method == "HEAD") method = path->second.find("GET");
  if (method != path->second.end()) {
    method->second(std::move(request), std::move(writer));
    return;
  }
  std::string allowed;
  for (const auto& [name, handler] : path->second) {
    allowed += (allowed.empty() ? "" : ", ") + name;
  }
  Response refusal =
      ErrorResponse(405, fmt::format("method {} is not allowed for '{}'; accepted: {}",
                                     request.method, request.path, allowed));
  refusal.headers.Set("Allow", allowed);
  writer->Respond(std::move(refusal));
}

}  // namespace tandem::http

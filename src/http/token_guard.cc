#include "http/token_guard.h"

#include <fmt/format.h>

#include <utility>

namespace tandem::http {

Handler RequireToken(BearerToken token, Handler handler) {
  if (token.empty()) return handler;
  return [token = std::move(token), handler = std::move(handler)](
             Request request, std::shared_ptr<ResponseWriter> writer) {
    const absl::Status allowed = token.Check(request.headers.Get("Authorization").value_or(""));
    if (allowed.ok() || request.path == "/health") {
      return handler(std::move(request), std::move(writer));
    }
    writer->Respond(
        {401,
         {{"Content-Type", "text/plain; charset=utf-8"}, {"WWW-Authenticate", "Bearer"}},
         fmt::format("{}; send the header \"Authorization: Bearer TOKEN\"\n",
                     std::string(allowed.message()))});
  };
}

}  // namespace tandem::http

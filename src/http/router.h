#pragma once

#include <map>
#include <string>

#include "http/response_writer.h"

namespace tandem::http {

/// Chooses a handler by method and exact path. Fill it before serving; Dispatch is const and safe
/// for use by several threads. An unknown path is a 404, a known path with another method a 405
/// that lists what is allowed; both bodies have OpenAI's error shape.
class Router {
 public:
  void Add(const std::string& method, const std::string& path, Handler handler);
  /// Answers the paths that were not added, instead of a 404.
  void AddFallback(Handler handler);
  void Dispatch(Request request, std::shared_ptr<ResponseWriter> writer) const;

 private:
  std::map<std::string, std::map<std::string, Handler>> handlers_;  // path -> method -> handler
  Handler fallback_;
};

}  // namespace tandem::http

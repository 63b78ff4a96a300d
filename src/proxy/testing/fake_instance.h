#pragma once

#include <boost/json/object.hpp>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/mutex.h"
#include "http/server.h"

namespace tandem::proxy {

/// A request as an instance got it.
struct SeenRequest {
  std::string path;
  http::Headers headers;
  boost::json::object body;
};

/// An instance that answers completions in a way that a test can check: the text of token N is "tN
/// ", and a request for M tokens gets the ids 1 to M, or goes on after the ids it was given. With
/// `ret_first_tok` it is a prefiller.
class FakeInstance {
 public:
  struct Behaviour {
    int status = 200;          ///< Of completions.
    std::string first_finish;  ///< What a prefill tells as first_tok_finish_reason.
    int break_after = -1;      ///< Tokens after which a stream's connection breaks, at once if 0.
    bool silent = false;       ///< Never answers completions.
    std::string cache_namespace = "ns";  ///< Empty: a server of another make, which knows no ids.
  };

  FakeInstance() : FakeInstance(Behaviour{}) {}
  explicit FakeInstance(Behaviour behaviour, int port = 0);
  ~FakeInstance();

  int port() const { return port_; }
  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }

  /// The completion requests it got.
  std::vector<SeenRequest> seen() const;
  bool WaitForRequests(size_t count) const;
  /// Waits until a client has left a request unanswered.
  bool WaitForLeaver() const;

  void Stop();

 private:
  bool foreign() const { return behaviour_.cache_namespace.empty(); }
  void Answer(http::Request request, std::shared_ptr<http::ResponseWriter> writer);
  void AnswerCompletion(const boost::json::object& body,
                        const std::shared_ptr<http::ResponseWriter>& writer);

  const Behaviour behaviour_;
  int port_ = 0;
  mutable Mutex mutex_;
  mutable CondVar changed_;
  std::vector<SeenRequest> seen_ ABSL_GUARDED_BY(mutex_);
  int leavers_ ABSL_GUARDED_BY(mutex_) = 0;
  std::vector<std::shared_ptr<http::ResponseWriter>> unanswered_ ABSL_GUARDED_BY(mutex_);
  std::unique_ptr<http::Server> server_;
};

}  // namespace tandem::proxy

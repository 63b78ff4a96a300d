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
/// `ret_first_tok` it is a prefiller. One of another make goes on after the last id of its prompt.
/// A stream of several choices has a token of each in turn; with a seed S, choice N gets S + N
/// tokens less.
class FakeInstance {
 public:
  struct Behaviour {
    int status = 200;           ///< Of completions.
    std::string first_finish;   ///< What a prefill tells as first_tok_finish_reason.
    int break_after = -1;       ///< Tokens after which a stream's connection breaks, at once if 0.
    int drain_after = -1;       ///< Tokens after which a stream ends with an error of code 503.
    int pause_after = -1;       ///< Tokens after which a stream is silent until GoOn.
    bool stands_still = false;  ///< Answers no probe while a stream of it is silent.
    int resume_status = 200;    ///< Of requests that continue a stream.
    bool silent = false;        ///< Never answers completions.
    std::string cache_namespace = "ns";  ///< Empty: a server of another make, which knows no ids.
    std::string kv_role;                 ///< What it tells of itself.
    bool unfit = false;                  ///< No inference server: knows /health and nothing else.
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

  /// From now on it is an inference server, whatever it was.
  void BecomeFit();
  /// What it answers to GET /health, 200 at first.
  void SetHealth(int status);
  /// Waits for so many more probes to be answered.
  bool WaitForProbes(int count) const;
  /// Ends the pauses of its streams.
  void GoOn();

  void Stop();

 private:
  /// A stream and what is still to be sent of it.
  struct PausedStream {
    std::shared_ptr<http::ResponseWriter> writer;
    int next = 1;
    int last = 1;
    int choices = 1;
    std::optional<int> seed;
    boost::json::object usage;  // Empty: not asked for.
    bool with_ids = false;
    bool was_paused = false;
  };
  bool unfit() const;
  bool foreign() const { return behaviour_.cache_namespace.empty(); }
  void Answer(http::Request request, std::shared_ptr<http::ResponseWriter> writer);
  void AnswerProbe(const std::shared_ptr<http::ResponseWriter>& writer);
  void AnswerCompletion(const std::string& path, const boost::json::object& body,
                        const std::shared_ptr<http::ResponseWriter>& writer);
  void Stream(PausedStream stream);

  const Behaviour behaviour_;
  int port_ = 0;
  mutable Mutex mutex_;
  mutable CondVar changed_;
  std::vector<SeenRequest> seen_ ABSL_GUARDED_BY(mutex_);
  int leavers_ ABSL_GUARDED_BY(mutex_) = 0;
  int health_ ABSL_GUARDED_BY(mutex_) = 200;
  bool unfit_ ABSL_GUARDED_BY(mutex_) = false;
  int probes_ ABSL_GUARDED_BY(mutex_) = 0;
  std::vector<std::shared_ptr<http::ResponseWriter>> unanswered_ ABSL_GUARDED_BY(mutex_);
  std::vector<PausedStream> paused_ ABSL_GUARDED_BY(mutex_);
  std::unique_ptr<http::Server> server_;
};

}  // namespace tandem::proxy

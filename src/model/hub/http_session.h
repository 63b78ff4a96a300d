#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "model/hub/environment.h"
#include "model/hub/http_head.h"

namespace tandem::model::hub {

/// What to ask a server for.
struct HttpRequest {
  std::string url;
  bool head_only = false;  ///< HEAD, and redirects are shown instead of followed.
  /// The first and the last byte of the part that is wanted.
  std::optional<std::pair<int64_t, int64_t>> range;
  std::chrono::seconds limit{0};  ///< For all of it; 0 for as long as bytes come.
};

/// How an exchange ended.
struct HttpOutcome {
  enum class Broken {
    kNot,        ///< A whole reply came, whatever its status.
    kUnreached,  ///< No connection came about.
    kMidway,     ///< The connection broke off, or stood still for too long.
    kForGood,    ///< Trying again will not help: a certificate, an address, a redirect.
    kRefused,    ///< The receiver did not want it; `receiver` says why.
  };
  HttpHead head;  ///< Of the last reply; of none if nothing came.
  Broken broken = Broken::kNot;
  std::string reason;  ///< Why it broke, or the first bytes of an error's body.
  absl::Status receiver;
};

class HttpSession;

/// One request and where its reply goes. Destroying it before the session has handed it back ends
/// it; the session must outlive it.
class HttpExchange {
 public:
  explicit HttpExchange(HttpRequest request) : request_(std::move(request)) {}
  virtual ~HttpExchange();
  HttpExchange(const HttpExchange&) = delete;
  HttpExchange& operator=(const HttpExchange&) = delete;

  const HttpRequest& request() const { return request_; }
  const HttpOutcome& outcome() const { return outcome_; }

  /// The head of a reply of status 2xx, before its body. An error ends the exchange.
  virtual absl::Status OnHead(const HttpHead& head) = 0;
  /// The next bytes of its body. An error ends the exchange.
  virtual absl::Status OnBody(std::string_view bytes) = 0;

 private:
  friend class HttpSession;
  const HttpRequest request_;
  HttpOutcome outcome_;
  HttpSession* session_ = nullptr;  // while it is under way
};

/// Exchanges with the hub, many at a time: each on a connection of its own, which later ones use
/// again. Redirects are followed, from https only to https; the token goes to the endpoint alone.
/// A proxy is taken from the usual variables (HTTPS_PROXY, NO_PROXY). Used by one thread.
class HttpSession {
 public:
  /// `stop_fd` becomes readable when everything is to end; -1 for never.
  HttpSession(Environment environment, int stop_fd);
  ~HttpSession();
  HttpSession(const HttpSession&) = delete;
  HttpSession& operator=(const HttpSession&) = delete;

  /// Begins an exchange, which may have been handed back before.
  void Start(HttpExchange& exchange);

  /// Moves bytes until an exchange has ended, `limit` has passed or Wake was called; returns the
  /// exchanges that ended. Cancelled when it is time to stop.
  absl::StatusOr<std::vector<HttpExchange*>> Poll(Duration limit);

  /// Ends a Poll, now or the next; from any thread.
  void Wake();

  /// Whether any server has replied yet.
  bool reached() const { return reached_; }

 private:
  friend class HttpExchange;
  struct Transfer;
  std::vector<HttpExchange*> TakeEnded();
  void Remove(HttpExchange& exchange);

  const Environment environment_;
  const int stop_fd_;
  void* const multi_;  // a CURLM
  std::vector<std::unique_ptr<Transfer>> transfers_;
  bool reached_ = false;
};

}  // namespace tandem::model::hub

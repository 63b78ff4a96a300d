#include "http/client.h"

#include <fmt/format.h>

#include <boost/asio/post.hpp>
#include <utility>

#include "base/mutex.h"
#include "http/client_call.h"

namespace tandem::http {
namespace {

/// A call that never began.
class EndedCall : public Call {
 public:
  void Cancel() override {}
  TimePoint last_progress() const override { return start_; }

 private:
  const TimePoint start_ = Clock::Real().Now();
};

class PoolingClient : public Client {
 public:
  PoolingClient(int threads, TlsContext tls)
      : state_(std::make_shared<ClientState>(threads, std::move(tls))) {}
  ~PoolingClient() override {
    state_->Close();
    state_->threads().Join();
  }

  std::shared_ptr<Call> Start(ClientRequest request, StreamCallbacks callbacks) override {
    absl::StatusOr<Url> url = ParseUrl(request.url);
    if (url.ok() && url->https && state_->tls() == nullptr) {
      url = absl::InvalidArgumentError(
          fmt::format("{}: https is not accepted here: no CA is set to trust", request.url));
    }
    if (!url.ok()) return Refuse(url.status(), std::move(callbacks));
    auto call = std::make_shared<ClientCall>(state_, std::move(request), *std::move(url),
                                             std::move(callbacks));
    const bool open = state_->Add(call);
    call->Start();
    if (!open) call->Cancel();
    return call;
  }

 private:
  std::shared_ptr<Call> Refuse(absl::Status status, StreamCallbacks callbacks) {
    boost::asio::post(state_->threads().context(),
                      [status = std::move(status), on_end = std::move(callbacks.on_end)] {
                        if (on_end) on_end(status);
                      });
    return std::make_shared<EndedCall>();
  }

  const std::shared_ptr<ClientState> state_;
};

/// The reply that Fetch waits for.
struct PendingResponse {
  Mutex mutex;
  CondVar ended;
  bool done ABSL_GUARDED_BY(mutex) = false;
  absl::Status status ABSL_GUARDED_BY(mutex);
  Response response;  // Written by the client's thread until `done`.
};

}  // namespace

std::unique_ptr<Client> Client::Create(int threads, TlsContext tls) {
  return std::make_unique<PoolingClient>(threads, std::move(tls));
}

absl::StatusOr<Response> Client::Fetch(ClientRequest request) {
  auto pending = std::make_shared<PendingResponse>();
  // The call ends by itself at total_timeout; the margin is for a machine that is overloaded.
  const TimePoint deadline = Clock::Real().Now() + request.total_timeout + std::chrono::seconds(10);
  const std::string url = request.url;
  const auto call =
      Start(std::move(request),
            {.on_headers =
                 [pending](int status, const Headers& headers) {
                   pending->response.status = status;
                   pending->response.headers = headers;
                 },
             .on_body = [pending](std::string_view part) { pending->response.body.append(part); },
             .on_end =
                 [pending](const absl::Status& status) {
                   MutexLock lock(pending->mutex);
                   pending->status = status;
                   pending->done = true;
                   pending->ended.NotifyAll();
                 }});
  MutexLock lock(pending->mutex);
  const bool done = pending->ended.WaitUntil(
      pending->mutex, deadline, [&]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return pending->done; });
  if (!done) {
    call->Cancel();
    return absl::DeadlineExceededError(fmt::format("no reply from {}", url));
  }
  if (!pending->status.ok()) return pending->status;
  return std::move(pending->response);
}

}  // namespace tandem::http

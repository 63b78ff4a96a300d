#include "model/hub/http_session.h"

#include <curl/curl.h>
#include <fmt/format.h>
#include <poll.h>

#include <algorithm>
#include <chrono>

namespace tandem::model::hub {
namespace {

constexpr long kMostRedirects = 10;
constexpr long kConnectSeconds = 15;
constexpr long kBufferBytes = 256 << 10;
constexpr size_t kErrorBytes = 2048;

using Broken = HttpOutcome::Broken;

Broken BrokenBy(CURLcode code) {
  switch (code) {
    case CURLE_OK:
      return Broken::kNot;
    case CURLE_COULDNT_CONNECT:
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
      return Broken::kUnreached;
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_TOO_MANY_REDIRECTS:
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_URL_MALFORMAT:
      return Broken::kForGood;
    default:
      return Broken::kMidway;
  }
}

/// Before any thread that uses curl: its own first use is not safe on several.
void InitializeCurl() {
  [[maybe_unused]] static const CURLcode initialized = curl_global_init(CURL_GLOBAL_DEFAULT);
}

}  // namespace

struct HttpSession::Transfer {
  HttpExchange& exchange;
  HttpOutcome& outcome;
  CURL* easy = curl_easy_init();
  curl_slist* fields = nullptr;
  char error[CURL_ERROR_SIZE] = "";
  bool has_head = false;  // and what comes behind the body is not taken for another

  Transfer(HttpExchange& exchange, HttpOutcome& outcome) : exchange(exchange), outcome(outcome) {}
  ~Transfer() {
    curl_easy_cleanup(easy);
    curl_slist_free_all(fields);
  }
  Transfer(const Transfer&) = delete;
  Transfer& operator=(const Transfer&) = delete;

  void AddField(const std::string& line) { fields = curl_slist_append(fields, line.c_str()); }
  void SetUp(const Environment& environment);

  static size_t OnHeadLine(char* bytes, size_t size, size_t count, void* self);
  static size_t OnBodyBytes(char* bytes, size_t size, size_t count, void* self);
};

void HttpSession::Transfer::SetUp(const Environment& environment) {
  const HttpRequest& request = exchange.request();
  curl_easy_setopt(easy, CURLOPT_PRIVATE, this);
  curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, error);
  curl_easy_setopt(easy, CURLOPT_URL, request.url.c_str());
  curl_easy_setopt(easy, CURLOPT_USERAGENT, "tandem");
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  // Parallel ranges want a connection each; HTTP/2 would send them all through one.
  curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, kBufferBytes);
  curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT, kConnectSeconds);
  curl_easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, 1L);
  curl_easy_setopt(easy, CURLOPT_LOW_SPEED_TIME,
                   static_cast<long>(environment.silence_limit.count()));
  curl_easy_setopt(easy, CURLOPT_TIMEOUT, static_cast<long>(request.limit.count()));
  curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
  const bool is_secure = environment.endpoint.rfind("https:", 0) == 0;
  curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, is_secure ? "https" : "http,https");
  curl_easy_setopt(easy, CURLOPT_REDIR_PROTOCOLS_STR, is_secure ? "https" : "http,https");
  curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, request.head_only ? 0L : 1L);
  curl_easy_setopt(easy, CURLOPT_MAXREDIRS, kMostRedirects);
  curl_easy_setopt(easy, CURLOPT_NOBODY, request.head_only ? 1L : 0L);
  if (!environment.certificates.empty()) {
    curl_easy_setopt(easy, CURLOPT_CAINFO, environment.certificates.c_str());
  }
  if (request.range) {
    const std::string range = fmt::format("{}-{}", request.range->first, request.range->second);
    curl_easy_setopt(easy, CURLOPT_RANGE, range.c_str());
  }
  // Compressed replies have neither the size nor the ranges that were asked for.
  AddField("Accept-Encoding: identity");
  // curl leaves this field out of requests to any other host, port or scheme.
  if (!environment.token.empty()) AddField("Authorization: Bearer " + environment.token);
  curl_easy_setopt(easy, CURLOPT_HTTPHEADER, fields);
  curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, OnHeadLine);
  curl_easy_setopt(easy, CURLOPT_HEADERDATA, this);
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, OnBodyBytes);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, this);
}

size_t HttpSession::Transfer::OnHeadLine(char* bytes, size_t size, size_t count, void* self) {
  auto& transfer = *static_cast<Transfer*>(self);
  const std::string_view line(bytes, size * count);
  transfer.outcome.head.AddLine(line);
  if ((line == "\r\n" || line == "\n") && transfer.outcome.head.ok() && !transfer.has_head) {
    transfer.has_head = true;
    transfer.outcome.receiver = transfer.exchange.OnHead(transfer.outcome.head);
    if (!transfer.outcome.receiver.ok()) return 0;
  }
  return line.size();
}

size_t HttpSession::Transfer::OnBodyBytes(char* bytes, size_t size, size_t count, void* self) {
  auto& transfer = *static_cast<Transfer*>(self);
  const std::string_view part(bytes, size * count);
  if (!transfer.outcome.head.ok()) {
    std::string& reason = transfer.outcome.reason;
    reason.append(part.substr(0, kErrorBytes - std::min(kErrorBytes, reason.size())));
    return part.size();
  }
  transfer.outcome.receiver = transfer.exchange.OnBody(part);
  return transfer.outcome.receiver.ok() ? part.size() : 0;
}

HttpExchange::~HttpExchange() {
  if (session_ != nullptr) session_->Remove(*this);
}

HttpSession::HttpSession(Environment environment, int stop_fd)
    : environment_(std::move(environment)), stop_fd_(stop_fd), multi_([] {
        InitializeCurl();
        return curl_multi_init();
      }()) {}

HttpSession::~HttpSession() {
  for (const auto& transfer : transfers_) curl_multi_remove_handle(multi_, transfer->easy);
  transfers_.clear();
  curl_multi_cleanup(multi_);
}

void HttpSession::Start(HttpExchange& exchange) {
  exchange.outcome_ = {};
  exchange.session_ = this;
  auto transfer = std::make_unique<Transfer>(exchange, exchange.outcome_);
  transfer->SetUp(environment_);
  curl_multi_add_handle(multi_, transfer->easy);
  transfers_.push_back(std::move(transfer));
}

absl::StatusOr<std::vector<HttpExchange*>> HttpSession::Poll(Duration limit) {
  std::vector<HttpExchange*> ended = TakeEnded();
  if (!ended.empty()) limit = Duration::zero();
  pollfd stop{.fd = stop_fd_, .events = POLLIN};
  curl_waitfd waited{.fd = stop_fd_, .events = CURL_WAIT_POLLIN};
  const auto milliseconds = std::chrono::ceil<std::chrono::milliseconds>(limit).count();
  curl_multi_poll(multi_, &waited, stop_fd_ < 0 ? 0 : 1,
                  static_cast<int>(std::clamp<int64_t>(milliseconds, 0, 60'000)), nullptr);
  if (stop_fd_ >= 0 && poll(&stop, 1, 0) > 0) return absl::CancelledError("stopped");
  for (HttpExchange* exchange : TakeEnded()) ended.push_back(exchange);
  return ended;
}

void HttpSession::Wake() { curl_multi_wakeup(multi_); }

std::vector<HttpExchange*> HttpSession::TakeEnded() {
  int running = 0;
  curl_multi_perform(multi_, &running);
  std::vector<HttpExchange*> ended;
  int left = 0;
  while (const CURLMsg* message = curl_multi_info_read(multi_, &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    const CURLcode code = message->data.result;
    Transfer* transfer = nullptr;
    curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &transfer);
    HttpOutcome& outcome = transfer->outcome;
    reached_ = reached_ || outcome.head.status() != 0;
    outcome.broken = outcome.receiver.ok() ? BrokenBy(code) : Broken::kRefused;
    if (code != CURLE_OK) {
      outcome.reason = transfer->error[0] != '\0' ? transfer->error : curl_easy_strerror(code);
    }
    ended.push_back(&transfer->exchange);
    Remove(transfer->exchange);
  }
  return ended;
}

void HttpSession::Remove(HttpExchange& exchange) {
  exchange.session_ = nullptr;
  const auto transfer =
      std::find_if(transfers_.begin(), transfers_.end(),
                   [&](const auto& candidate) { return &candidate->exchange == &exchange; });
  if (transfer == transfers_.end()) return;
  curl_multi_remove_handle(multi_, (*transfer)->easy);
  transfers_.erase(transfer);
}

}  // namespace tandem::model::hub

#include "model/hub/catalog.h"

#include <curl/curl.h>
#include <fmt/format.h>

#include "base/status.h"

namespace tandem::model::hub {
namespace {

constexpr size_t kMostBytes = 64 << 20;
constexpr std::chrono::seconds kLimit(120);
constexpr int kMostRedirects = 5;

std::string Escape(const std::string& text) {
  char* escaped = curl_easy_escape(nullptr, text.c_str(), static_cast<int>(text.size()));
  std::string copy = escaped;
  curl_free(escaped);
  return copy;
}

/// Escapes all but the slashes.
std::string EscapePath(const std::string& path) {
  std::string escaped;
  for (size_t begin = 0; begin <= path.size();) {
    const size_t end = std::min(path.find('/', begin), path.size());
    escaped += Escape(path.substr(begin, end - begin));
    if (end < path.size()) escaped += '/';
    begin = end + 1;
  }
  return escaped;
}

}  // namespace

/// A short reply, kept whole.
class Catalog::Text : public HttpExchange {
 public:
  explicit Text(HttpRequest request) : HttpExchange(std::move(request)) {}

  absl::Status OnHead(const HttpHead&) override {
    text_.clear();
    return absl::OkStatus();
  }
  absl::Status OnBody(std::string_view bytes) override {
    if (text_.size() + bytes.size() > kMostBytes) {
      return absl::InvalidArgumentError(fmt::format("the reply is over {} bytes", kMostBytes));
    }
    text_ += bytes;
    return absl::OkStatus();
  }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

absl::StatusOr<Repository> Catalog::List() {
  const std::string url = fmt::format("{}/api/models/{}/revision/{}?blobs=true", subject_.endpoint,
                                      subject_.model.name, Escape(subject_.model.revision));
  Text reply({.url = url, .limit = kLimit});
  RETURN_IF_ERROR(Fetch(reply, ""));
  absl::StatusOr<Repository> repository = ParseRepository(reply.text());
  if (repository.ok()) return repository;
  return absl::InvalidArgumentError(
      fmt::format("{} does not answer as a hub does: {}; check HF_ENDPOINT", url,
                  std::string(repository.status().message())));
}

absl::Status Catalog::Complete(const std::string& commit, RepositoryFile& file) {
  if (file.size >= 0 && !file.etag.empty()) return absl::OkStatus();
  std::string url = ResolveUrl(subject_, commit, file.path);
  for (int redirects = 0; redirects <= kMostRedirects; ++redirects) {
    Text reply({.url = url, .head_only = true, .limit = kLimit});
    RETURN_IF_ERROR(Fetch(reply, file.path));
    const HttpHead& head = reply.outcome().head;
    const bool is_linked = !head.Field("x-linked-etag").empty();
    const std::string_view location = head.Field("location");
    // The head before a redirect to the content's store tells of the content; one to another name
    // of the repository does not.
    if (!is_linked && !head.ok() && location.starts_with("/")) {
      const size_t path = subject_.endpoint.find('/', subject_.endpoint.find("//") + 2);
      url = subject_.endpoint.substr(0, path) + std::string(location);
      continue;
    }
    const std::string_view size =
        head.Field(is_linked || !head.ok() ? "x-linked-size" : "content-length");
    file.etag = std::string(NormalizeEtag(head.Field(is_linked ? "x-linked-etag" : "etag")));
    const std::optional<int64_t> bytes = ParseCount(size);
    if (!bytes || !IsEtag(file.etag)) break;
    file.size = *bytes;
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      fmt::format("{} tells neither size nor checksum of {}; accepted: X-Linked-Size and "
                  "X-Linked-Etag, or Content-Length and ETag. Check HF_ENDPOINT",
                  url, file.path));
}

absl::Status Catalog::Fetch(Text& text, const std::string& file) {
  RetrySchedule schedule(limits_);
  while (true) {
    session_.Start(text);
    for (bool ended = false; !ended;) {
      ASSIGN_OR_RETURN(const auto exchanges, session_.Poll(std::chrono::seconds(1)));
      ended = !exchanges.empty();
    }
    const HttpOutcome& outcome = text.outcome();
    const bool is_whole = outcome.broken == HttpOutcome::Broken::kNot;
    const int status = outcome.head.status();
    if (is_whole && (outcome.head.ok() || (text.request().head_only && status / 100 == 3))) {
      return absl::OkStatus();
    }
    const std::optional<Duration> wait = schedule.Failed(outcome, false);
    if (!wait || !session_.reached()) return FailureStatus(subject_, file, outcome);
    observer_.OnNotice(
        fmt::format("{}; trying again in {:.0f} s", ShortReason(outcome), Seconds(*wait)));
    for (const TimePoint end = Clock::Real().Now() + *wait; Clock::Real().Now() < end;) {
      RETURN_IF_ERROR(session_.Poll(end - Clock::Real().Now()).status());
    }
  }
}

std::string ResolveUrl(const Subject& subject, const std::string& commit, const std::string& path) {
  return fmt::format("{}/{}/resolve/{}/{}", subject.endpoint, subject.model.name, commit,
                     EscapePath(path));
}

}  // namespace tandem::model::hub

#include "model/hub/failure.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "absl/strings/ascii.h"

namespace tandem::model::hub {
namespace {

using Broken = HttpOutcome::Broken;

/// A server's text, fit for a terminal: one line, not long, nothing that steers.
std::string Printable(std::string_view text) {
  constexpr size_t kLongest = 300;
  std::string printable(text.substr(0, kLongest));
  std::replace_if(printable.begin(), printable.end(), absl::ascii_iscntrl, ' ');
  return std::string(absl::StripAsciiWhitespace(printable));
}

/// What the hub itself said, in brackets behind a message.
std::string HubsWords(const HttpOutcome& outcome) {
  const std::string message = Printable(outcome.head.Field("x-error-message"));
  return message.empty() ? "" : fmt::format(" (the hub says: {})", message);
}

/// The beginning of an error's body, unless it is a page for a browser.
std::string BodysWords(const HttpOutcome& outcome) {
  const std::string text = Printable(outcome.reason);
  return text.empty() || text.front() == '<' ? "" : fmt::format(": {}", text);
}

absl::Status Unreachable(const Subject& subject, const HttpOutcome& outcome) {
  return absl::UnavailableError(
      fmt::format("cannot reach {}: {}; check the network, HF_ENDPOINT and HTTPS_PROXY. With "
                  "HF_HUB_OFFLINE=1 only what is in the cache is used",
                  subject.endpoint, outcome.reason));
}

absl::Status Forbidden(const Subject& subject, const HttpOutcome& outcome) {
  const std::string page = fmt::format("{}/{}", subject.endpoint, subject.model.name);
  const std::string words = HubsWords(outcome);
  const std::string& name = subject.model.name;
  const int status = outcome.head.status();
  if (outcome.head.Field("x-error-code") == "GatedRepo") {
    return absl::PermissionDeniedError(
        subject.has_token
            ? fmt::format(
                  "{} is gated and the token has no access to it ({}){}; accept its terms at "
                  "{} with the token's account",
                  name, status, words, page)
            : fmt::format(
                  "{} is gated ({}){}; accept its terms at {}, then set HF_TOKEN to a token "
                  "of that account",
                  name, status, words, page));
  }
  if (subject.has_token) {
    return absl::PermissionDeniedError(fmt::format(
        "the hub refuses {} to this token ({}){}; check the name, and that the token in "
        "HF_TOKEN or HF_HOME/token is valid and may read it",
        name, status, words));
  }
  return absl::PermissionDeniedError(fmt::format(
      "{} does not exist, or is private or gated ({}){}; check the name, or set HF_TOKEN "
      "to a token that may read it",
      name, status, words));
}

absl::Status NotFound(const Subject& subject, const std::string& file, const HttpOutcome& outcome) {
  const std::string_view code = outcome.head.Field("x-error-code");
  const ModelReference& model = subject.model;
  if (code == "RevisionNotFound") {
    return absl::NotFoundError(
        fmt::format("{} has no revision \"{}\"; accepted after '@': a branch, a tag or a commit "
                    "that {}/{} lists",
                    model.name, model.revision, subject.endpoint, model.name));
  }
  if (!file.empty()) {
    return absl::NotFoundError(
        fmt::format("{} of {} is not at the hub (404){}; it may have been "
                    "removed since, so pull again",
                    file, model.name, HubsWords(outcome)));
  }
  return absl::NotFoundError(
      fmt::format("{} has no model \"{}\"{} (404){}; check the name", subject.endpoint, model.name,
                  code.empty() && model.revision != "main"
                      ? fmt::format(" with a revision \"{}\"", model.revision)
                      : "",
                  HubsWords(outcome)));
}

}  // namespace

bool IsTransient(const HttpOutcome& outcome) {
  if (outcome.broken == Broken::kUnreached || outcome.broken == Broken::kMidway) return true;
  const int status = outcome.head.status();
  return outcome.broken == Broken::kNot && (status == 408 || status == 429 || status >= 500);
}

std::string ShortReason(const HttpOutcome& outcome) {
  if (outcome.broken == Broken::kUnreached) {
    return fmt::format("no connection came about ({})", outcome.reason);
  }
  if (outcome.broken != Broken::kNot) {
    return fmt::format("the connection broke off ({})", outcome.reason);
  }
  if (outcome.head.ok()) return "the reply ended early";
  return fmt::format("the server answered {}", outcome.head.status());
}

absl::Status FailureStatus(const Subject& subject, const std::string& file,
                           const HttpOutcome& outcome) {
  const std::string what =
      file.empty() ? subject.model.name : fmt::format("{} of {}", file, subject.model.name);
  switch (outcome.broken) {
    case Broken::kUnreached:
      return Unreachable(subject, outcome);
    case Broken::kForGood:
      return absl::FailedPreconditionError(
          fmt::format("cannot get {} from {}: {}; check HF_ENDPOINT, and SSL_CERT_FILE if the "
                      "server's certificate is signed by an authority of your own",
                      what, subject.endpoint, outcome.reason));
    case Broken::kRefused:
      return absl::Status(
          outcome.receiver.code(),
          fmt::format("cannot get {}: {}", what, std::string(outcome.receiver.message())));
    case Broken::kMidway:
      return absl::UnavailableError(fmt::format(
          "cannot get {} from {}: {}, again and again; what has arrived is kept, the same "
          "command goes on from there",
          what, subject.endpoint, ShortReason(outcome)));
    case Broken::kNot:
      break;
  }
  const int status = outcome.head.status();
  if (status == 401 || status == 403) return Forbidden(subject, outcome);
  if (status == 404) return NotFound(subject, file, outcome);
  if (status == 429) {
    return absl::ResourceExhaustedError(fmt::format(
        "the hub allows no more requests for now (429){}; wait some minutes, then run "
        "the same command: it goes on where it stood{}",
        HubsWords(outcome), subject.has_token ? "" : ". With a token in HF_TOKEN it allows more"));
  }
  return absl::UnavailableError(fmt::format(
      "{} for {}{}{}; {}", ShortReason(outcome), what, HubsWords(outcome), BodysWords(outcome),
      status >= 500 ? "the hub is in trouble: run the same command later, it goes on where it stood"
                    : "check HF_ENDPOINT"));
}

}  // namespace tandem::model::hub

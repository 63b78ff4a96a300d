#include "model/hub/environment.h"

#include <curl/curl.h>
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <memory>
#include <string_view>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "base/status.h"

namespace tandem::model::hub {
namespace {

constexpr const char* kPublicHub = "https://huggingface.co";

std::string Variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

std::string PathVariable(const char* name) {
  const std::string value = Variable(name);
  return value.starts_with("~/") ? Variable("HOME") + value.substr(1) : value;
}

bool IsOn(const char* name) {
  const std::string value = absl::AsciiStrToUpper(Variable(name));
  return value == "1" || value == "ON" || value == "YES" || value == "TRUE";
}

absl::StatusOr<std::string> ReadEndpoint() {
  const std::string value = Variable("HF_ENDPOINT");
  if (value.empty()) return kPublicHub;
  const std::unique_ptr<CURLU, void (*)(CURLU*)> url(curl_url(), curl_url_cleanup);
  const bool has_url = curl_url_set(url.get(), CURLUPART_URL, value.c_str(), 0) == CURLUE_OK;
  char* scheme = nullptr;
  char* unwanted = nullptr;
  bool accepted = has_url && curl_url_get(url.get(), CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
                  (std::string_view(scheme) == "http" || std::string_view(scheme) == "https");
  curl_free(scheme);
  for (const CURLUPart part : {CURLUPART_USER, CURLUPART_QUERY, CURLUPART_FRAGMENT}) {
    if (has_url && curl_url_get(url.get(), part, &unwanted, 0) == CURLUE_OK) {
      accepted = false;
      curl_free(unwanted);
    }
  }
  if (!accepted) {
    return absl::InvalidArgumentError(
        fmt::format("HF_ENDPOINT is \"{}\"; accepted: https://HOST[:PORT][/PATH], or http", value));
  }
  return value.substr(0, value.find_last_not_of('/') + 1);
}

absl::StatusOr<std::string> ReadToken() {
  std::string source = "HF_TOKEN";
  std::string text = Variable("HF_TOKEN");
  if (text.empty()) {
    source = "HUGGING_FACE_HUB_TOKEN";
    text = Variable(source.c_str());
  }
  if (text.empty()) {
    source = PathVariable("HF_TOKEN_PATH");
    if (source.empty()) source = HomeDirectory() + "/token";
    std::ifstream file(source);
    if (!file && errno != ENOENT && errno != ENOTDIR) {
      return absl::ErrnoToStatus(errno, fmt::format("cannot read the hub's token from {}", source));
    }
    text.assign(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
  }
  const std::string token(absl::StripAsciiWhitespace(text));
  if (!std::all_of(token.begin(), token.end(), absl::ascii_isgraph)) {
    return absl::InvalidArgumentError(fmt::format(
        "the hub's token in {} holds spaces or control characters; accepted: one token", source));
  }
  return token;
}

absl::StatusOr<std::chrono::seconds> ReadSilenceLimit() {
  const std::string value = Variable("HF_HUB_DOWNLOAD_TIMEOUT");
  if (value.empty()) return Environment().silence_limit;
  int seconds = 0;
  if (!absl::SimpleAtoi(value, &seconds) || seconds < 1 || seconds > 3600) {
    return absl::InvalidArgumentError(fmt::format(
        "HF_HUB_DOWNLOAD_TIMEOUT is \"{}\"; accepted: whole seconds from 1 to 3600", value));
  }
  return std::chrono::seconds(seconds);
}

}  // namespace

std::string HomeDirectory() {
  if (std::string home = PathVariable("HF_HOME"); !home.empty()) return home;
  if (const std::string caches = PathVariable("XDG_CACHE_HOME"); !caches.empty()) {
    return caches + "/huggingface";
  }
  return Variable("HOME") + "/.cache/huggingface";
}

std::string CacheDirectory() {
  for (const char* name : {"HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"}) {
    if (std::string cache = PathVariable(name); !cache.empty()) return cache;
  }
  return HomeDirectory() + "/hub";
}

absl::StatusOr<Environment> ReadEnvironment() {
  Environment environment;
  ASSIGN_OR_RETURN(environment.endpoint, ReadEndpoint());
  ASSIGN_OR_RETURN(environment.token, ReadToken());
  ASSIGN_OR_RETURN(environment.silence_limit, ReadSilenceLimit());
  environment.offline = IsOn("HF_HUB_OFFLINE") || IsOn("TRANSFORMERS_OFFLINE");
  environment.certificates = PathVariable("SSL_CERT_FILE");
  return environment;
}

}  // namespace tandem::model::hub

#include "base/bearer_token.h"

#include <openssl/crypto.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/hash.h"

namespace tandem {
namespace {

constexpr size_t kMaxBytes = 4096;
constexpr std::string_view kScheme = "Bearer ";

}  // namespace

bool SameSecret(std::string_view a, std::string_view b) {
  const auto first = Sha256(a), second = Sha256(b);
  return CRYPTO_memcmp(first.data(), second.data(), first.size()) == 0;
}

absl::StatusOr<BearerToken> BearerToken::Of(std::string_view secret) {
  const bool printable =
      std::all_of(secret.begin(), secret.end(), [](char c) { return c > ' ' && c < 0x7f; });
  if (secret.empty() || secret.size() > kMaxBytes || !printable) {
    return absl::InvalidArgumentError(
        absl::StrCat("a token of ", secret.size(), " bytes is not accepted; accepted is 1 to ",
                     kMaxBytes, " printable characters without blanks"));
  }
  return BearerToken(std::string(secret));
}

absl::StatusOr<BearerToken> BearerToken::FromFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string text(kMaxBytes + 2, '\0');
  std::error_code ignored;
  if (!file || std::filesystem::is_directory(path, ignored)) {
    return absl::InvalidArgumentError(absl::StrCat("the file '", path, "' cannot be read"));
  }
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<size_t>(file.gcount()));
  absl::string_view line = text;
  absl::ConsumeSuffix(&line, "\n");
  absl::ConsumeSuffix(&line, "\r");
  absl::StatusOr<BearerToken> token = Of({line.data(), line.size()});
  if (token.ok()) return token;
  return absl::InvalidArgumentError(absl::StrCat("'", path, "': ", token.status().message()));
}

absl::Status BearerToken::Check(std::string_view authorization) const {
  if (empty()) return absl::OkStatus();
  if (!authorization.starts_with(kScheme)) return CheckSecret("");
  return CheckSecret(authorization.substr(kScheme.size()));
}

absl::Status BearerToken::CheckSecret(std::string_view secret) const {
  if (empty() || SameSecret(secret_, secret)) return absl::OkStatus();
  return absl::UnauthenticatedError(
      secret.empty() ? "a token is needed here, and none was sent"
                     : "the token that was sent is not the one that is accepted here");
}

}  // namespace tandem

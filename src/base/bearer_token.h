#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace tandem {

/// Whether two secrets are the same, in a time that tells nothing about either.
bool SameSecret(std::string_view a, std::string_view b);

/// The secret that those who may use a service have in common, as HTTP and gRPC carry it in the
/// field "authorization". Nothing here writes it anywhere. Const and safe for use by several
/// threads.
class BearerToken {
 public:
  /// None: everybody may.
  BearerToken() = default;
  /// InvalidArgument unless it is 1 to 4096 printable characters without blanks; never shows them.
  static absl::StatusOr<BearerToken> Of(std::string_view secret);
  /// From a file that holds it, with or without a line's end.
  static absl::StatusOr<BearerToken> FromFile(const std::string& path);

  bool empty() const { return secret_.empty(); }
  const std::string& secret() const { return secret_; }
  /// What to send in the field: "Bearer SECRET". Only if there is one.
  std::string Authorization() const { return "Bearer " + secret_; }

  /// Whether who sent `authorization` (empty: no such field) may. Unauthenticated says what is
  /// missing or wrong.
  absl::Status Check(std::string_view authorization) const;
  /// The same of a bare secret.
  absl::Status CheckSecret(std::string_view secret) const;

 private:
  explicit BearerToken(std::string secret) : secret_(std::move(secret)) {}

  std::string secret_;
};

}  // namespace tandem

#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "model/hub/failure.h"
#include "model/hub/http_session.h"
#include "model/hub/pull_observer.h"
#include "model/hub/repository.h"
#include "model/hub/retry.h"

namespace tandem::model::hub {

/// Asks the hub what a repository holds. Failures that may pass are tried again, and told to the
/// observer. All in the arguments must outlive it.
class Catalog {
 public:
  Catalog(HttpSession& session, const Subject& subject, const RetryLimits& limits,
          PullObserver& observer)
      : session_(session), subject_(subject), limits_(limits), observer_(observer) {}

  /// The files at the subject's revision, and its commit.
  absl::StatusOr<Repository> List();

  /// Adds size and etag to a file of which the list did not tell them, as mirrors of the hub may
  /// not. InvalidArgument if its own address does not tell either.
  absl::Status Complete(const std::string& commit, RepositoryFile& file);

 private:
  class Text;
  absl::Status Fetch(Text& text, const std::string& file);

  HttpSession& session_;
  const Subject& subject_;
  const RetryLimits& limits_;
  PullObserver& observer_;
};

/// Where a file's content is had: ENDPOINT/NAME/resolve/COMMIT/PATH.
std::string ResolveUrl(const Subject& subject, const std::string& commit, const std::string& path);

}  // namespace tandem::model::hub

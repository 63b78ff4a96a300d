#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace tandem::model::hub {

/// A file of a repository. Its path never leads out of the directory that it is joined to.
struct RepositoryFile {
  std::string path;
  int64_t size = -1;  ///< Bytes; -1 if the hub did not say.
  /// What names the content: the SHA-256 of a file in large-file storage, the git blob's SHA-1 of
  /// any other. Empty if the hub did not say.
  std::string etag;
};

/// What a repository holds at one commit.
struct Repository {
  std::string commit;
  std::vector<RepositoryFile> files;
};

/// Reads the reply to GET api/models/NAME/revision/REVISION?blobs=true: {"sha", "siblings":
/// [{"rfilename", "size", "blobId", "lfs": {"sha256"}}]}. InvalidArgument names the field that is
/// missing or wrong.
absl::StatusOr<Repository> ParseRepository(std::string_view json);

/// Whether `etag` can name a file: letters, digits, '-', '_' and '.', not in front.
bool IsEtag(std::string_view etag);

/// Whether `commit` is a whole commit id: 40 lower-case hexadecimal digits.
bool IsCommit(std::string_view commit);

}  // namespace tandem::model::hub

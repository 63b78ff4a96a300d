#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "model/hub/model_reference.h"
#include "model/hub/repository.h"

namespace tandem::model::hub {

/// The hub's layout of one model's directory ("models--ORG--NAME") in the cache: blobs/ETAG holds
/// content, snapshots/COMMIT/PATH is a relative link to it, refs/REVISION holds the commit.
std::string BlobPath(const std::string& model_directory, const std::string& etag);
std::string SnapshotPath(const std::string& model_directory, const std::string& commit);

/// Links each of the files, whose blobs are there, into the commit's snapshot; then lets the
/// revision point to the commit. Each link and the ref are replaced at once, so that others see the
/// old or the new one. Links of other files stay.
absl::Status WriteSnapshot(const std::string& model_directory, const std::string& revision,
                           const Repository& repository);

/// The commit that `revision` stands for in the cache; empty if the cache does not know it.
std::string CachedCommit(const std::string& model_directory, const std::string& revision);

/// The files in the cache's snapshot of a commit; a link whose blob is gone counts as no file.
std::vector<RepositoryFile> SnapshotFiles(const std::string& snapshot);

}  // namespace tandem::model::hub

#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "model/hub/blob_download.h"
#include "model/hub/environment.h"
#include "model/hub/file_selection.h"
#include "model/hub/model_reference.h"
#include "model/hub/pull_observer.h"
#include "model/hub_cache.h"

namespace tandem::model::hub {

struct PullOptions {
  ModelReference model;
  FilePatterns patterns;
  DownloadOptions download;
  int stop_fd = -1;  ///< Becomes readable when the pull is to end; -1 for never.
};

/// Brings a model's files into the cache, in the layout that the hub's own tools read and write:
/// what they have brought is not fetched again. The snapshot and its ref appear when all files are
/// there. Returns the snapshot's directory. With Environment::offline nothing is asked for, and it
/// is NotFound if the cache lacks the model.
///
/// Errors say what failed and what can be done: InvalidArgument for names, patterns and settings,
/// PermissionDenied, NotFound, Unavailable, ResourceExhausted (disk, or requests), DataLoss,
/// DeadlineExceeded (another process), Cancelled by `stop_fd`. What has arrived is kept.
absl::StatusOr<std::string> Pull(const PullOptions& options, const Environment& environment,
                                 const HubCache& cache, PullObserver& observer);

}  // namespace tandem::model::hub

#pragma once

#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "model/hub/blob_download.h"

namespace tandem::model::hub {

/// Gets blobs, several ranges of several blobs at a time, and each by one process only.
class Downloader {
 public:
  /// All in the arguments must outlive it.
  Downloader(const Subject& subject, const DownloadOptions& options, HttpSession& session,
             PullObserver& observer)
      : subject_(subject), options_(options), session_(session), observer_(observer) {}

  /// Returns when all blobs are there, in the order given as far as possible. The first that cannot
  /// be had ends it; what has arrived by then is kept. `before` is the progress without them.
  absl::Status Run(std::vector<Blob> blobs, const PullProgress& before);

 private:
  absl::Status BeginAndStart(TimePoint now);
  int active() const;
  absl::Status HandleEnded(HttpExchange& exchange, TimePoint now);
  bool AdvanceProgress(const PullProgress& before);

  const Subject& subject_;
  const DownloadOptions& options_;
  HttpSession& session_;
  PullObserver& observer_;
  std::vector<std::unique_ptr<BlobDownload>> downloads_;
  TimePoint paused_until_{};
  TimePoint next_lock_attempt_{};
};

}  // namespace tandem::model::hub

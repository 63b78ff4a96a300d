#include "model/hub/downloader.h"

#include <algorithm>

#include "base/status.h"

namespace tandem::model::hub {
namespace {

constexpr Duration kTick = std::chrono::milliseconds(100);
constexpr Duration kLockInterval = std::chrono::milliseconds(500);

}  // namespace

absl::Status Downloader::Run(std::vector<Blob> blobs, const PullProgress& before) {
  for (Blob& blob : blobs) {
    downloads_.push_back(
        std::make_unique<BlobDownload>(std::move(blob), subject_, options_, session_, observer_));
  }
  while (!AdvanceProgress(before)) {
    RETURN_IF_ERROR(BeginAndStart(Clock::Real().Now()));
    ASSIGN_OR_RETURN(const auto ended, session_.Poll(kTick));
    for (HttpExchange* exchange : ended) {
      RETURN_IF_ERROR(HandleEnded(*exchange, Clock::Real().Now()));
    }
    for (const auto& download : downloads_) RETURN_IF_ERROR(download->Advance());
  }
  return absl::OkStatus();
}

int Downloader::active() const {
  int active = 0;
  for (const auto& download : downloads_) active += download->active();
  return active;
}

absl::Status Downloader::BeginAndStart(TimePoint now) {
  if (now < paused_until_) return absl::OkStatus();
  const bool may_try_locks = now >= next_lock_attempt_;
  int free = options_.connections - active();
  for (const auto& download : downloads_) {
    if (free <= 0) break;
    if (!download->begun() && may_try_locks) {
      ASSIGN_OR_RETURN(const bool has_begun, download->TryBegin(now));
      if (!has_begun) next_lock_attempt_ = now + kLockInterval;
    }
    if (!download->begun()) continue;
    while (free > 0 && download->StartRange(now)) --free;
  }
  return absl::OkStatus();
}

absl::Status Downloader::HandleEnded(HttpExchange& exchange, TimePoint now) {
  const auto owner = std::find_if(downloads_.begin(), downloads_.end(),
                                  [&](const auto& download) { return download->Owns(exchange); });
  // A blob that started over has dropped its other exchanges.
  if (owner == downloads_.end()) return absl::OkStatus();
  ASSIGN_OR_RETURN(const std::optional<TimePoint> paused_until,
                   (*owner)->RangeEnded(exchange, now));
  if (paused_until) paused_until_ = std::max(paused_until_, *paused_until);
  return absl::OkStatus();
}

bool Downloader::AdvanceProgress(const PullProgress& before) {
  PullProgress progress = before;
  for (const auto& download : downloads_) {
    progress.bytes_done += download->bytes_done();
    if (download->done()) {
      ++progress.files_done;
    } else if (download->begun() && progress.file.empty()) {
      progress.file = download->blob().file;
    }
  }
  observer_.OnProgress(progress);
  return progress.files_done == progress.files;
}

}  // namespace tandem::model::hub

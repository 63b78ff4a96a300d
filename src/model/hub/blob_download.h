#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "model/hub/blob_check.h"
#include "model/hub/blob_lock.h"
#include "model/hub/failure.h"
#include "model/hub/http_session.h"
#include "model/hub/partial_file.h"
#include "model/hub/pull_observer.h"
#include "model/hub/retry.h"

namespace tandem::model::hub {

/// Content to get, and where it goes.
struct Blob {
  std::string file;  ///< In the repository, for messages.
  std::string url;
  std::string etag;
  int64_t size = 0;  ///< Bytes.
  std::string path;  ///< Where the whole content goes.
  std::string lock;  ///< The file that keeps other processes away.
};

/// Where a blob is while it arrives. Not huggingface_hub's name: its older versions would take the
/// file's length for what has arrived.
std::string PartialPath(const Blob& blob);

/// Whether the whole content is there.
bool IsThere(const Blob& blob);

struct DownloadOptions {
  int connections = 8;                         ///< At a time, at least 1.
  int64_t range_bytes = int64_t{32} << 20;     ///< What one request asks for, more than 0.
  Duration lock_wait = std::chrono::hours(1);  ///< For another process that gets the same blob.
  RetryLimits retry;
};

/// One blob on its way: its lock, its ranges, its checksum. Used by one thread.
class BlobDownload {
 public:
  /// All in the arguments but the blob must outlive it.
  BlobDownload(Blob blob, const Subject& subject, const DownloadOptions& options,
               HttpSession& session, PullObserver& observer);

  const Blob& blob() const { return blob_; }
  bool begun() const { return partial_ != nullptr || done_; }
  bool done() const { return done_; }
  /// The bytes that are there.
  int64_t bytes_done() const;
  /// The exchanges that are under way.
  int active() const;
  bool Owns(const HttpExchange& exchange) const;

  /// Takes the lock and opens what has arrived before; false if another process has the lock, until
  /// DeadlineExceeded after DownloadOptions::lock_wait. The blob may be done then: another brought
  /// it.
  absl::StatusOr<bool> TryBegin(TimePoint now);

  /// Begins to fetch a range that lacks bytes and may be asked for now; false if there is none.
  bool StartRange(TimePoint now);

  /// An exchange that this blob owns has ended. Returns until when nothing must be asked of the
  /// hub, if it said so; an error if the blob cannot be had.
  absl::StatusOr<std::optional<TimePoint>> RangeEnded(HttpExchange& exchange, TimePoint now);

  /// Hands what has arrived to the check, and gives the blob its name once that has ended well. A
  /// blob with a wrong checksum is fetched once more from the beginning; DataLoss after that.
  absl::Status Advance();

 private:
  class RangeExchange;
  struct Range {
    explicit Range(const RetryLimits& limits);
    Range(Range&&) noexcept;
    ~Range();
    RetrySchedule schedule;
    TimePoint not_before{};
    std::unique_ptr<RangeExchange> exchange;  // while it is under way
  };

  void ResetRanges();
  absl::Status GetInOnePiece();
  absl::Status FetchAgain(const absl::Status& mismatch);

  const Blob blob_;
  const Subject& subject_;
  const DownloadOptions& options_;
  HttpSession& session_;
  PullObserver& observer_;
  std::optional<BlobLock> lock_;
  std::optional<TimePoint> locked_out_since_;
  std::unique_ptr<PartialFile> partial_;
  std::vector<Range> ranges_;
  std::unique_ptr<BlobCheck> check_;  // after partial_, whose descriptor it reads
  int mismatches_ = 0;
  bool done_ = false;
};

}  // namespace tandem::model::hub

#include "model/hub/blob_download.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <system_error>

#include "base/status.h"
#include "model/hub/file_selection.h"

namespace tandem::model::hub {
namespace {

/// An attempt that brought this much has progressed, however it ended; less would let a server that
/// sends a byte a connection go on for ever.
constexpr int64_t kProgressBytes = 64 << 10;

absl::Status WithAdvice(const absl::Status& status) {
  if (!absl::IsResourceExhausted(status)) return status;
  return absl::ResourceExhaustedError(
      fmt::format("{}; free some space, or set HF_HOME to a directory on a larger disk. What has "
                  "arrived is kept",
                  std::string(status.message())));
}

}  // namespace

std::string PartialPath(const Blob& blob) { return blob.path + ".tandem.incomplete"; }

bool IsThere(const Blob& blob) {
  std::error_code error;
  return std::filesystem::file_size(blob.path, error) == static_cast<uintmax_t>(blob.size) &&
         !error;
}

/// One request for what a range lacks.
class BlobDownload::RangeExchange : public HttpExchange {
 public:
  RangeExchange(PartialFile& partial, size_t range, const std::string& url)
      : HttpExchange({.url = url, .range = BytesOf(partial, range)}),
        partial_(partial),
        range_(range),
        before_(partial.Received(range)) {}

  size_t range() const { return range_; }
  bool progressed() const { return partial_.Received(range_) - before_ >= kProgressBytes; }
  bool whole_instead_of_range() const { return whole_instead_of_range_; }

  absl::Status OnHead(const HttpHead& head) override {
    if (!request().range) return absl::OkStatus();
    if (head.status() != 206) {
      whole_instead_of_range_ = true;
      return absl::UnimplementedError("the server sends no ranges");
    }
    const std::optional<ContentRange> sent = ParseContentRange(head.Field("content-range"));
    if (!sent || sent->first != request().range->first ||
        (sent->size >= 0 && sent->size != partial_.size())) {
      return absl::InternalError(fmt::format(
          "the server sends \"{}\" where bytes {} to {} of {} were asked for; check HF_ENDPOINT",
          head.Field("content-range"), request().range->first, request().range->second,
          partial_.size()));
    }
    return absl::OkStatus();
  }

  absl::Status OnBody(std::string_view bytes) override { return partial_.Append(range_, bytes); }

 private:
  /// Nothing for a whole file, which every server can send.
  static std::optional<std::pair<int64_t, int64_t>> BytesOf(const PartialFile& partial,
                                                            size_t range) {
    const int64_t begin = partial.RangeBegin(range) + partial.Received(range);
    const int64_t last = partial.RangeBegin(range) + partial.RangeSize(range) - 1;
    if (begin == 0 && last == partial.size() - 1) return std::nullopt;
    return std::pair(begin, last);
  }

  PartialFile& partial_;
  const size_t range_;
  const int64_t before_;
  bool whole_instead_of_range_ = false;
};

BlobDownload::Range::Range(const RetryLimits& limits) : schedule(limits) {}
BlobDownload::Range::Range(Range&&) noexcept = default;
BlobDownload::Range::~Range() = default;

BlobDownload::BlobDownload(Blob blob, const Subject& subject, const DownloadOptions& options,
                           HttpSession& session, PullObserver& observer)
    : blob_(std::move(blob)),
      subject_(subject),
      options_(options),
      session_(session),
      observer_(observer) {}

int64_t BlobDownload::bytes_done() const {
  if (done_) return blob_.size;
  return partial_ == nullptr ? 0 : partial_->received();
}

absl::StatusOr<bool> BlobDownload::TryBegin(TimePoint now) {
  ASSIGN_OR_RETURN(lock_, BlobLock::TryTake(blob_.lock));
  if (!lock_) {
    if (!locked_out_since_) {
      locked_out_since_ = now;
      observer_.OnNotice(fmt::format("{}: waiting for another process that gets it", blob_.file));
    }
    if (now - *locked_out_since_ < options_.lock_wait) return false;
    return absl::DeadlineExceededError(fmt::format(
        "another process has been getting {} for {:.0f} s and holds {}; let it end, or stop it",
        blob_.file, Seconds(options_.lock_wait), blob_.lock));
  }
  if (IsThere(blob_)) {
    done_ = true;
    lock_.reset();
    return true;
  }
  auto partial = PartialFile::Open(PartialPath(blob_), blob_.size, options_.range_bytes);
  if (!partial.ok()) return WithAdvice(partial.status());
  partial_ = *std::move(partial);
  if (partial_->received() > 0) {
    observer_.OnNotice(fmt::format("{}: {} of {} are there already", blob_.file,
                                   ByteText(partial_->received()), ByteText(blob_.size)));
  }
  ResetRanges();
  return true;
}

int BlobDownload::active() const {
  return static_cast<int>(std::count_if(ranges_.begin(), ranges_.end(), [](const Range& range) {
    return range.exchange != nullptr;
  }));
}

bool BlobDownload::Owns(const HttpExchange& exchange) const {
  return std::any_of(ranges_.begin(), ranges_.end(),
                     [&](const Range& range) { return range.exchange.get() == &exchange; });
}

bool BlobDownload::StartRange(TimePoint now) {
  for (size_t i = 0; i < ranges_.size(); ++i) {
    Range& range = ranges_[i];
    if (range.exchange != nullptr || partial_->HasRange(i) || now < range.not_before) continue;
    range.exchange = std::make_unique<RangeExchange>(*partial_, i, blob_.url);
    session_.Start(*range.exchange);
    return true;
  }
  return false;
}

absl::StatusOr<std::optional<TimePoint>> BlobDownload::RangeEnded(HttpExchange& exchange,
                                                                  TimePoint now) {
  Range& range = ranges_[static_cast<RangeExchange&>(exchange).range()];
  const std::unique_ptr<RangeExchange> ended = std::move(range.exchange);
  if (partial_->HasRange(ended->range())) return std::nullopt;
  const HttpOutcome& outcome = ended->outcome();
  if (ended->whole_instead_of_range()) {
    RETURN_IF_ERROR(GetInOnePiece());
    return std::nullopt;
  }
  const std::optional<Duration> wait = range.schedule.Failed(outcome, ended->progressed());
  if (!wait) return WithAdvice(FailureStatus(subject_, blob_.file, outcome));
  range.not_before = now + *wait;
  observer_.OnNotice(fmt::format("{}: {}; trying again in {:.0f} s", blob_.file,
                                 ShortReason(outcome), Seconds(*wait)));
  if (outcome.head.status() != 429) return std::nullopt;
  return range.not_before;
}

absl::Status BlobDownload::Advance() {
  if (done_ || partial_ == nullptr) return absl::OkStatus();
  check_->Arrived(partial_->Prefix());
  const std::optional<absl::Status> result = check_->result();
  if (!result) return absl::OkStatus();
  if (absl::IsDataLoss(*result)) return FetchAgain(*result);
  RETURN_IF_ERROR(WithAdvice(*result));
  RETURN_IF_ERROR(partial_->Finish(blob_.path));
  done_ = true;
  ranges_.clear();
  check_.reset();
  partial_.reset();
  lock_.reset();
  return absl::OkStatus();
}

void BlobDownload::ResetRanges() {
  ranges_.clear();
  for (size_t i = 0; i < partial_->ranges(); ++i) ranges_.emplace_back(options_.retry);
  check_ = std::make_unique<BlobCheck>(partial_->fd(), blob_.size, blob_.etag,
                                       [this] { session_.Wake(); });
}

absl::Status BlobDownload::GetInOnePiece() {
  observer_.OnNotice(
      fmt::format("{}: the server sends no parts of files; getting it in one piece", blob_.file));
  ranges_.clear();
  check_.reset();
  RETURN_IF_ERROR(WithAdvice(partial_->Restart(blob_.size)));
  ResetRanges();
  return absl::OkStatus();
}

absl::Status BlobDownload::FetchAgain(const absl::Status& mismatch) {
  check_.reset();
  if (++mismatches_ > 1) {
    partial_->Discard();
    return absl::DataLossError(fmt::format(
        "{} arrived damaged twice: {}. It is not kept; something between the hub and here changes "
        "it: check HF_ENDPOINT and HTTPS_PROXY",
        blob_.file, std::string(mismatch.message())));
  }
  observer_.OnNotice(
      fmt::format("{}: {}; getting it once more", blob_.file, std::string(mismatch.message())));
  RETURN_IF_ERROR(WithAdvice(partial_->Restart(options_.range_bytes)));
  ResetRanges();
  return absl::OkStatus();
}

}  // namespace tandem::model::hub

#include "model/hub/blob_check.h"

#include <fmt/format.h>
#include <openssl/evp.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "base/hash.h"

namespace tandem::model::hub {
namespace {

constexpr int64_t kPieceBytes = 1 << 20;

using DigestContext = std::unique_ptr<EVP_MD_CTX, void (*)(EVP_MD_CTX*)>;

/// What the etag's length says the content is named by; null for none of both.
const EVP_MD* AlgorithmOf(const std::string& etag) {
  if (etag.size() == 64) return EVP_sha256();
  if (etag.size() == 40) return EVP_sha1();
  return nullptr;
}

}  // namespace

BlobCheck::BlobCheck(int fd, int64_t size, std::string etag, std::function<void()> on_end)
    : fd_(fd), size_(size), etag_(std::move(etag)), on_end_(std::move(on_end)) {
  thread_ = std::thread([this] { Run(); });
}

BlobCheck::~BlobCheck() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
    changed_.NotifyAll();
  }
  thread_.join();
}

void BlobCheck::Arrived(int64_t bytes) {
  MutexLock lock(mutex_);
  arrived_ = bytes;
  changed_.NotifyAll();
}

std::optional<absl::Status> BlobCheck::result() const {
  MutexLock lock(mutex_);
  return result_;
}

void BlobCheck::Run() {
  absl::Status status = Check();
  {
    MutexLock lock(mutex_);
    if (stopping_) return;
    result_ = std::move(status);
  }
  on_end_();
}

std::optional<int64_t> BlobCheck::WaitForMore(int64_t read) {
  MutexLock lock(mutex_);
  const auto woken = [&]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return stopping_ || arrived_ > read; };
  while (!changed_.WaitUntil(mutex_, Clock::Real().Now() + std::chrono::seconds(1), woken)) {
  }
  if (stopping_) return std::nullopt;
  return arrived_;
}

absl::Status BlobCheck::Check() {
  const EVP_MD* algorithm = AlgorithmOf(etag_);
  const DigestContext digest(EVP_MD_CTX_new(), EVP_MD_CTX_free);
  EVP_DigestInit_ex(digest.get(), algorithm == nullptr ? EVP_sha256() : algorithm, nullptr);
  if (etag_.size() == 40) {
    // git names a blob by its content behind this head, which ends with a zero byte.
    const std::string head = fmt::format("blob {}", size_);
    EVP_DigestUpdate(digest.get(), head.c_str(), head.size() + 1);
  }
  std::vector<char> piece(static_cast<size_t>(std::min(kPieceBytes, size_)));
  for (int64_t read = 0; read < size_;) {
    const std::optional<int64_t> arrived = WaitForMore(read);
    if (!arrived) return absl::CancelledError("stopped");
    const auto most = static_cast<size_t>(std::min(kPieceBytes, *arrived - read));
    const ssize_t got = pread(fd_, piece.data(), most, read);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return absl::ErrnoToStatus(got < 0 ? errno : EIO, "cannot read what arrived");
    EVP_DigestUpdate(digest.get(), piece.data(), static_cast<size_t>(got));
    read += got;
  }
  std::array<uint8_t, EVP_MAX_MD_SIZE> bytes;
  unsigned int count = 0;
  EVP_DigestFinal_ex(digest.get(), bytes.data(), &count);
  if (const std::string hex = ToHex({bytes.data(), count}); algorithm != nullptr && hex != etag_) {
    return absl::DataLossError(fmt::format("its checksum is {}, the hub's is {}", hex, etag_));
  }
  if (fdatasync(fd_) != 0) return absl::ErrnoToStatus(errno, "cannot bring the file to the disk");
  return absl::OkStatus();
}

}  // namespace tandem::model::hub

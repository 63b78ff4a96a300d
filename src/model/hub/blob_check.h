#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <thread>

#include "absl/status/status.h"
#include "base/mutex.h"

namespace tandem::model::hub {

/// Reads a file on a thread of its own while it arrives, and compares its checksum with the one
/// that its etag is: the SHA-256 of the content (64 hexadecimal digits), or git's SHA-1 of it as a
/// blob (40). Content under an etag of another form is not compared. At the end the bytes are on
/// the disk.
class BlobCheck {
 public:
  /// `fd` stays the caller's, and open as long as the object lives. `on_end` is called once, on the
  /// thread, when the result is there.
  BlobCheck(int fd, int64_t size, std::string etag, std::function<void()> on_end);
  /// Stops at once, whether it has read everything or not.
  ~BlobCheck();
  BlobCheck(const BlobCheck&) = delete;
  BlobCheck& operator=(const BlobCheck&) = delete;

  /// The file's first `bytes` bytes are there. At its size the check comes to its end.
  void Arrived(int64_t bytes);

  /// Nothing until everything was read. Then OK; DataLoss that names both checksums if they differ;
  /// another error if the file cannot be read or brought to the disk.
  std::optional<absl::Status> result() const;

 private:
  void Run();
  absl::Status Check();
  /// The bytes that are there, as soon as they are more than `read`; nothing if stopped.
  std::optional<int64_t> WaitForMore(int64_t read);

  const int fd_;
  const int64_t size_;
  const std::string etag_;
  const std::function<void()> on_end_;
  mutable Mutex mutex_;
  CondVar changed_;
  int64_t arrived_ ABSL_GUARDED_BY(mutex_) = 0;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::optional<absl::Status> result_ ABSL_GUARDED_BY(mutex_);
  std::thread thread_;  // last: it uses all of the above
};

}  // namespace tandem::model::hub

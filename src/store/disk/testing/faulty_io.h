#pragma once

#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "store/disk/disk_io.h"

namespace tandem::store::testing {

/// A disk that does what tests want it to: fails, is full, or answers only when told to. Safe for
/// use by several threads.
class FaultyIo : public DiskIo {
 public:
  /// From now on writes, syncs, reads and reservations end with these; OK lets them through.
  void FailWrites(absl::Status status) { Set(write_, std::move(status)); }
  void FailSyncs(absl::Status status) { Set(sync_, std::move(status)); }
  void FailReads(absl::Status status) { Set(read_, std::move(status)); }
  void FailReserve(absl::Status status) { Set(reserve_, std::move(status)); }
  /// Writes after this many more fail, as in a crash in the middle.
  void FailWritesAfter(int count, absl::Status status) {
    MutexLock lock(mutex_);
    writes_left_ = count;
    late_write_ = std::move(status);
  }

  /// From now on writes wait until they are let through.
  void HoldWrites() {
    MutexLock lock(mutex_);
    holds_ = true;
  }
  void LetWritesThrough() {
    std::vector<std::function<void()>> held;
    {
      MutexLock lock(mutex_);
      holds_ = false;
      held.swap(held_);
    }
    for (const auto& write : held) write();
  }
  size_t held_writes() {
    MutexLock lock(mutex_);
    return held_.size();
  }

  void Read(int fd, uint64_t offset, std::span<std::byte> bytes, Done done) override {
    if (absl::Status status = Get(read_); !status.ok()) return done(status);
    io_->Read(fd, offset, bytes, std::move(done));
  }
  void Write(int fd, uint64_t offset, std::span<const std::byte> bytes, Done done) override {
    absl::Status status = Get(write_);
    {
      MutexLock lock(mutex_);
      if (holds_) {
        held_.push_back([=, this] { Write(fd, offset, bytes, done); });
        return;
      }
      if (writes_left_ == 0) status.Update(late_write_);
      if (writes_left_ > 0) --writes_left_;
    }
    if (!status.ok()) return done(status);
    io_->Write(fd, offset, bytes, std::move(done));
  }
  absl::Status Reserve(int fd, uint64_t bytes) override {
    absl::Status status = Get(reserve_);
    status.Update(io_->Reserve(fd, bytes));
    return status;
  }
  absl::Status Sync(int fd) override {
    absl::Status status = Get(sync_);
    status.Update(io_->Sync(fd));
    return status;
  }
  const char* name() const override { return "faulty"; }

 private:
  void Set(absl::Status& field, absl::Status status) {
    MutexLock lock(mutex_);
    field = std::move(status);
  }
  absl::Status Get(const absl::Status& field) {
    MutexLock lock(mutex_);
    return absl::Status(field.code(), std::string(field.message()));
  }

  const std::unique_ptr<DiskIo> io_ = DiskIo::Create();
  Mutex mutex_;
  absl::Status write_, sync_, read_, reserve_, late_write_;
  int writes_left_ = -1;
  bool holds_ = false;
  std::vector<std::function<void()>> held_;
};

}  // namespace tandem::store::testing

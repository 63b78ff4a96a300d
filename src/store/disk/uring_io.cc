#include <liburing.h>

#include <algorithm>
#include <cerrno>
#include <deque>
#include <thread>
#include <unordered_map>

#include "base/mutex.h"
#include "store/disk/disk_io.h"

namespace tandem::store {
namespace {

constexpr unsigned kDepth = 64;
constexpr size_t kMostAtOnce = size_t{1} << 30;  // a length is 32 bits there

class UringIo : public DiskIo {
 public:
  /// Takes over an open ring.
  explicit UringIo(const io_uring& ring) : ring_(ring), thread_([this] { Run(); }) {}
  ~UringIo() override {
    {
      MutexLock lock(mutex_);
      stopping_ = true;
      io_uring_sqe* entry = io_uring_get_sqe(&ring_);
      io_uring_prep_nop(entry);
      io_uring_sqe_set_data64(entry, kWake);
      io_uring_submit(&ring_);
    }
    thread_.join();
    io_uring_queue_exit(&ring_);
  }

  void Read(int fd, uint64_t offset, std::span<std::byte> bytes, Done done) override {
    Start({false, fd, offset, bytes.data(), bytes.size(), std::move(done)});
  }
  void Write(int fd, uint64_t offset, std::span<const std::byte> bytes, Done done) override {
    // The ring takes one kind of pointer for both; it does not write through this one.
    Start({true, fd, offset, const_cast<std::byte*>(bytes.data()), bytes.size(), std::move(done)});
  }
  const char* name() const override { return "io_uring"; }

 private:
  static constexpr uint64_t kWake = 0;

  struct Operation {
    bool write;
    int fd;
    uint64_t offset;
    std::byte* data;
    size_t left;
    Done done;
  };

  void Start(Operation operation) {
    MutexLock lock(mutex_);
    const uint64_t id = next_id_++;
    operations_.emplace(id, std::move(operation));
    waiting_.push_back(id);
    SubmitWaiting();
  }

  /// One place in the ring is left for the destructor's.
  void SubmitWaiting() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    bool added = false;
    while (!waiting_.empty() && in_flight_ + 1 < kDepth) {
      io_uring_sqe* entry = io_uring_get_sqe(&ring_);
      if (entry == nullptr) break;
      const uint64_t id = waiting_.front();
      waiting_.pop_front();
      const Operation& operation = operations_.at(id);
      const auto length = static_cast<unsigned>(std::min(operation.left, kMostAtOnce));
      if (operation.write) {
        io_uring_prep_write(entry, operation.fd, operation.data, length, operation.offset);
      } else {
        io_uring_prep_read(entry, operation.fd, operation.data, length, operation.offset);
      }
      io_uring_sqe_set_data64(entry, id);
      ++in_flight_;
      added = true;
    }
    if (added) io_uring_submit(&ring_);
  }

  void Run() {
    while (true) {
      io_uring_cqe* entry = nullptr;
      if (io_uring_wait_cqe(&ring_, &entry) < 0) continue;  // a signal came
      const uint64_t id = io_uring_cqe_get_data64(entry);
      const int result = entry->res;
      io_uring_cqe_seen(&ring_, entry);
      Done done;
      absl::Status status;
      {
        MutexLock lock(mutex_);
        if (id != kWake) {
          --in_flight_;
          done = Settle(id, result, status);
        }
        SubmitWaiting();
        if (stopping_ && operations_.empty() && done == nullptr) return;
      }
      if (done == nullptr) continue;
      done(status);
      MutexLock lock(mutex_);
      if (stopping_ && operations_.empty()) return;
    }
  }

  /// What is to be called, if the operation has ended with this.
  Done Settle(uint64_t id, int result, absl::Status& status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    Operation& operation = operations_.at(id);
    if (result > 0) {
      operation.data += result;
      operation.offset += static_cast<uint64_t>(result);
      operation.left -= static_cast<size_t>(result);
    }
    if (result == -EINTR || result == -EAGAIN || (result > 0 && operation.left > 0)) {
      waiting_.push_front(id);
      return nullptr;
    }
    if (result < 0) {
      status = absl::ErrnoToStatus(
          -result, operation.write ? "cannot write to disk" : "cannot read from disk");
    } else if (operation.left > 0) {
      status = absl::DataLossError("a file ends too early");
    }
    Done done = std::move(operation.done);
    operations_.erase(id);
    return done;
  }

  Mutex mutex_;
  io_uring ring_;  // submissions under mutex_, completions by the thread
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  uint64_t next_id_ ABSL_GUARDED_BY(mutex_) = kWake + 1;
  unsigned in_flight_ ABSL_GUARDED_BY(mutex_) = 0;
  std::unordered_map<uint64_t, Operation> operations_ ABSL_GUARDED_BY(mutex_);
  std::deque<uint64_t> waiting_ ABSL_GUARDED_BY(mutex_);  // ids, for a place in the ring
  std::thread thread_;
};

}  // namespace

std::unique_ptr<DiskIo> DiskIo::CreateUring() {
  io_uring ring;
  if (io_uring_queue_init(kDepth, &ring, 0) < 0) return nullptr;
  io_uring_probe* probe = io_uring_get_probe_ring(&ring);
  const bool complete = probe != nullptr && io_uring_opcode_supported(probe, IORING_OP_READ) != 0 &&
                        io_uring_opcode_supported(probe, IORING_OP_WRITE) != 0;
  if (probe != nullptr) io_uring_free_probe(probe);
  if (!complete) {
    io_uring_queue_exit(&ring);
    return nullptr;
  }
  return std::make_unique<UringIo>(ring);
}

}  // namespace tandem::store

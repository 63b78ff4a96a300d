#pragma once

#include <ucp/api/ucp.h>

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "absl/status/statusor.h"
#include "base/mutex.h"
#include "base/scoped_fd.h"

namespace tandem::transfer {

/// What UCX's `status` means here: Unavailable for lost and refused connections.
absl::Status ToStatus(ucs_status_t status, const std::string& what);

/// A UCX worker and the thread that drives it, which sleeps while nothing happens. All of UCX is
/// called on that thread: methods other than Post and Stop are for tasks and callbacks on it.
class UcxWorker {
 public:
  using Task = std::function<void()>;
  using Completion = std::function<void(ucs_status_t status)>;

  static absl::StatusOr<std::unique_ptr<UcxWorker>> Create(ucp_context_h context);
  ~UcxWorker() { Stop(nullptr); }
  UcxWorker(const UcxWorker&) = delete;
  UcxWorker& operator=(const UcxWorker&) = delete;

  /// Starts the thread. Until then whoever created the worker may call it.
  void Start();
  /// Runs `task` on the worker's thread, soon. False, and it never runs, after Stop. Safe on every
  /// thread.
  bool Post(Task task);
  /// Runs the tasks posted so far and `last`, if there is one, waits a bounded time for endpoints
  /// that are closing, completes what is left with UCS_ERR_CANCELED and joins the thread.
  void Stop(Task last);

  ucp_worker_h handle() const { return handle_; }

  /// Sends an active message; header and data must stay valid until `done`, which may be called
  /// before Send returns.
  void Send(ucp_ep_h endpoint, unsigned message_id, std::span<const std::byte> header,
            std::span<const std::byte> data, uint32_t flags, Completion done);
  /// Receives the data behind a rendezvous descriptor.
  void Receive(void* descriptor, std::span<std::byte> buffer, Completion done);
  /// Waits a bounded time until these endpoints are connected and what was sent on them has left.
  void Flush(const std::vector<ucp_ep_h>& endpoints);
  /// Closes an endpoint at once; what is in flight on it completes with an error.
  void Close(ucp_ep_h endpoint);

 private:
  UcxWorker() = default;
  absl::Status Open(ucp_context_h context);
  void Run();
  bool RunTasks();
  void Sleep();
  void DrainAndDestroy();
  void ProgressUntilEnded(const std::vector<ucs_status_ptr_t>& requests);
  void Track(ucs_status_ptr_t request, uint64_t operation);
  void Complete(uint64_t operation, ucs_status_t status);
  uint64_t NewOperation(Completion done);
  static void OnSent(void* request, ucs_status_t status, void* user_data);
  static void OnReceived(void* request, ucs_status_t status, size_t length, void* user_data);

  struct Operation {
    UcxWorker* worker;
    uint64_t id;
    Completion done;
  };

  ucp_worker_h handle_ = nullptr;
  ScopedFd wake_;
  ScopedFd epoll_;
  std::unordered_map<uint64_t, std::unique_ptr<Operation>> operations_;
  std::vector<ucs_status_ptr_t> closing_;
  uint64_t next_operation_ = 1;

  Mutex mutex_;
  std::vector<Task> tasks_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace tandem::transfer

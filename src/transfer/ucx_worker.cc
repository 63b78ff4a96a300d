#include "transfer/ucx_worker.h"

#include <fmt/format.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include <chrono>
#include <utility>

#include "base/clock.h"
#include "base/status.h"

namespace tandem::transfer {
namespace {

constexpr Duration kCloseTimeout = std::chrono::milliseconds(500);

bool Watch(int epoll, int fd) {
  epoll_event event{.events = EPOLLIN, .data = {.fd = fd}};
  return epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0;
}

}  // namespace

absl::Status ToStatus(ucs_status_t status, const std::string& what) {
  const std::string message = fmt::format("{}: {}", what, ucs_status_string(status));
  switch (status) {
    case UCS_OK:
      return absl::OkStatus();
    case UCS_ERR_NO_MEMORY:
    case UCS_ERR_NO_RESOURCE:
      return absl::ResourceExhaustedError(message);
    case UCS_ERR_CANCELED:
      return absl::CancelledError(message);
    case UCS_ERR_INVALID_PARAM:
    case UCS_ERR_INVALID_ADDR:
      return absl::InvalidArgumentError(message);
    case UCS_ERR_BUSY:
      return absl::AlreadyExistsError(message);
    default:
      return absl::UnavailableError(message);
  }
}

absl::StatusOr<std::unique_ptr<UcxWorker>> UcxWorker::Create(ucp_context_h context) {
  std::unique_ptr<UcxWorker> worker(new UcxWorker);
  RETURN_IF_ERROR(worker->Open(context));
  return worker;
}

void UcxWorker::Start() {
  thread_ = std::thread([this] { Run(); });
}

absl::Status UcxWorker::Open(ucp_context_h context) {
  ucp_worker_params_t params{};
  params.field_mask = UCP_WORKER_PARAM_FIELD_THREAD_MODE;
  // Created here, driven by the thread: one at a time, but not always the same.
  params.thread_mode = UCS_THREAD_MODE_SERIALIZED;
  RETURN_IF_ERROR(ToStatus(ucp_worker_create(context, &params, &handle_), "cannot start a worker"));
  int events = -1;
  RETURN_IF_ERROR(ToStatus(ucp_worker_get_efd(handle_, &events), "cannot wait for a worker"));
  wake_ = ScopedFd(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  epoll_ = ScopedFd(epoll_create1(EPOLL_CLOEXEC));
  if (!Watch(epoll_.get(), events) || !Watch(epoll_.get(), wake_.get())) {
    return absl::ErrnoToStatus(errno, "cannot wait for a worker");
  }
  return absl::OkStatus();
}

bool UcxWorker::Post(Task task) {
  MutexLock lock(mutex_);
  if (stopping_) return false;
  tasks_.push_back(std::move(task));
  if (tasks_.size() == 1) eventfd_write(wake_.get(), 1);
  return true;
}

void UcxWorker::Stop(Task last) {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
    if (last != nullptr) tasks_.push_back(std::move(last));
  }
  if (!thread_.joinable()) {
    if (handle_ != nullptr) ucp_worker_destroy(std::exchange(handle_, nullptr));
    return;
  }
  eventfd_write(wake_.get(), 1);
  thread_.join();
}

void UcxWorker::Run() {
  while (RunTasks()) {
    if (ucp_worker_progress(handle_) == 0) Sleep();
  }
  DrainAndDestroy();
}

bool UcxWorker::RunTasks() {
  std::vector<Task> tasks;
  bool stopping = false;
  {
    MutexLock lock(mutex_);
    tasks.swap(tasks_);
    stopping = stopping_;
  }
  for (Task& task : tasks) task();
  return !stopping;
}

void UcxWorker::Sleep() {
  // Events that came since the last progress make arming fail.
  if (ucp_worker_arm(handle_) != UCS_OK) return;
  epoll_event events[2];
  const int count = epoll_wait(epoll_.get(), events, 2, -1);
  for (int i = 0; i < count; ++i) {
    eventfd_t ignored;
    if (events[i].data.fd == wake_.get()) eventfd_read(wake_.get(), &ignored);
  }
}

void UcxWorker::ProgressUntilEnded(const std::vector<ucs_status_ptr_t>& requests) {
  const TimePoint give_up = Clock::Real().Now() + kCloseTimeout;
  for (ucs_status_ptr_t request : requests) {
    while (ucp_request_check_status(request) == UCS_INPROGRESS && Clock::Real().Now() < give_up) {
      ucp_worker_progress(handle_);
    }
    ucp_request_free(request);
  }
}

void UcxWorker::DrainAndDestroy() {
  ProgressUntilEnded(closing_);
  ucp_worker_destroy(std::exchange(handle_, nullptr));
  while (!operations_.empty()) Complete(operations_.begin()->first, UCS_ERR_CANCELED);
}

uint64_t UcxWorker::NewOperation(Completion done) {
  const uint64_t id = next_operation_++;
  operations_[id] = std::make_unique<Operation>(Operation{this, id, std::move(done)});
  return id;
}

void UcxWorker::Complete(uint64_t operation, ucs_status_t status) {
  const auto node = operations_.extract(operation);
  if (!node.empty()) node.mapped()->done(status);
}

void UcxWorker::Track(ucs_status_ptr_t request, uint64_t operation) {
  if (request == nullptr) return Complete(operation, UCS_OK);
  if (UCS_PTR_IS_ERR(request)) return Complete(operation, UCS_PTR_STATUS(request));
}

void UcxWorker::OnSent(void* request, ucs_status_t status, void* user_data) {
  const auto* operation = static_cast<const Operation*>(user_data);
  ucp_request_free(request);
  operation->worker->Complete(operation->id, status);
}

void UcxWorker::OnReceived(void* request, ucs_status_t status, size_t, void* user_data) {
  OnSent(request, status, user_data);
}

void UcxWorker::Send(ucp_ep_h endpoint, unsigned message_id, std::span<const std::byte> header,
                     std::span<const std::byte> data, uint32_t flags, Completion done) {
  const uint64_t operation = NewOperation(std::move(done));
  ucp_request_param_t params{};
  params.op_attr_mask =
      UCP_OP_ATTR_FIELD_CALLBACK | UCP_OP_ATTR_FIELD_USER_DATA | UCP_OP_ATTR_FIELD_FLAGS;
  params.flags = flags;
  params.cb.send = &OnSent;
  params.user_data = operations_[operation].get();
  Track(ucp_am_send_nbx(endpoint, message_id, header.data(), header.size(), data.data(),
                        data.size(), &params),
        operation);
}

void UcxWorker::Receive(void* descriptor, std::span<std::byte> buffer, Completion done) {
  const uint64_t operation = NewOperation(std::move(done));
  ucp_request_param_t params{};
  params.op_attr_mask =
      UCP_OP_ATTR_FIELD_CALLBACK | UCP_OP_ATTR_FIELD_USER_DATA | UCP_OP_ATTR_FLAG_NO_IMM_CMPL;
  params.cb.recv_am = &OnReceived;
  params.user_data = operations_[operation].get();
  Track(ucp_am_recv_data_nbx(handle_, descriptor, buffer.data(), buffer.size(), &params),
        operation);
}

void UcxWorker::Flush(const std::vector<ucp_ep_h>& endpoints) {
  const ucp_request_param_t params{};
  std::vector<ucs_status_ptr_t> flushes;
  for (ucp_ep_h endpoint : endpoints) {
    const ucs_status_ptr_t flush = ucp_ep_flush_nbx(endpoint, &params);
    if (UCS_PTR_IS_PTR(flush)) flushes.push_back(flush);
  }
  ProgressUntilEnded(flushes);
}

void UcxWorker::Close(ucp_ep_h endpoint) {
  ucp_request_param_t params{};
  params.op_attr_mask = UCP_OP_ATTR_FIELD_FLAGS;
  params.flags = UCP_EP_CLOSE_FLAG_FORCE;
  const ucs_status_ptr_t closing = ucp_ep_close_nbx(endpoint, &params);
  std::erase_if(closing_, [](ucs_status_ptr_t request) {
    const bool ended = ucp_request_check_status(request) != UCS_INPROGRESS;
    if (ended) ucp_request_free(request);
    return ended;
  });
  if (UCS_PTR_IS_PTR(closing)) closing_.push_back(closing);
}

}  // namespace tandem::transfer

#include "transfer/transport.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/awake_wait.h"
#include "base/status.h"
#include "transfer/stream_transport.h"
#include "transfer/ucx_transport.h"

namespace tandem::transfer {
absl::Status Transfer::Wait(TimePoint deadline, Duration silence) {
  MutexLock lock(mutex_);
  // Before somebody waits, it may have stood behind others.
  last_progress_ = Clock::Real().Now();
  while (remaining_ > 0) {
    const TimePoint silent = last_progress_ + silence;
    const int before = remaining_;
    changed_.WaitUntil(mutex_, std::min(deadline, silent),
                       [&]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return remaining_ < before; });
    if (remaining_ < before) continue;
    cancelled_ = true;
    return absl::DeadlineExceededError(deadline < silent
                                           ? "a transfer did not end in time"
                                           : "the other end of a transfer has fallen silent");
  }
  return absl::Status(code_, message_);
}

absl::Status Transfer::WaitAwake(TimePoint deadline, Duration silence) {
  tandem::WaitAwake(std::min(deadline, Clock::Real().Now() + kPrompt), [this] {
    MutexLock lock(mutex_);
    return remaining_ == 0;
  });
  return Wait(deadline, silence);
}

absl::Status PutTransfer::Wait(TimePoint deadline, Duration silence) const {
  RETURN_IF_ERROR(message_->WaitAwake(deadline, silence));
  ASSIGN_OR_RETURN(const absl::StatusCode code, UnpackAnswer((*answers_)[place_]));
  if (code == absl::StatusCode::kOk) return absl::OkStatus();
  return absl::Status(code, "the segment's owner refused the write");
}

void Transfer::Cancel() {
  MutexLock lock(mutex_);
  cancelled_ = true;
}

bool Transfer::cancelled() const {
  MutexLock lock(mutex_);
  return cancelled_;
}

void Transfer::EndPart(const absl::Status& status) {
  MutexLock lock(mutex_);
  if (code_ == absl::StatusCode::kOk) {
    code_ = status.code();
    message_ = std::string(status.message());
  }
  --remaining_;
  last_progress_ = Clock::Real().Now();
  changed_.NotifyAll();
}

absl::StatusOr<std::unique_ptr<Transport>> Transport::Create(const TransportOptions& options,
                                                             ExtentHost& host) {
  if (options.protocol == "tcp") return StreamTransport::Create(options, host);
  if (options.protocol != "rdma") {
    return absl::InvalidArgumentError(
        fmt::format("protocol \"{}\" is not one of \"tcp\", \"rdma\"", options.protocol));
  }
  if (options.security.tls) {
    return absl::InvalidArgumentError(
        "protocol: rdma cannot be used with TLS, which goes over TCP; accepted is tcp, or leave "
        "tls_ca_file, tls_cert_file and tls_key_file out");
  }
  return UcxTransport::Create(options, host);
}

}  // namespace tandem::transfer

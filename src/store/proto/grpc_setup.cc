#include "store/proto/grpc_setup.h"

#include "absl/synchronization/mutex.h"

namespace tandem::store {

void SetUpGrpc() { absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore); }

}  // namespace tandem::store

#pragma once

namespace tandem::store {

/// Results of store calls, as users of Mooncake Store's Python API see them.
enum ErrorCode : int {
  kOk = 0,
  kNoSpace = -200,
  kSegmentNotFound = -101,
  kSegmentExists = -102,
  kInvalidParams = -600,
  kReplicaNotReady = -703,
  kObjectNotFound = -704,
  kObjectExists = -705,
  kObjectHasLease = -706,
  kLeaseExpired = -707,
  kTransferFailed = -800,
  kRpcFailed = -900,
  kRpcUnauthorized = -901,
};

/// What a code means, in a few words.
const char* Describe(ErrorCode code);

}  // namespace tandem::store

#include "store/proto/error_code.h"

namespace tandem::store {

const char* Describe(ErrorCode code) {
  switch (code) {
    case kOk:
      return "ok";
    case kSegmentNotFound:
      return "segment not found";
    case kSegmentExists:
      return "segment belongs to another client";
    case kNoSpace:
      return "no space";
    case kInvalidParams:
      return "invalid parameters";
    case kReplicaNotReady:
      return "object is being written";
    case kObjectNotFound:
      return "object not found";
    case kObjectExists:
      return "object exists";
    case kObjectHasLease:
      return "object has a lease";
    case kLeaseExpired:
      return "lease expired";
    case kTransferFailed:
      return "transfer failed";
    case kRpcFailed:
      return "call to the master failed";
    case kRpcUnauthorized:
      return "call to the master not authorized";
  }
  return "unknown error";
}

}  // namespace tandem::store

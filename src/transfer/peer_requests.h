#pragma once

#include <functional>
#include <span>

#include "absl/status/statusor.h"
#include "transfer/extent_host.h"
#include "transfer/message.h"

namespace tandem::transfer {

// What the owner of a segment does for peers on the network, whatever carries their requests. All
// need a grant of the master; errors are for the peer.

/// The bytes that a kRead asks for.
absl::StatusOr<ReadableBytes> OpenForRead(ExtentHost& host, const RequestHeader& request);
/// Gets the bytes that a kReadFromDisk asks for; `done` is called once, on any thread, maybe before
/// this returns.
void ReadFromDisk(ExtentHost& host, const RequestHeader& request,
                  std::function<void(absl::StatusOr<ReadableBytes>)> done);
/// The room for those of a kWrite.
absl::StatusOr<WritableBytes> OpenForWrite(ExtentHost& host, const RequestHeader& request);
/// The objects of a kPut, from its body: the answers. InvalidArgument for a body that Transport
/// does not make.
absl::StatusOr<ReadableBytes> Put(ExtentHost& host, std::span<const std::byte> body);
/// A kPublish or kForget with its body. InvalidArgument for one that Transport does not make.
absl::Status Perform(ExtentHost& host, const RequestHeader& request,
                     std::span<const std::byte> body);

}  // namespace tandem::transfer

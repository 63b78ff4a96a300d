#include "transfer/peer_requests.h"

#include <cstring>
#include <memory>
#include <utility>
#include <vector>

#include "base/hash.h"
#include "base/status.h"
#include "transfer/put_message.h"

namespace tandem::transfer {
namespace {

absl::Status PutOne(ExtentHost& host, const ReceivedPut& put) {
  const Extent& extent = put.object.extent;
  const std::span<const std::byte> bytes = put.bytes;
  RETURN_IF_ERROR(host.CheckGrant(extent, Access::kWrite, put.grant));
  if (put.object.checksum != Checksum64(bytes)) {
    return absl::DataLossError("the bytes that arrived do not have the object's checksum");
  }
  ASSIGN_OR_RETURN(const WritableBytes target, host.OpenForWrite(extent));
  if (!bytes.empty()) std::memcpy(target.bytes.data(), bytes.data(), bytes.size());
  return host.PublishChecked(put.object);
}

}  // namespace

absl::StatusOr<ReadableBytes> OpenForRead(ExtentHost& host, const RequestHeader& request) {
  // In this order: a reader whose owner came back empty learns that the object is lost, as it has
  // a grant of that owner's earlier life.
  ASSIGN_OR_RETURN(ReadableBytes opened, host.OpenForRead(request.extent));
  RETURN_IF_ERROR(host.CheckGrant(request.extent, Access::kRead, request.grant));
  opened.bytes = opened.bytes.subspan(request.position, request.length);
  return opened;
}

void ReadFromDisk(ExtentHost& host, const RequestHeader& request,
                  std::function<void(absl::StatusOr<ReadableBytes>)> done) {
  const absl::StatusOr<ExtentHost::DiskReader> opened = host.OpenOnDisk(request.extent);
  if (!opened.ok()) return done(opened.status());
  const absl::Status granted =
      host.CheckGrant(request.extent, Access::kReadFromDisk, request.grant);
  if (!granted.ok()) return done(granted);
  auto buffer = std::make_shared<std::vector<std::byte>>(request.length);
  (*opened)(request.position, {*buffer, buffer},
            [buffer, done = std::move(done)](const absl::Status& read) {
              if (!read.ok()) return done(read);
              done(ReadableBytes{*buffer, buffer});
            });
}

absl::StatusOr<WritableBytes> OpenForWrite(ExtentHost& host, const RequestHeader& request) {
  RETURN_IF_ERROR(host.CheckGrant(request.extent, Access::kWrite, request.grant));
  ASSIGN_OR_RETURN(WritableBytes opened, host.OpenForWrite(request.extent));
  opened.bytes = opened.bytes.subspan(request.position, request.length);
  return opened;
}

absl::StatusOr<ReadableBytes> Put(ExtentHost& host, std::span<const std::byte> body) {
  ASSIGN_OR_RETURN(const std::vector<ReceivedPut> puts, UnpackPuts(body));
  std::vector<absl::StatusCode> codes;
  for (const ReceivedPut& put : puts) codes.push_back(PutOne(host, put).code());
  auto answers = std::make_shared<const std::vector<std::byte>>(PackAnswers(codes));
  return ReadableBytes{*answers, answers};
}

absl::Status Perform(ExtentHost& host, const RequestHeader& request,
                     std::span<const std::byte> body) {
  RETURN_IF_ERROR(host.CheckGrant(request.extent, Access::kWrite, request.grant));
  if (request.kind == RequestKind::kForget) {
    host.Forget(request.extent);
    return absl::OkStatus();
  }
  if (request.kind != RequestKind::kPublish) return absl::InvalidArgumentError("not a request");
  ASSIGN_OR_RETURN(const HeldObject object, UnpackObject(request.extent, body));
  return host.Publish(object);
}

}  // namespace tandem::transfer

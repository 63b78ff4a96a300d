#include "transfer/message.h"

#include <bit>
#include <cstring>
#include <limits>

namespace tandem::transfer {
namespace {

static_assert(std::endian::native == std::endian::little, "the wire format is little-endian");

constexpr uint64_t kRequestMagic = 0x0002'7165'7264'6e74;  // "tndreq", version 2
constexpr uint64_t kReplyMagic = 0x0001'7065'7264'6e74;    // "tndrep", version 1
constexpr uint64_t kSoftPin = 1;
constexpr uint64_t kHardPin = 2;

struct RequestFields {
  uint64_t magic, kind, id, offset, extent_length, generation, position, length;
  ExtentGrant grant;
};
struct ReplyFields {
  uint64_t magic, id, code;
};
struct ObjectFields {
  uint64_t size, checksum, pins;
};
static_assert(sizeof(RequestFields) == kRequestHeaderBytes);
static_assert(sizeof(ReplyFields) == kReplyHeaderBytes);

template <typename Fields>
std::string ToBytes(const Fields& fields) {
  return std::string(reinterpret_cast<const char*>(&fields), sizeof(fields));
}

template <typename Fields>
bool FromBytes(std::span<const std::byte> bytes, Fields& fields) {
  if (bytes.size() < sizeof(fields)) return false;
  std::memcpy(&fields, bytes.data(), sizeof(fields));
  return true;
}

}  // namespace

std::string Pack(const RequestHeader& header) {
  return ToBytes(RequestFields{kRequestMagic, static_cast<uint64_t>(header.kind), header.id,
                               header.extent.offset, header.extent.length, header.extent.generation,
                               header.position, header.length, header.grant});
}

std::string Pack(const ReplyHeader& header) {
  return ToBytes(ReplyFields{kReplyMagic, header.id, static_cast<uint64_t>(header.code)});
}

std::string PackObject(const HeldObject& object) {
  const uint64_t pins = (object.soft_pin ? kSoftPin : 0) | (object.hard_pin ? kHardPin : 0);
  return ToBytes(ObjectFields{object.size, object.checksum, pins}) + object.key;
}

absl::StatusOr<RequestHeader> UnpackRequest(std::span<const std::byte> bytes) {
  RequestFields fields;
  if (!FromBytes(bytes, fields) || bytes.size() != sizeof(fields) ||
      fields.magic != kRequestMagic) {
    return absl::InvalidArgumentError("not a request of this version");
  }
  if (fields.kind < 1 || fields.kind > 6) {
    return absl::InvalidArgumentError("a request of an unknown kind");
  }
  if (fields.extent_length > std::numeric_limits<uint64_t>::max() - fields.offset ||
      fields.position > fields.extent_length ||
      fields.length > fields.extent_length - fields.position || fields.length > kMaxMessageBytes) {
    return absl::InvalidArgumentError("a request for bytes outside its extent");
  }
  return RequestHeader{static_cast<RequestKind>(fields.kind),
                       fields.id,
                       {fields.offset, fields.extent_length, fields.generation},
                       fields.position,
                       fields.length,
                       fields.grant};
}

absl::StatusOr<ReplyHeader> UnpackReply(std::span<const std::byte> bytes) {
  ReplyFields fields;
  if (!FromBytes(bytes, fields) || bytes.size() != sizeof(fields) || fields.magic != kReplyMagic) {
    return absl::InvalidArgumentError("not a reply of this version");
  }
  if (fields.code > static_cast<uint64_t>(absl::StatusCode::kUnauthenticated)) {
    return absl::InvalidArgumentError("a reply with an unknown status");
  }
  return ReplyHeader{fields.id, static_cast<absl::StatusCode>(fields.code)};
}

absl::StatusOr<HeldObject> UnpackObject(const Extent& extent, std::span<const std::byte> bytes) {
  ObjectFields fields;
  if (!FromBytes(bytes, fields) || bytes.size() == sizeof(fields)) {
    return absl::InvalidArgumentError("an object without a key");
  }
  if (bytes.size() > kMaxObjectBytes) {
    return absl::InvalidArgumentError("an object whose key is too long");
  }
  if (fields.size > extent.length) {
    return absl::InvalidArgumentError("an object that is longer than its extent");
  }
  const std::span<const std::byte> key = bytes.subspan(sizeof(fields));
  return HeldObject{std::string(reinterpret_cast<const char*>(key.data()), key.size()),
                    extent,
                    fields.size,
                    fields.checksum,
                    (fields.pins & kSoftPin) != 0,
                    (fields.pins & kHardPin) != 0};
}

}  // namespace tandem::transfer

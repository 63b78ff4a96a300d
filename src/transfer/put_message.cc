#include "transfer/put_message.h"

#include <cstring>
#include <limits>

#include "base/status.h"

namespace tandem::transfer {
namespace {

constexpr uint32_t kSoftPin = 1;
constexpr uint32_t kHardPin = 2;

struct Fields {
  uint64_t offset, extent_length, generation, checksum;
  uint32_t size, pins, key_bytes, reserved;
  ExtentGrant grant;
};
static_assert(sizeof(Fields) == kPutFieldsBytes);

absl::Status Malformed(const char* what) { return absl::InvalidArgumentError(what); }

absl::Status Check(const Fields& fields) {
  if (fields.size > kMaxPutBytes) return Malformed("a put of an object that is too long for it");
  if (fields.size > fields.extent_length ||
      fields.extent_length > std::numeric_limits<uint64_t>::max() - fields.offset) {
    return Malformed("a put of an object that is longer than its extent");
  }
  if (fields.key_bytes == 0 || fields.key_bytes > kMaxKeyBytes) {
    return Malformed("a put of an object whose key is empty or too long");
  }
  return absl::OkStatus();
}

}  // namespace

bool PutMessage::Add(const PutOperation& put) {
  const HeldObject& object = put.object;
  if (objects_ == kMaxPutObjects || together_ + put.bytes.size() > kMaxPutTogether) return false;
  const Fields fields{object.extent.offset,
                      object.extent.length,
                      object.extent.generation,
                      object.checksum,
                      static_cast<uint32_t>(put.bytes.size()),
                      (object.soft_pin ? kSoftPin : 0) | (object.hard_pin ? kHardPin : 0),
                      static_cast<uint32_t>(object.key.size()),
                      0,
                      put.grant};
  body_.append(reinterpret_cast<const char*>(&fields), sizeof(fields));
  body_.append(object.key);
  body_.append(reinterpret_cast<const char*>(put.bytes.data()), put.bytes.size());
  together_ += put.bytes.size();
  ++objects_;
  return true;
}

absl::StatusOr<std::vector<PutOperation>> UnpackPuts(std::span<const std::byte> body) {
  std::vector<PutOperation> puts;
  uint64_t together = 0;
  while (!body.empty()) {
    Fields fields;
    if (body.size() < sizeof(fields)) return Malformed("a put that ends early");
    std::memcpy(&fields, body.data(), sizeof(fields));
    body = body.subspan(sizeof(fields));
    RETURN_IF_ERROR(Check(fields));
    if (body.size() < uint64_t{fields.key_bytes} + fields.size) {
      return Malformed("a put that ends early");
    }
    together += fields.size;
    if (puts.size() == kMaxPutObjects || together > kMaxPutTogether) {
      return Malformed("a put of too many objects or bytes");
    }
    puts.push_back({{std::string(reinterpret_cast<const char*>(body.data()), fields.key_bytes),
                     {fields.offset, fields.extent_length, fields.generation},
                     fields.size,
                     fields.checksum,
                     (fields.pins & kSoftPin) != 0,
                     (fields.pins & kHardPin) != 0},
                    body.subspan(fields.key_bytes, fields.size),
                    fields.grant});
    body = body.subspan(fields.key_bytes + fields.size);
  }
  if (puts.empty()) return Malformed("a put of no object");
  return puts;
}

std::vector<std::byte> PackAnswers(std::span<const absl::StatusCode> codes) {
  std::vector<std::byte> answers;
  for (const absl::StatusCode code : codes) answers.push_back(static_cast<std::byte>(code));
  return answers;
}

absl::StatusOr<absl::StatusCode> UnpackAnswer(std::byte answer) {
  if (answer > static_cast<std::byte>(absl::StatusCode::kUnauthenticated)) {
    return Malformed("an answer with an unknown status");
  }
  return static_cast<absl::StatusCode>(answer);
}

}  // namespace tandem::transfer

#include "transfer/put_message.h"

#include <cstring>
#include <limits>

#include "base/status.h"

namespace tandem::transfer {
namespace {

constexpr uint32_t kSoftPin = 1;
constexpr uint32_t kHardPin = 2;
constexpr size_t kUsualKeyBytes = 64;

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
  const HeldObject& object = *put.object;
  const std::span<const std::byte> bytes = put.bytes.bytes;
  if (objects() == kMaxPutObjects || together_ + bytes.size() > kMaxPutTogether) return false;
  const Fields fields{put.extent.offset,
                      put.extent.length,
                      put.extent.generation,
                      object.checksum,
                      static_cast<uint32_t>(bytes.size()),
                      (object.soft_pin ? kSoftPin : 0) | (object.hard_pin ? kHardPin : 0),
                      static_cast<uint32_t>(object.key.size()),
                      0,
                      put.grant};
  if (bytes_.empty()) {
    description_.reserve(kMaxPutObjects * (kPutFieldsBytes + kUsualKeyBytes));
    description_.resize(sizeof(uint64_t));
    bytes_.reserve(kMaxPutObjects);
  }
  description_.append(reinterpret_cast<const char*>(&fields), sizeof(fields));
  description_.append(object.key);
  bytes_.push_back(put.bytes);
  together_ += bytes.size();
  const uint64_t count = objects();
  std::memcpy(description_.data(), &count, sizeof(count));
  return true;
}

absl::StatusOr<std::vector<ReceivedPut>> UnpackPuts(std::span<const std::byte> body) {
  uint64_t count;
  if (body.size() < sizeof(count)) return Malformed("a put of no object");
  std::memcpy(&count, body.data(), sizeof(count));
  body = body.subspan(sizeof(count));
  if (count == 0 || count > kMaxPutObjects) return Malformed("a put of none or too many objects");
  std::vector<ReceivedPut> puts;
  puts.reserve(count);
  uint64_t together = 0;
  for (uint64_t i = 0; i < count; ++i) {
    Fields fields;
    if (body.size() < sizeof(fields)) return Malformed("a put that ends early");
    std::memcpy(&fields, body.data(), sizeof(fields));
    body = body.subspan(sizeof(fields));
    RETURN_IF_ERROR(Check(fields));
    if (body.size() < fields.key_bytes) return Malformed("a put that ends early");
    puts.push_back({{std::string(reinterpret_cast<const char*>(body.data()), fields.key_bytes),
                     {fields.offset, fields.extent_length, fields.generation},
                     fields.size,
                     fields.checksum,
                     (fields.pins & kSoftPin) != 0,
                     (fields.pins & kHardPin) != 0},
                    {},
                    fields.grant});
    body = body.subspan(fields.key_bytes);
    together += fields.size;
  }
  if (together > kMaxPutTogether) return Malformed("a put of too many bytes");
  if (together != body.size()) return Malformed("a put of more or fewer bytes than it says");
  for (ReceivedPut& put : puts) {
    put.bytes = body.first(put.object.size);
    body = body.subspan(put.object.size);
  }
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

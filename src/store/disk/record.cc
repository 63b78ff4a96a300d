#include "store/disk/record.h"

#include <bit>
#include <cstring>

#include "base/hash.h"

namespace tandem::store {
namespace {

static_assert(std::endian::native == std::endian::little, "the format is little-endian");

constexpr uint64_t kFileMagic = 0x0001'676f'6c64'6e74;    // "tndlog", version 1
constexpr uint64_t kRecordMagic = 0x0001'6365'7264'6e74;  // "tndrec", version 1

struct FileFields {
  uint64_t magic, number, nonce, checksum;
};
struct RecordFields {
  uint64_t magic, removed, generation, size, bytes_checksum;
  uint32_t key_length, soft_pin;
  uint64_t position, checksum;
};
static_assert(sizeof(RecordFields) == kRecordFieldsBytes);
static_assert(offsetof(RecordFields, removed) == kRemovedOffset);

constexpr uint64_t RoundUp(uint64_t value, uint64_t to) { return (value + to - 1) / to * to; }

template <typename T>
std::span<const std::byte> BytesOf(const T& value) {
  return std::as_bytes(std::span(&value, 1));
}

uint64_t ChecksumOf(const FileFields& fields) {
  return Checksum64(BytesOf(fields).first(offsetof(FileFields, checksum)));
}

uint64_t ChecksumOf(RecordFields fields, uint64_t nonce, std::span<const std::byte> key) {
  fields.removed = 0;
  StreamingChecksum checksum;
  checksum.Update(BytesOf(nonce));
  checksum.Update(BytesOf(fields).first(offsetof(RecordFields, checksum)));
  checksum.Update(key);
  return checksum.Digest();
}

}  // namespace

uint64_t BytesOffset(size_t key_length) { return RoundUp(kRecordFieldsBytes + key_length, 64); }

uint64_t RecordLength(size_t key_length, uint64_t size) {
  return RoundUp(BytesOffset(key_length) + size, kRecordAlignment);
}

std::string PackFileHeader(const FileHeader& header) {
  FileFields fields{kFileMagic, header.number, header.nonce, 0};
  fields.checksum = ChecksumOf(fields);
  std::string bytes(kFileHeaderBytes, '\0');
  std::memcpy(bytes.data(), &fields, sizeof(fields));
  return bytes;
}

absl::StatusOr<FileHeader> UnpackFileHeader(std::span<const std::byte> bytes) {
  FileFields fields;
  if (bytes.size() < kFileHeaderBytes) return absl::DataLossError("a log file without its header");
  std::memcpy(&fields, bytes.data(), sizeof(fields));
  if (fields.magic != kFileMagic || fields.checksum != ChecksumOf(fields)) {
    return absl::DataLossError("not a log file of this version");
  }
  return FileHeader{fields.number, fields.nonce};
}

std::string PackHead(const StoredObject& object, uint64_t nonce, uint64_t position) {
  RecordFields fields{kRecordMagic,
                      0,
                      object.generation,
                      object.size,
                      object.checksum,
                      static_cast<uint32_t>(object.key.size()),
                      object.soft_pin ? 1u : 0u,
                      position,
                      0};
  fields.checksum = ChecksumOf(fields, nonce, std::as_bytes(std::span(object.key)));
  std::string bytes(reinterpret_cast<const char*>(&fields), sizeof(fields));
  return bytes + object.key;
}

std::string PackRemoved() {
  return std::string(reinterpret_cast<const char*>(&kRecordMagic), sizeof(kRecordMagic));
}

absl::StatusOr<RecordHead> UnpackHead(std::span<const std::byte> bytes, uint64_t nonce,
                                      uint64_t position) {
  RecordFields fields;
  if (bytes.size() < sizeof(fields)) return absl::DataLossError("a record is cut off");
  std::memcpy(&fields, bytes.data(), sizeof(fields));
  if (fields.magic != kRecordMagic || fields.position != position ||
      fields.key_length > bytes.size() - sizeof(fields)) {
    return absl::DataLossError("no record stands there");
  }
  const std::span<const std::byte> key = bytes.subspan(sizeof(fields), fields.key_length);
  if (fields.checksum != ChecksumOf(fields, nonce, key) || key.empty() ||
      fields.key_length > kMostHeadBytes - kRecordFieldsBytes || fields.size > kMostObjectBytes) {
    return absl::DataLossError("a record's head is damaged");
  }
  return RecordHead{{std::string(reinterpret_cast<const char*>(key.data()), key.size()),
                     fields.generation, fields.size, fields.bytes_checksum, fields.soft_pin != 0},
                    fields.removed != 0};
}

}  // namespace tandem::store

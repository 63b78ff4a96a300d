#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "absl/status/statusor.h"

namespace tandem::store {

/// An object on disk, without its bytes.
struct StoredObject {
  std::string key;
  uint64_t generation = 0;  ///< Of the extent it was written from; names the copy.
  uint64_t size = 0;
  uint64_t checksum = 0;  ///< XXH3-64 of its bytes.
  bool soft_pin = false;

  friend bool operator==(const StoredObject&, const StoredObject&) = default;
};

// The format of a log file; all numbers are little-endian, 8 bytes unless said otherwise.
//
// A file begins with a block of 512 bytes: magic, number of the file, nonce, XXH3-64 of these
// three; zeros. Records follow, each at a multiple of 512:
//
//    0  magic
//    8  removed: 0, or the magic again once the object has been removed; overwritten in place
//   16  generation
//   24  size of the object
//   32  XXH3-64 of the object's bytes
//   40  length of the key (4 bytes), 1 for a soft pin (4 bytes)
//   48  position of the record in its file
//   56  XXH3-64 of the file's nonce, the fields above but `removed`, and the key
//   64  key; then, from the next multiple of 64 on, the object's bytes
//
// A record's head, which is all up to and with the key, is written once its bytes are: a head that
// is whole stands before bytes that a crash of the process did not tear. What a crash of the
// machine tore, the object's checksum tells. The nonce is random, so that no object's bytes, chosen
// by whoever puts it, can look like a record.
inline constexpr uint64_t kRecordAlignment = 512;
inline constexpr uint64_t kFileHeaderBytes = 512;
inline constexpr uint64_t kRecordFieldsBytes = 64;
inline constexpr uint64_t kRemovedOffset = 8;
/// The longest head: of a key of 1 KiB.
inline constexpr uint64_t kMostHeadBytes = kRecordFieldsBytes + 1024;
/// The largest object; lengths of records cannot overflow.
inline constexpr uint64_t kMostObjectBytes = uint64_t{1} << 50;

struct FileHeader {
  uint64_t number = 0;
  uint64_t nonce = 0;
};

/// Where the bytes of an object with that key stand in its record.
uint64_t BytesOffset(size_t key_length);
/// Bytes that a record takes in its file.
uint64_t RecordLength(size_t key_length, uint64_t size);

std::string PackFileHeader(const FileHeader& header);
/// DataLoss for bytes that PackFileHeader does not make.
absl::StatusOr<FileHeader> UnpackFileHeader(std::span<const std::byte> bytes);

/// The head of a record at `position` of a file with that nonce.
std::string PackHead(const StoredObject& object, uint64_t nonce, uint64_t position);
/// The 8 bytes that go to kRemovedOffset of a record once its object is removed.
std::string PackRemoved();

struct RecordHead {
  StoredObject object;
  bool removed = false;
};
/// Reads the head of a record from the bytes there, of which kMostHeadBytes are enough. DataLoss if
/// there is none of that nonce and position.
absl::StatusOr<RecordHead> UnpackHead(std::span<const std::byte> bytes, uint64_t nonce,
                                      uint64_t position);

}  // namespace tandem::store

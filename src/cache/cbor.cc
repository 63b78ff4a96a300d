#include "cache/cbor.h"

namespace tandem::cache {

void CborWriter::Head(uint8_t major_type, uint64_t argument) {
  const auto initial = static_cast<uint8_t>(major_type << 5);
  int width = 0;
  if (argument < 24) {
    bytes_.push_back(static_cast<char>(initial | argument));
    return;
  }
  if (argument <= 0xff) {
    bytes_.push_back(static_cast<char>(initial | 24));
    width = 1;
  } else if (argument <= 0xffff) {
    bytes_.push_back(static_cast<char>(initial | 25));
    width = 2;
  } else if (argument <= 0xffffffff) {
    bytes_.push_back(static_cast<char>(initial | 26));
    width = 4;
  } else {
    bytes_.push_back(static_cast<char>(initial | 27));
    width = 8;
  }
  for (int byte = width - 1; byte >= 0; --byte) {
    bytes_.push_back(static_cast<char>(argument >> (8 * byte)));
  }
}

void CborWriter::Integer(int64_t value) {
  if (value >= 0) {
    Head(0, static_cast<uint64_t>(value));
  } else {
    Head(1, ~static_cast<uint64_t>(value));
  }
}

void CborWriter::Text(std::string_view text) {
  Head(3, text.size());
  bytes_.append(text);
}

}  // namespace tandem::cache

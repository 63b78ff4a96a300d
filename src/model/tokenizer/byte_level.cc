#include "model/tokenizer/byte_level.h"

#include <array>

#include "model/tokenizer/utf8.h"

namespace tandem::model {
namespace {

constexpr int kFirstSubstitute = 0x100;
constexpr int kSubstitutes = 68;  ///< Bytes that are not printable in Latin-1.
constexpr int kCodePoints = kFirstSubstitute + kSubstitutes;

constexpr bool StandsForItself(int byte) {
  return (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
}

constexpr std::array<uint16_t, 256> MakeCodePoints() {
  std::array<uint16_t, 256> code_points{};
  int next = kFirstSubstitute;
  for (int byte = 0; byte < 256; ++byte) {
    code_points[byte] = static_cast<uint16_t>(StandsForItself(byte) ? byte : next++);
  }
  return code_points;
}

constexpr std::array<uint16_t, 256> kCodePointOfByte = MakeCodePoints();

/// -1 for a code point outside the alphabet.
constexpr std::array<int16_t, kCodePoints> MakeBytes() {
  std::array<int16_t, kCodePoints> bytes{};
  for (int16_t& byte : bytes) byte = -1;
  for (int byte = 0; byte < 256; ++byte) {
    bytes[kCodePointOfByte[byte]] = static_cast<int16_t>(byte);
  }
  return bytes;
}

constexpr std::array<int16_t, kCodePoints> kByteOfCodePoint = MakeBytes();

/// UTF-8 of each byte's character; all are below U+0800.
struct Characters {
  std::array<char, 512> utf8{};
  std::array<uint8_t, 256> size{};

  constexpr Characters() {
    for (int byte = 0; byte < 256; ++byte) {
      const int code_point = kCodePointOfByte[byte];
      size[byte] = code_point < 0x80 ? 1 : 2;
      utf8[2 * byte] = static_cast<char>(code_point < 0x80 ? code_point : 0xc0 | code_point >> 6);
      utf8[2 * byte + 1] = static_cast<char>(0x80 | (code_point & 0x3f));
    }
  }
};

constexpr Characters kCharacters;

}  // namespace

std::string_view ByteLevelCharacter(uint8_t byte) {
  return {&kCharacters.utf8[2 * size_t{byte}], kCharacters.size[byte]};
}

void AppendByteLevelDecoded(std::string_view token, std::string* out) {
  const size_t start = out->size();
  for (std::string_view rest = token; !rest.empty();) {
    const Utf8Character character = FirstCharacter(rest);
    if (!character.valid || character.code_point >= kByteOfCodePoint.size() ||
        kByteOfCodePoint[character.code_point] < 0) {
      out->resize(start);
      out->append(token);
      return;
    }
    out->push_back(static_cast<char>(kByteOfCodePoint[character.code_point]));
    rest.remove_prefix(character.size);
  }
}

}  // namespace tandem::model

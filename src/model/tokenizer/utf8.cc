#include "model/tokenizer/utf8.h"

#include <algorithm>
#include <cstring>

namespace tandem::model {
namespace {

constexpr std::string_view kReplacement = "\xef\xbf\xbd";
constexpr uint32_t kReplacementCodePoint = 0xfffd;
constexpr size_t kMaxCharacterBytes = 4;

/// What the standard's table 3-7 says of a lead byte: how many bytes follow, and which second
/// bytes.
struct LeadByte {
  int following = -1;  ///< -1: not a lead byte.
  uint8_t second_from = 0x80;
  uint8_t second_to = 0xbf;
};

LeadByte Classify(uint8_t lead) {
  if (lead < 0x80) return {0};
  if (lead < 0xc2) return {};
  if (lead < 0xe0) return {1};
  if (lead == 0xe0) return {2, 0xa0, 0xbf};
  if (lead == 0xed) return {2, 0x80, 0x9f};
  if (lead < 0xf0) return {2};
  if (lead == 0xf0) return {3, 0x90, 0xbf};
  if (lead < 0xf4) return {3};
  if (lead == 0xf4) return {3, 0x80, 0x8f};
  return {};
}

/// The length of the longest valid beginning.
size_t ValidPrefixSize(std::string_view text) {
  size_t at = 0;
  while (at < text.size()) {
    uint64_t word;
    if (text.size() - at >= sizeof(word)) {
      std::memcpy(&word, text.data() + at, sizeof(word));
      if ((word & 0x8080808080808080u) == 0) {
        at += sizeof(word);
        continue;
      }
    }
    const Utf8Character character = FirstCharacter(text.substr(at));
    if (!character.valid) break;
    at += character.size;
  }
  return at;
}

}  // namespace

Utf8Character FirstCharacter(std::string_view text) {
  const auto byte = [text](size_t i) { return static_cast<uint8_t>(text[i]); };
  const LeadByte lead = Classify(byte(0));
  if (lead.following == 0) return {byte(0), 1, true, false};
  if (lead.following < 0) return {kReplacementCodePoint, 1, false, false};
  const size_t size = static_cast<size_t>(lead.following) + 1;
  uint32_t code_point = byte(0) & (0x3fu >> lead.following);
  for (size_t i = 1; i < size; ++i) {
    if (i == text.size()) return {kReplacementCodePoint, i, false, true};
    const uint8_t from = i == 1 ? lead.second_from : 0x80;
    const uint8_t to = i == 1 ? lead.second_to : 0xbf;
    if (byte(i) < from || byte(i) > to) return {kReplacementCodePoint, i, false, false};
    code_point = code_point << 6 | (byte(i) & 0x3fu);
  }
  return {code_point, size, true, false};
}

void AppendUtf8(uint32_t code_point, std::string* out) {
  const auto append = [out](uint32_t byte) { out->push_back(static_cast<char>(byte)); };
  const auto append_following = [&](int shift) { append(0x80 | ((code_point >> shift) & 0x3f)); };
  if (code_point < 0x80) {
    append(code_point);
  } else if (code_point < 0x800) {
    append(0xc0 | code_point >> 6);
    append_following(0);
  } else if (code_point < 0x10000) {
    append(0xe0 | code_point >> 12);
    append_following(6);
    append_following(0);
  } else {
    append(0xf0 | code_point >> 18);
    append_following(12);
    append_following(6);
    append_following(0);
  }
}

void AppendWithoutBrokenUtf8(std::string_view text, std::string* out) {
  while (!text.empty()) {
    const size_t valid = ValidPrefixSize(text);
    out->append(text.substr(0, valid));
    text.remove_prefix(valid);
    if (text.empty()) return;
    out->append(kReplacement);
    text.remove_prefix(FirstCharacter(text).size);
  }
}

std::string_view WithoutBrokenUtf8(std::string_view text, std::string* storage) {
  if (ValidPrefixSize(text) == text.size()) return text;
  storage->clear();
  AppendWithoutBrokenUtf8(text, storage);
  return *storage;
}

size_t UnfinishedCharacterSize(std::string_view text) {
  const size_t most = std::min(text.size(), kMaxCharacterBytes - 1);
  for (size_t size = 1; size <= most; ++size) {
    const Utf8Character last = FirstCharacter(text.substr(text.size() - size));
    if (last.cut_short && last.size == size) return size;
  }
  return 0;
}

bool IsAscii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return static_cast<int8_t>(c) >= 0; });
}

}  // namespace tandem::model

#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace tandem::model {

/// A decoded character, or the start of a broken one.
struct Utf8Character {
  uint32_t code_point = 0;  ///< U+FFFD for a broken one.
  size_t size = 0;          ///< Bytes it takes; of a broken one, its maximal well-formed beginning.
  bool valid = false;
  bool cut_short = false;  ///< Broken only because the text ends: more bytes could complete it.
};

/// The first character of `text`, which is not empty. Broken sequences are cut as the Unicode
/// standard recommends (chapter 3.9, "maximal subparts"), like Python's decoder and Rust's
/// from_utf8_lossy do.
Utf8Character FirstCharacter(std::string_view text);

/// Appends the UTF-8 form of a code point up to U+10FFFF.
void AppendUtf8(uint32_t code_point, std::string* out);

/// Appends `text` with every broken sequence replaced by U+FFFD.
void AppendWithoutBrokenUtf8(std::string_view text, std::string* out);

/// `text` itself if it is valid, else a view of `storage`, which gets it with broken sequences
/// replaced.
std::string_view WithoutBrokenUtf8(std::string_view text, std::string* storage);

/// How many bytes at the end of `text` begin a character that further bytes could complete.
size_t UnfinishedCharacterSize(std::string_view text);

/// Whether all bytes of `text` are below 0x80.
bool IsAscii(std::string_view text);

}  // namespace tandem::model

#include "model/testing/tiny_vocabulary.h"

#include <array>
#include <string_view>

namespace tandem::model::testing {
namespace {

constexpr std::array<std::string_view, 3> kSpecialTokens = {"<|endoftext|>", "<|im_start|>",
                                                            "<|im_end|>"};

/// "Ġ" stands for the space.
constexpr std::array<std::string_view, 24> kMerges = {
    "Ġ t", "Ġ a", "h e",  "i n", "r e",  "o n", "Ġt he", "e r", "Ġ s",  "a t", "Ġ w", "Ġ o",
    "e n", "o u", "in g", "i t", "Ġo f", "e s", "Ġ c",   "o r", "Ġa n", "i s", "a n", "Ġan d"};

/// The character that byte-level BPE writes for a byte: itself if it is printable in Latin-1, else
/// the next character from U+0100 on.
std::string ByteCharacter(int byte, int& next) {
  const bool printable =
      (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
  const int code = printable ? byte : next++;
  if (code < 0x80) return std::string(1, static_cast<char>(code));
  return {static_cast<char>(0xc0 | (code >> 6)), static_cast<char>(0x80 | (code & 0x3f))};
}

}  // namespace

TinyVocabulary MakeTinyVocabulary() {
  TinyVocabulary vocabulary;
  vocabulary.tokens.assign(kSpecialTokens.begin(), kSpecialTokens.end());
  vocabulary.special_tokens = static_cast<int>(kSpecialTokens.size());
  int next = 0x100;
  for (int byte = 0; byte < 256; ++byte) vocabulary.tokens.push_back(ByteCharacter(byte, next));
  for (const std::string_view merge : kMerges) {
    const size_t space = merge.find(' ');
    vocabulary.merges.emplace_back(merge);
    vocabulary.tokens.push_back(std::string(merge.substr(0, space)) +
                                std::string(merge.substr(space + 1)));
  }
  return vocabulary;
}

}  // namespace tandem::model::testing

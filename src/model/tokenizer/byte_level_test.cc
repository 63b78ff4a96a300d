#include "model/tokenizer/byte_level.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace tandem::model {
namespace {

std::string Decoded(std::string_view token) {
  std::string out;
  AppendByteLevelDecoded(token, &out);
  return out;
}

TEST(ByteLevel, WritesEveryByteAsAnotherCharacter) {
  std::set<std::string_view> characters;
  for (int byte = 0; byte < 256; ++byte) {
    const std::string_view character = ByteLevelCharacter(static_cast<uint8_t>(byte));
    characters.insert(character);
    EXPECT_EQ(Decoded(character), std::string(1, static_cast<char>(byte)));
  }
  EXPECT_EQ(characters.size(), 256u);
}

TEST(ByteLevel, KnowsGpt2sCharacters) {
  EXPECT_EQ(ByteLevelCharacter(' '), "Ġ");
  EXPECT_EQ(ByteLevelCharacter('\n'), "Ċ");
  EXPECT_EQ(ByteLevelCharacter('a'), "a");
  EXPECT_EQ(ByteLevelCharacter(0xad), "Ń");
  EXPECT_EQ(Decoded("ĠcafÃ©"), " café");
}

TEST(ByteLevel, TakesTokensOutsideOfTheAlphabetAsTheyAre) {
  EXPECT_EQ(Decoded("two words"), "two words");
  EXPECT_EQ(Decoded("Ġ€"), "Ġ€");
  EXPECT_EQ(Decoded("<|im_end|>"), "<|im_end|>");
}

}  // namespace
}  // namespace tandem::model

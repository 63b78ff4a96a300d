#include "model/tokenizer/utf8.h"

#include <gtest/gtest.h>

#include <string>

namespace tandem::model {
namespace {

std::string Repaired(std::string_view text) {
  std::string out;
  AppendWithoutBrokenUtf8(text, &out);
  return out;
}

TEST(Utf8, DecodesCharactersOfEverySize) {
  EXPECT_EQ(FirstCharacter("a").code_point, 0x61u);
  EXPECT_EQ(FirstCharacter("é").code_point, 0xe9u);
  EXPECT_EQ(FirstCharacter("€").code_point, 0x20acu);
  EXPECT_EQ(FirstCharacter("🙂").code_point, 0x1f642u);
  EXPECT_EQ(FirstCharacter("🙂x").size, 4u);
}

TEST(Utf8, EncodesWhatItDecodes) {
  for (const uint32_t code_point :
       {0x0u, 0x7fu, 0x80u, 0x7ffu, 0x800u, 0xffffu, 0x10000u, 0x10ffffu}) {
    std::string text;
    AppendUtf8(code_point, &text);
    const Utf8Character character = FirstCharacter(text);
    EXPECT_TRUE(character.valid);
    EXPECT_EQ(character.code_point, code_point);
    EXPECT_EQ(character.size, text.size());
  }
}

TEST(Utf8, LeavesValidTextAlone) {
  const std::string text = "plain, naïve, €, 🙂, and a text that is longer than a word";
  std::string storage;
  EXPECT_EQ(WithoutBrokenUtf8(text, &storage).data(), text.data());
}

/// Python: bytes.decode("utf-8", errors="replace").
TEST(Utf8, ReplacesMaximalSubpartsLikePython) {
  EXPECT_EQ(Repaired("a\xff"
                     "b"),
            "a\ufffdb");
  EXPECT_EQ(Repaired("\x80\x80"), "\ufffd\ufffd");
  EXPECT_EQ(Repaired("\xc0\xaf"), "\ufffd\ufffd");
  EXPECT_EQ(Repaired("\xe2\x82"), "\ufffd");
  EXPECT_EQ(Repaired("\xe2\x82z"), "\ufffdz");
  EXPECT_EQ(Repaired("\xf0\x9f\x99"), "\ufffd");
  EXPECT_EQ(Repaired("\xf0\x9f\xf0\x9f\x99\x82"), "\ufffd🙂");
  EXPECT_EQ(Repaired("\xed\xa0\x80"), "\ufffd\ufffd\ufffd");
  EXPECT_EQ(Repaired("\xf4\x90\x80\x80"), "\ufffd\ufffd\ufffd\ufffd");
  EXPECT_EQ(Repaired("12345678\xc3"), "12345678\ufffd");
}

TEST(Utf8, MeasuresUnfinishedCharacters) {
  EXPECT_EQ(UnfinishedCharacterSize(""), 0u);
  EXPECT_EQ(UnfinishedCharacterSize("abc"), 0u);
  EXPECT_EQ(UnfinishedCharacterSize("é"), 0u);
  EXPECT_EQ(UnfinishedCharacterSize("a\xc3"), 1u);
  EXPECT_EQ(UnfinishedCharacterSize("a\xe2\x82"), 2u);
  EXPECT_EQ(UnfinishedCharacterSize("\xf0\x9f\x99"), 3u);
  EXPECT_EQ(UnfinishedCharacterSize("a\x80"), 0u);
  EXPECT_EQ(UnfinishedCharacterSize("\xed\xa0"), 0u);
}

}  // namespace
}  // namespace tandem::model

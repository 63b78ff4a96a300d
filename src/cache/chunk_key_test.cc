#include "cache/chunk_key.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <boost/json.hpp>
#include <fstream>
#include <set>
#include <sstream>

namespace tandem::cache {
namespace {

namespace json = boost::json;

json::array ReadVectors() {
  std::ifstream file(TANDEM_SOURCE_DIR "/tests/data/lmcache_keys.json");
  std::ostringstream text;
  text << file.rdbuf();
  return json::parse(text.str()).as_array();
}

std::string DtypeName(const std::string& torch_name) {
  if (torch_name == "torch.float16") return "half";
  if (torch_name == "torch.bfloat16") return "bfloat16";
  return "float";
}

TEST(ChunkKeyTest, EqualsLmcachesKeys) {
  const json::array vectors = ReadVectors();
  ASSERT_EQ(vectors.size(), 4u);
  for (const json::value& vector : vectors) {
    std::vector<ChunkKeyFormat::Tag> tags;
    if (vector.at("request_configs").is_object()) {
      for (const auto& tag : vector.at("request_configs").as_object()) {
        const std::string name(tag.key());
        ASSERT_TRUE(name.starts_with("lmcache.tag."));
        tags.emplace_back(name.substr(12), json::value_to<std::string>(tag.value()));
      }
    }
    const ChunkKeyFormat format(json::value_to<std::string>(vector.at("model")),
                                DtypeName(json::value_to<std::string>(vector.at("dtype"))), tags);
    const auto tokens = json::value_to<std::vector<int32_t>>(vector.at("tokens"));
    const ChunkHasher hasher(json::value_to<std::string>(vector.at("pythonhashseed")));
    uint64_t hash = hasher.root();
    for (const json::value& key : vector.at("keys").as_array()) {
      const auto begin = key.at(0).to_number<size_t>();
      const auto end = key.at(1).to_number<size_t>();
      hash = ChunkHasher::Next(hash, std::span(tokens).subspan(begin, end - begin));
      EXPECT_EQ(format.Key(hash), json::value_to<std::string>(key.at(2)));
    }
  }
}

TEST(ChunkKeyTest, AnUnsetSeedIsLmcachesDefault) {
  EXPECT_EQ(ChunkHasher("").root(), ChunkHasher("vllm-none-hash").root());
  EXPECT_NE(ChunkHasher("").root(), ChunkHasher("123").root());
}

TEST(ChunkKeyTest, TagsNameFingerprintAndSalt) {
  const CacheNamespace with_fingerprint = {.model = "m", .dtype = "half", .fingerprint = "abc"};
  EXPECT_EQ(ChunkKeyFormat::For(with_fingerprint, "").Key(0x1f), "m@1@0@1f@half@kv%abc");
  const CacheNamespace compatible = {.model = "m", .dtype = "half"};
  EXPECT_EQ(ChunkKeyFormat::For(compatible, "").Key(0x1f), "m@1@0@1f@half");
}

TEST(ChunkKeyTest, SaltsSeparateAndStaySecret) {
  const CacheNamespace name = {.model = "m", .dtype = "half"};
  std::set<std::string> keys;
  for (const char* salt : {"", "alice-secret", "bob-secret"}) {
    const std::string key = ChunkKeyFormat::For(name, salt).Key(7);
    EXPECT_EQ(key.find("secret"), std::string::npos);
    EXPECT_EQ(key, ChunkKeyFormat::For(name, salt).Key(7));
    keys.insert(key);
  }
  EXPECT_EQ(keys.size(), 3u);
}

TEST(CacheNamespaceTest, SaysAllThatMustAgree) {
  const CacheNamespace name = {"m", "half", "123", 256, "abc", false};
  EXPECT_EQ(name.ToString(),
            "model=m dtype=half hash_seed=123 chunk_size=256 fingerprint=abc "
            "save_chunk_meta=false");
}

}  // namespace
}  // namespace tandem::cache

#include "model/hub_cache.h"

#include <gtest/gtest.h>

#include <cstdlib>

namespace tandem::model {
namespace {

TEST(HubCache, FollowsTheEnvironment) {
  setenv("HOME", "/home/someone", 1);
  unsetenv("HF_HUB_CACHE");
  unsetenv("HF_HOME");
  EXPECT_EQ(HubCache::FromEnvironment().directory(), "/home/someone/.cache/huggingface/hub");
  setenv("HF_HOME", "/data/hf", 1);
  EXPECT_EQ(HubCache::FromEnvironment().directory(), "/data/hf/hub");
  setenv("HF_HUB_CACHE", "/data/cache", 1);
  EXPECT_EQ(HubCache::FromEnvironment().directory(), "/data/cache");
  unsetenv("HF_HUB_CACHE");
  unsetenv("HF_HOME");
}

TEST(HubCache, NamesAModelsDirectory) {
  EXPECT_EQ(HubCache("/c").ModelDirectory("Qwen/Qwen2.5-7B"), "/c/models--Qwen--Qwen2.5-7B");
  EXPECT_EQ(HubCache("/c").ModelDirectory("gpt2"), "/c/models--gpt2");
}

TEST(HubCache, TellsModelNamesFromPaths) {
  EXPECT_TRUE(HubCache::IsModelName("Qwen/Qwen2.5-7B"));
  EXPECT_TRUE(HubCache::IsModelName("gpt2"));
  for (const char* path : {"", "/", "/model", "./model", "../model", "a/b/c", "a/..", "a b"}) {
    EXPECT_FALSE(HubCache::IsModelName(path)) << path;
  }
}

TEST(HubCache, HasNoSnapshotsOfAnAbsentModel) {
  EXPECT_TRUE(HubCache("/nonexistent").Snapshots("org/name").empty());
}

}  // namespace
}  // namespace tandem::model

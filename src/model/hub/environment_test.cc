#include "model/hub/environment.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>

#include "model/testing/temporary_directory.h"

namespace tandem::model::hub {
namespace {

using ::testing::HasSubstr;

class EnvironmentTest : public ::testing::Test {
 protected:
  EnvironmentTest() {
    for (const char* name :
         {"HF_HOME", "XDG_CACHE_HOME", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_ENDPOINT",
          "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_TOKEN_PATH", "HF_HUB_OFFLINE",
          "TRANSFORMERS_OFFLINE", "HF_HUB_DOWNLOAD_TIMEOUT", "SSL_CERT_FILE"}) {
      unsetenv(name);
    }
    setenv("HOME", directory_.path().c_str(), 1);
  }

  static std::string Failure() {
    const auto environment = ReadEnvironment();
    return environment.ok() ? "" : std::string(environment.status().message());
  }

  const testing::TemporaryDirectory directory_;
};

TEST_F(EnvironmentTest, FindsHomeAndCache) {
  EXPECT_EQ(CacheDirectory(), directory_ / ".cache/huggingface/hub");
  setenv("XDG_CACHE_HOME", "/caches", 1);
  EXPECT_EQ(CacheDirectory(), "/caches/huggingface/hub");
  setenv("HF_HOME", "~/hf", 1);
  EXPECT_EQ(HomeDirectory(), directory_ / "hf");
  EXPECT_EQ(CacheDirectory(), directory_ / "hf/hub");
  setenv("HUGGINGFACE_HUB_CACHE", "/older", 1);
  EXPECT_EQ(CacheDirectory(), "/older");
  setenv("HF_HUB_CACHE", "/newer", 1);
  EXPECT_EQ(CacheDirectory(), "/newer");
}

TEST_F(EnvironmentTest, HasDefaults) {
  const auto environment = ReadEnvironment();
  ASSERT_TRUE(environment.ok()) << environment.status();
  EXPECT_THAT(environment->endpoint, HasSubstr("https://"));
  EXPECT_EQ(environment->token, "");
  EXPECT_FALSE(environment->offline);
}

TEST_F(EnvironmentTest, PrefersTheVariableToTheFileWithTheToken) {
  setenv("HF_HOME", directory_.path().c_str(), 1);
  std::ofstream(directory_ / "token") << "hf_from_file\n";
  EXPECT_EQ(ReadEnvironment()->token, "hf_from_file");
  std::ofstream(directory_ / "other") << " hf_elsewhere ";
  setenv("HF_TOKEN_PATH", (directory_ / "other").c_str(), 1);
  EXPECT_EQ(ReadEnvironment()->token, "hf_elsewhere");
  setenv("HF_TOKEN", "hf_variable\n", 1);
  EXPECT_EQ(ReadEnvironment()->token, "hf_variable");
}

TEST_F(EnvironmentTest, RefusesATokenThatCouldAddFieldsToARequest) {
  setenv("HF_TOKEN", "hf_a\r\nHost: elsewhere", 1);
  EXPECT_THAT(Failure(), HasSubstr("HF_TOKEN"));
  EXPECT_THAT(Failure(), ::testing::Not(HasSubstr("hf_a")));
}

TEST_F(EnvironmentTest, ChecksTheEndpoint) {
  setenv("HF_ENDPOINT", "http://hub.example:8080/mirror//", 1);
  EXPECT_EQ(ReadEnvironment()->endpoint, "http://hub.example:8080/mirror");
  for (const char* wrong : {"hub.example", "ftp://hub.example", "https://user:secret@hub.example",
                            "https://hub.example/?a=b", "https://", "http://a b"}) {
    setenv("HF_ENDPOINT", wrong, 1);
    EXPECT_THAT(Failure(), HasSubstr("HF_ENDPOINT is \"")) << wrong;
    EXPECT_THAT(Failure(), HasSubstr("accepted: https://")) << wrong;
  }
}

TEST_F(EnvironmentTest, ReadsSwitchesAndLimits) {
  setenv("HF_HUB_OFFLINE", "yes", 1);
  setenv("HF_HUB_DOWNLOAD_TIMEOUT", "7", 1);
  EXPECT_TRUE(ReadEnvironment()->offline);
  EXPECT_EQ(ReadEnvironment()->silence_limit, std::chrono::seconds(7));
  setenv("HF_HUB_OFFLINE", "0", 1);
  EXPECT_FALSE(ReadEnvironment()->offline);
  setenv("HF_HUB_DOWNLOAD_TIMEOUT", "0", 1);
  EXPECT_THAT(Failure(), HasSubstr("HF_HUB_DOWNLOAD_TIMEOUT is \"0\"; accepted:"));
}

}  // namespace
}  // namespace tandem::model::hub

#include "proxy/recognition.h"

#include <gtest/gtest.h>

namespace tandem::proxy {
namespace {

constexpr char kModels[] = R"({"object":"list","data":[{"id":"m"}]})";

TEST(RecognitionTest, AnInstanceOfThisProgramNamesItsNamespace) {
  const Recognition known = Recognize(
      {200, R"({"version":"1","kv_namespace":"model=m","kv_role":"kv_both"})"}, {200, kModels});
  EXPECT_EQ(known.make, InstanceMake::kTandem);
  EXPECT_EQ(known.cache_namespace, "model=m");
  EXPECT_EQ(known.kv_role, "kv_both");
  // Whatever becomes of the other question.
  EXPECT_EQ(Recognize({200, R"({"kv_namespace":""})"}, {}).make, InstanceMake::kTandem);
}

TEST(RecognitionTest, OneOfAnotherMakeListsModels) {
  EXPECT_EQ(Recognize({200, R"({"version":"0.9"})"}, {200, kModels}).make, InstanceMake::kForeign);
  EXPECT_EQ(Recognize({404, "not here"}, {200, kModels}).make, InstanceMake::kForeign);
  EXPECT_EQ(Recognize({200, R"({"version":"0.9"})"}, {401, ""}).make, InstanceMake::kForeign);
}

TEST(RecognitionTest, AnythingElseIsUnfit) {
  const Recognition metadata = Recognize({404, ""}, {404, ""});
  EXPECT_EQ(metadata.make, InstanceMake::kUnfit);
  EXPECT_EQ(metadata.found, "GET /v1/models answers 404");
  for (const char* body : {"<html>", "[]", R"({"data":1})", ""}) {
    const Recognition page = Recognize({200, body}, {200, body});
    EXPECT_EQ(page.make, InstanceMake::kUnfit) << body;
    EXPECT_EQ(page.found, "GET /v1/models answers with no list of models");
  }
  EXPECT_EQ(Recognize({200, R"({"role":"proxy"})"}, {200, kModels}).found, "it is a proxy");
}

TEST(RecognitionTest, WhatMayPassSaysNothing) {
  EXPECT_EQ(Recognize({}, {}).make, InstanceMake::kUnknown);
  EXPECT_EQ(Recognize({200, "{}"}, {503, ""}).make, InstanceMake::kUnknown);
  EXPECT_EQ(Recognize({500, ""}, {200, kModels}).make, InstanceMake::kUnknown);
  EXPECT_EQ(Recognize({404, ""}, {}).make, InstanceMake::kUnknown);
}

TEST(RecognitionTest, HealthMayBeBadButIsThere) {
  for (const int status : {200, 401, 429, 500, 503}) EXPECT_FALSE(LacksHealth(status)) << status;
  for (const int status : {204, 301, 404, 405}) EXPECT_TRUE(LacksHealth(status)) << status;
}

}  // namespace
}  // namespace tandem::proxy

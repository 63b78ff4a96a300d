#include "http/router.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tandem::http {
namespace {

using ::testing::HasSubstr;
using ::testing::Optional;

class RecordingWriter : public ResponseWriter {
 public:
  void Respond(Response given) override { response = std::move(given); }
  void StartStream(int, Headers) override {}
  void Write(std::string) override {}
  void Finish() override {}
  void OnClose(std::function<void()>) override {}

  Response response;
};

class RouterTest : public testing::Test {
 protected:
  RouterTest() {
    router_.Add("GET", "/models", [](Request, std::shared_ptr<ResponseWriter> writer) {
      writer->Respond({.body = "get"});
    });
    router_.Add("POST", "/models", [](Request, std::shared_ptr<ResponseWriter> writer) {
      writer->Respond({.body = "post"});
    });
  }

  Response Ask(const std::string& method, const std::string& path) {
    auto writer = std::make_shared<RecordingWriter>();
    router_.Dispatch({.method = method, .path = path}, writer);
    return writer->response;
  }

  Router router_;
};

TEST_F(RouterTest, ChoosesByMethodAndPath) {
  EXPECT_EQ(Ask("GET", "/models").body, "get");
  EXPECT_EQ(Ask("POST", "/models").body, "post");
  EXPECT_EQ(Ask("HEAD", "/models").body, "get");
}

TEST_F(RouterTest, UnknownPathIs404WithItsName) {
  const Response response = Ask("GET", "/model");
  EXPECT_EQ(response.status, 404);
  EXPECT_EQ(response.body,
            R"({"error":{"message":"there is nothing at '/model' here","type":"NotFoundError",)"
            R"("param":null,"code":404}})");
}

TEST_F(RouterTest, AFallbackAnswersUnknownPathsOnly) {
  router_.AddFallback([](Request request, std::shared_ptr<ResponseWriter> writer) {
    writer->Respond({.body = "fallback for " + request.path});
  });
  EXPECT_EQ(Ask("GET", "/other").body, "fallback for /other");
  EXPECT_EQ(Ask("DELETE", "/models").status, 405);
}

TEST_F(RouterTest, WrongMethodIs405AndListsTheOthers) {
  const Response response = Ask("DELETE", "/models");
  EXPECT_EQ(response.status, 405);
  EXPECT_THAT(response.headers.Get("Allow"), Optional(std::string("GET, POST")));
  EXPECT_THAT(response.body, HasSubstr("GET, POST"));
}

}  // namespace
}  // namespace tandem::http

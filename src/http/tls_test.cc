#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/testing/test_certificates.h"
#include "http/client.h"
#include "http/server.h"
#include "http/testing/event.h"
#include "http/testing/listener.h"
#include "http/testing/raw_connection.h"
#include "http/token_guard.h"

namespace tandem::http {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

void Echo(Request request, std::shared_ptr<ResponseWriter> writer) {
  writer->Respond({.body = request.method + " <" + request.body + ">"});
}

TlsContext ServerContext(const TlsFiles& files) {
  auto context = MakeTlsServerContext(files);
  EXPECT_TRUE(context.ok()) << context.status();
  return *context;
}

TlsContext ClientContext(const TlsFiles& files) {
  auto context = MakeTlsClientContext(files);
  EXPECT_TRUE(context.ok()) << context.status();
  return *context;
}

class HttpsTest : public ::testing::Test {
 protected:
  std::unique_ptr<Server> Serve(Handler handler, const TlsContext& tls) {
    auto server = Server::Start({.host = "127.0.0.1", .tls = tls}, std::move(handler));
    EXPECT_TRUE(server.ok()) << server.status();
    return *std::move(server);
  }
  static std::string Url(const std::string& scheme, int port) {
    return scheme + "://127.0.0.1:" + std::to_string(port) + "/";
  }
  static std::string FailureOf(Client& client, const std::string& url) {
    const auto response = client.Fetch({.url = url, .total_timeout = std::chrono::seconds(20)});
    EXPECT_FALSE(response.ok());
    return std::string(response.status().message());
  }

  const TestCertificates certificates_;
  const TlsContext server_context_ = ServerContext(certificates_.files());
  std::unique_ptr<Server> server_ = Serve(Echo, server_context_);
  std::unique_ptr<Client> client_ = Client::Create(2, ClientContext({certificates_.ca()}));
};

TEST_F(HttpsTest, CarriesRequestsAndRepliesOfAnySizeOnKeptConnections) {
  for (const size_t size : {0, 1, 20'000, 3'000'000, 10}) {
    const std::string body(size, 'x');
    const auto response =
        client_->Fetch({.method = "POST", .url = Url("https", server_->port()), .body = body});
    ASSERT_TRUE(response.ok()) << response.status();
    EXPECT_EQ(response->body, "POST <" + body + ">");
  }
}

TEST_F(HttpsTest, StreamsAndTellsAHandlerThatTheClientLeft) {
  Event begun, closed;
  const auto server = Serve(
      [&](Request, std::shared_ptr<ResponseWriter> writer) {
        writer->StartStream(200, {});
        writer->Write("first");
        // Held until the client leaves.
        writer->OnClose([&closed, writer] { closed.Set(); });
      },
      server_context_);
  const auto call = client_->Start({.url = Url("https", server->port())},
                                   {.on_body = [&](std::string_view) { begun.Set(); }});
  ASSERT_TRUE(begun.Wait());
  call->Cancel();
  EXPECT_TRUE(closed.Wait());
}

TEST_F(HttpsTest, NamesWhatIsWrongWithTheOtherEnd) {
  const std::string url = Url("https", server_->port());
  const TestCertificates others, elsewhere("DNS:elsewhere");
  const auto stranger = Client::Create(1, ClientContext({others.ca()}));
  EXPECT_THAT(FailureOf(*stranger, url), HasSubstr("certificate is not trusted"));
  const auto server = Serve(Echo, ServerContext(elsewhere.files()));
  const auto mistaken = Client::Create(1, ClientContext({elsewhere.ca()}));
  EXPECT_THAT(FailureOf(*mistaken, Url("https", server->port())), HasSubstr("mismatch"));
  const auto plain_server = Serve(Echo, nullptr);
  EXPECT_THAT(FailureOf(*client_, Url("https", plain_server->port())),
              HasSubstr("does not speak TLS"));
  const auto plain_client = Client::Create(1);
  EXPECT_THAT(FailureOf(*plain_client, url), HasSubstr("no CA is set"));
  // One that speaks plain HTTP is told so.
  const auto response = plain_client->Fetch({.url = Url("http", server_->port())});
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(response->status, 400);
  EXPECT_THAT(response->body, HasSubstr("this port speaks TLS"));
}

TEST_F(HttpsTest, EndsWithTheTimeLimitWhereNobodyShakesHands) {
  Listener silent;
  const auto response = client_->Fetch(
      {.url = Url("https", silent.port()), .connect_timeout = std::chrono::milliseconds(50)});
  EXPECT_EQ(response.status().code(), absl::StatusCode::kUnavailable) << response.status();
}

TEST_F(HttpsTest, StopsWhileAHandshakeHangs) {
  RawConnection silent(server_->port());
  silent.Send("\x16\x03");
  server_.reset();
}

TEST(RequireTokenTest, LetsOnlyThoseWithTheTokenIn) {
  auto server = Server::Start({.host = "127.0.0.1"}, RequireToken(*BearerToken::Of("word"), Echo));
  ASSERT_TRUE(server.ok());
  const auto client = Client::Create(1);
  const auto ask = [&](const std::string& path, const Headers& headers) {
    return *client->Fetch({.url = "http://127.0.0.1:" + std::to_string((*server)->port()) + path,
                           .headers = headers});
  };
  EXPECT_EQ(ask("/x", {{"Authorization", "Bearer word"}}).status, 200);
  EXPECT_EQ(ask("/health", {}).status, 200);
  const Response none = ask("/x", {});
  EXPECT_EQ(none.status, 401);
  EXPECT_EQ(none.headers.Get("WWW-Authenticate"), "Bearer");
  EXPECT_THAT(none.body, HasSubstr("a token is needed"));
  EXPECT_EQ(ask("/x", {{"Authorization", "Bearer wrong"}}).status, 401);
  EXPECT_THAT(ask("/x", {{"Authorization", "Bearer wrong"}}).body, HasSubstr("is not the one"));
}

}  // namespace
}  // namespace tandem::http

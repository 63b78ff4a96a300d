#include "http/client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netdb.h>
#include <sys/socket.h>

#include <atomic>
#include <thread>

#include "http/server.h"
#include "http/testing/event.h"
#include "http/testing/listener.h"

namespace tandem::http {
namespace {

using std::chrono::milliseconds;
using ::testing::HasSubstr;
using ::testing::Optional;

class ClientTest : public testing::Test {
 protected:
  /// Serves with `handler` and returns the address.
  std::string Serve(Handler handler, ServerOptions options = {}) {
    options.host = "127.0.0.1";
    auto server = Server::Start(options, std::move(handler));
    EXPECT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
    return "http://127.0.0.1:" + std::to_string(server_->port());
  }

  std::unique_ptr<Server> server_;
  std::unique_ptr<Client> client_ = Client::Create(2);
};

TEST_F(ClientTest, FetchesOverOneKeptConnection) {
  Mutex mutex;
  std::vector<std::string> peers;
  const std::string url = Serve([&](Request request, std::shared_ptr<ResponseWriter> writer) {
    {
      MutexLock lock(mutex);
      peers.push_back(request.remote_address);
    }
    writer->Respond({.status = 201,
                     .headers = {{"X-Got", request.headers.Get("X-Sent").value_or("")}},
                     .body = request.method + request.path + request.body});
  });
  for (int i = 0; i < 3; ++i) {
    const auto response = client_->Fetch(
        {.method = "POST", .url = url + "/path", .headers = {{"X-Sent", "7"}}, .body = "body"});
    ASSERT_TRUE(response.ok()) << response.status();
    EXPECT_EQ(response->status, 201);
    EXPECT_THAT(response->headers.Get("x-got"), Optional(std::string("7")));
    EXPECT_EQ(response->body, "POST/pathbody");
  }
  MutexLock lock(mutex);
  EXPECT_THAT(peers, testing::ElementsAre(peers[0], peers[0], peers[0]));
}

/// Why the system resolves no `name` at all; empty if it does.
std::string WhyUnresolved(const char* name) {
  addrinfo* found = nullptr;
  const int error = getaddrinfo(name, nullptr, nullptr, &found);
  if (error != 0) return gai_strerror(error);
  freeaddrinfo(found);
  return "";
}

TEST_F(ClientTest, ResolvesNames) {
  const std::string unresolved = WhyUnresolved("localhost");
  if (!unresolved.empty()) {
    GTEST_SKIP() << "this machine does not resolve localhost (/etc/hosts): " << unresolved;
  }
  Serve([](Request, std::shared_ptr<ResponseWriter> writer) { writer->Respond({.body = "hi"}); });
  const auto response =
      client_->Fetch({.url = "http://localhost:" + std::to_string(server_->port())});
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(response->body, "hi");
}

TEST_F(ClientTest, HeadHasNoBody) {
  const std::string url = Serve([](Request, std::shared_ptr<ResponseWriter> writer) {
    writer->Respond({.body = "not sent"});
  });
  for (int i = 0; i < 2; ++i) {
    const auto response = client_->Fetch({.method = "HEAD", .url = url});
    ASSERT_TRUE(response.ok()) << response.status();
    EXPECT_THAT(response->headers.Get("Content-Length"), Optional(std::string("8")));
    EXPECT_EQ(response->body, "");
  }
}

TEST_F(ClientTest, PassesAStreamOnAsItComes) {
  std::shared_ptr<ResponseWriter> server_side;
  const std::string url = Serve([&](Request, std::shared_ptr<ResponseWriter> writer) {
    writer->StartStream(200, {});
    writer->Write("first");
    server_side = std::move(writer);
  });
  Event first, ended;
  std::string body;
  absl::Status status = absl::UnknownError("");
  client_->Start({.url = url}, {.on_body =
                                    [&](std::string_view part) {
                                      body += part;
                                      first.Set();
                                    },
                                .on_end =
                                    [&](const absl::Status& end) {
                                      status = end;
                                      ended.Set();
                                    }});
  ASSERT_TRUE(first.Wait());
  server_side->Write(" second");
  server_side->Finish();
  ASSERT_TRUE(ended.Wait());
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_EQ(body, "first second");
}

TEST_F(ClientTest, ALargeBodyArrivesWhole) {
  const std::string url = Serve([](Request request, std::shared_ptr<ResponseWriter> writer) {
    writer->Respond({.body = std::move(request.body)});
  });
  std::string body(5 << 20, ' ');
  for (size_t i = 0; i < body.size(); ++i) body[i] = static_cast<char>(i * 31 >> 3);
  const auto response = client_->Fetch({.method = "POST", .url = url, .body = body});
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_TRUE(response->body == body);
}

TEST_F(ClientTest, CancelReachesTheServer) {
  Event handling, left, ended;
  std::shared_ptr<ResponseWriter> kept;
  const std::string url = Serve([&](Request, std::shared_ptr<ResponseWriter> writer) {
    writer->OnClose([&left] { left.Set(); });
    kept = std::move(writer);
    handling.Set();
  });
  absl::Status status;
  const auto call = client_->Start({.url = url}, {.on_end = [&](const absl::Status& end) {
                                     status = end;
                                     ended.Set();
                                   }});
  ASSERT_TRUE(handling.Wait());
  call->Cancel();
  ASSERT_TRUE(ended.Wait());
  EXPECT_EQ(status.code(), absl::StatusCode::kCancelled);
  EXPECT_TRUE(left.Wait());
  call->Cancel();
}

TEST_F(ClientTest, DestroyingTheClientCancels) {
  Event handling, ended;
  std::shared_ptr<ResponseWriter> kept;
  const std::string url = Serve([&](Request, std::shared_ptr<ResponseWriter> writer) {
    kept = std::move(writer);
    handling.Set();
  });
  const auto call =
      client_->Start({.url = url}, {.on_end = [&](const absl::Status&) { ended.Set(); }});
  ASSERT_TRUE(handling.Wait());
  client_.reset();
  EXPECT_TRUE(ended.Wait(Duration::zero()));
  call->Cancel();
}

TEST_F(ClientTest, ARefusedConnectionIsUnavailable) {
  int port = 0;
  { port = Listener().port(); }
  const auto response = client_->Fetch({.url = "http://127.0.0.1:" + std::to_string(port)});
  EXPECT_EQ(response.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(response.status().message()),
              HasSubstr("127.0.0.1:" + std::to_string(port)));
}

TEST_F(ClientTest, ABadAddressIsInvalid) {
  EXPECT_EQ(client_->Fetch({.url = "https://127.0.0.1"}).status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST_F(ClientTest, ASilentServerEndsTheCall) {
  Listener listener;
  const auto idle = client_->Fetch({.url = listener.url(), .idle_timeout = milliseconds(50)});
  EXPECT_EQ(idle.status().code(), absl::StatusCode::kDeadlineExceeded);
  const auto total = client_->Fetch({.url = listener.url(), .total_timeout = milliseconds(50)});
  EXPECT_EQ(total.status().code(), absl::StatusCode::kDeadlineExceeded);
}

TEST_F(ClientTest, ABrokenReplyIsUnavailable) {
  Listener listener;
  std::thread server([&listener] {
    listener.AnswerAndClose("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nfive.");
  });
  const auto response = client_->Fetch({.url = listener.url()});
  EXPECT_EQ(response.status().code(), absl::StatusCode::kUnavailable);
  server.join();
}

TEST_F(ClientTest, AReplyWithoutLengthEndsWithTheConnection) {
  Listener listener;
  std::thread server([&listener] {
    listener.AnswerAndClose("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.0 200 OK\r\n\r\nall of it");
  });
  const auto response = client_->Fetch({.url = listener.url()});
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(response->body, "all of it");
  server.join();
}

TEST_F(ClientTest, WhatIsNotHttpIsUnavailable) {
  Listener listener;
  std::thread server([&listener] { listener.AnswerAndClose("220 mail ready\r\n\r\n"); });
  EXPECT_EQ(client_->Fetch({.url = listener.url()}).status().code(),
            absl::StatusCode::kUnavailable);
  server.join();
}

TEST_F(ClientTest, SendsAgainWhenAKeptConnectionBreaks) {
  Listener listener;
  static constexpr std::string_view kReply = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
  std::thread server([&listener] {
    const ScopedFd kept = listener.Answer(kReply);
    // The second request comes on the same connection, which breaks instead of answering it.
    listener.ReadRequest(kept.get());
    shutdown(kept.get(), SHUT_RDWR);
    listener.AnswerAndClose(kReply);
  });
  for (int i = 0; i < 2; ++i) {
    const auto response = client_->Fetch({.method = "POST", .url = listener.url(), .body = "x"});
    ASSERT_TRUE(response.ok()) << response.status();
    EXPECT_EQ(response->body, "ok");
  }
  server.join();
}

TEST_F(ClientTest, ConnectTimeoutHoldsWhenAKeptConnectionBreaks) {
  Listener listener(0);
  Event reused, full;
  std::thread server([&] {
    const ScopedFd kept = listener.Answer("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    listener.ReadRequest(kept.get());
    reused.Set();
    EXPECT_TRUE(full.Wait());
  });
  ASSERT_TRUE(client_->Fetch({.url = listener.url()}).ok());
  Event ended;
  absl::Status status;
  client_->Start({.url = listener.url(), .connect_timeout = milliseconds(50)},
                 {.on_end = [&](const absl::Status& end) {
                   status = end;
                   ended.Set();
                 }});
  ASSERT_TRUE(reused.Wait());
  // Nobody accepts any more, so that a new connection is never made.
  const std::vector<ScopedFd> queued = listener.FillQueue();
  full.Set();
  server.join();
  ASSERT_TRUE(ended.Wait());
  EXPECT_THAT(std::string(status.message()), HasSubstr("cannot connect"));
}

TEST_F(ClientTest, AReplyBeforeTheWholeRequestIsReadIsTaken) {
  Listener listener;
  Event ended;
  std::thread server([&] {
    const ScopedFd connection =
        listener.Answer("HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nbig");
    EXPECT_TRUE(ended.Wait());
  });
  // More than the buffers of both ends take, so that the write cannot end.
  const auto response =
      client_->Fetch({.method = "POST", .url = listener.url(), .body = std::string(32 << 20, 'x')});
  ended.Set();
  server.join();
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(response->status, 413);
  EXPECT_EQ(response->body, "big");
}

TEST_F(ClientTest, TellsWhenTheServerWasLastHeardOf) {
  Event handling;
  std::shared_ptr<ResponseWriter> server_side;
  const std::string url = Serve([&](Request, std::shared_ptr<ResponseWriter> writer) {
    server_side = std::move(writer);
    handling.Set();
  });
  Event heard;
  const auto call =
      client_->Start({.url = url}, {.on_body = [&](std::string_view) { heard.Set(); }});
  ASSERT_TRUE(handling.Wait());
  const TimePoint before = Clock::Real().Now();
  server_side->StartStream(200, {});
  server_side->Write("part");
  ASSERT_TRUE(heard.Wait());
  EXPECT_GE(call->last_progress(), before);
  EXPECT_LE(call->last_progress(), Clock::Real().Now());
}

TEST_F(ClientTest, ManyCallsAtOnce) {
  const std::string url = Serve(
      [](Request request, std::shared_ptr<ResponseWriter> writer) {
        writer->Respond({.body = std::move(request.body)});
      },
      {.threads = 2});
  constexpr int kCalls = 200;
  Event all;
  std::atomic<int> right = 0, left = kCalls;
  for (int i = 0; i < kCalls; ++i) {
    auto body = std::make_shared<std::string>();
    client_->Start({.method = "POST", .url = url, .body = std::to_string(i)},
                   {.on_body = [body](std::string_view part) { *body += part; },
                    .on_end =
                        [&, body, i](const absl::Status& status) {
                          if (status.ok() && *body == std::to_string(i)) ++right;
                          if (--left == 0) all.Set();
                        }});
  }
  ASSERT_TRUE(all.Wait());
  EXPECT_EQ(right.load(), kCalls);
}

}  // namespace
}  // namespace tandem::http

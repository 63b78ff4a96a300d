#include "http/server.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <stdexcept>
#include <thread>

#include "http/server_connection.h"
#include "http/server_state.h"
#include "http/testing/event.h"
#include "http/testing/raw_connection.h"

namespace tandem::http {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

TimePoint In(Duration wait) { return Clock::Real().Now() + wait; }

std::unique_ptr<Server> Serve(Handler handler, ServerOptions options = {}) {
  options.host = "127.0.0.1";
  auto server = Server::Start(options, std::move(handler));
  EXPECT_TRUE(server.ok()) << server.status();
  return *std::move(server);
}

void Echo(Request request, std::shared_ptr<ResponseWriter> writer) {
  writer->Respond({.headers = {{"X-Path", request.path},
                               {"X-Query", request.query},
                               {"X-Target", request.target}},
                   .body = request.method + " <" + request.body + ">"});
}

TEST(ServerTest, AnswersSeveralRequestsOfOneConnection) {
  const auto server = Serve(Echo);
  RawConnection client(server->port());
  client.Send("GET /a%20b?c=%31 HTTP/1.1\r\nHost: x\r\n\r\n");
  const std::string first = client.ReadUntil("GET <>");
  EXPECT_THAT(first, StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(first, HasSubstr("X-Path: /a b\r\n"));
  EXPECT_THAT(first, HasSubstr("X-Query: c=%31\r\n"));
  EXPECT_THAT(first, HasSubstr("X-Target: /a%20b?c=%31\r\n"));
  client.Send("POST /b HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc");
  EXPECT_THAT(client.ReadUntil("POST <abc>"), HasSubstr("Content-Length: 10\r\n"));
}

TEST(ServerTest, AnswersRequestsThatCameTogetherInOrder) {
  const auto server = Serve(Echo);
  RawConnection client(server->port());
  client.Send(
      "POST / HTTP/1.1\r\nContent-Length: 1\r\n\r\n1POST / HTTP/1.1\r\nContent-Length: 1\r\n\r\n2");
  const std::string read = client.ReadUntil("POST <2>");
  EXPECT_LT(read.find("POST <1>"), read.find("POST <2>"));
}

TEST(ServerTest, ReadsAChunkedBodyByteByByte) {
  const auto server = Serve(Echo);
  RawConnection client(server->port());
  for (const char c : std::string_view("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
                                       "4\r\nabcd\r\n2\r\nef\r\n0\r\n\r\n")) {
    client.Send({&c, 1});
  }
  EXPECT_THAT(client.ReadUntil(">"), EndsWith("POST <abcdef>"));
}

TEST(ServerTest, StreamsInChunks) {
  const auto server = Serve([](Request, std::shared_ptr<ResponseWriter> writer) {
    writer->StartStream(200, {{"Content-Type", "text/event-stream"}});
    writer->Write("first");
    writer->Write("");
    writer->Write("second part");
    writer->Finish();
  });
  RawConnection client(server->port());
  client.Send("GET / HTTP/1.1\r\n\r\n");
  const std::string read = client.ReadUntil("0\r\n\r\n");
  EXPECT_THAT(read, HasSubstr("Transfer-Encoding: chunked\r\n"));
  EXPECT_THAT(read, EndsWith("\r\n\r\n5\r\nfirst\r\nb\r\nsecond part\r\n0\r\n\r\n"));
}

TEST(ServerTest, StreamsToAnOldClientUntilTheEnd) {
  const auto server = Serve([](Request, std::shared_ptr<ResponseWriter> writer) {
    writer->StartStream(200, {});
    writer->Write("all");
    writer->Finish();
  });
  RawConnection client(server->port());
  client.Send("GET / HTTP/1.0\r\n\r\n");
  EXPECT_THAT(client.ReadAll(), EndsWith("Connection: close\r\n\r\nall"));
}

TEST(ServerTest, HeadHasTheLengthButNoBody) {
  const auto server = Serve(Echo);
  RawConnection client(server->port());
  client.Send("HEAD / HTTP/1.1\r\nConnection: close\r\n\r\n");
  const std::string read = client.ReadAll();
  EXPECT_THAT(read, HasSubstr("Content-Length: 7\r\n"));
  EXPECT_THAT(read, EndsWith("\r\n\r\n"));
}

TEST(ServerTest, TellsAWaitingClientToSendItsBody) {
  const auto server = Serve(Echo);
  RawConnection client(server->port());
  client.Send("POST / HTTP/1.1\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_EQ(client.ReadUntil("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
  client.Send("ok");
  EXPECT_THAT(client.ReadUntil(">"), EndsWith("POST <ok>"));
}

TEST(ServerTest, RefusesALongBody) {
  const auto server = Serve(Echo, {.max_body_bytes = 1000});
  RawConnection client(server->port());
  client.Send("POST / HTTP/1.1\r\nContent-Length: 1001\r\n\r\n" + std::string(1001, 'x'));
  const std::string read = client.ReadUntil("}}");
  EXPECT_THAT(read, StartsWith("HTTP/1.1 413 Payload Too Large\r\n"));
  EXPECT_THAT(read, HasSubstr("1000 bytes accepted"));
}

TEST(ServerTest, RefusesALongChunkedBody) {
  const auto server = Serve(Echo, {.max_body_bytes = 3});
  RawConnection client(server->port());
  client.Send("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nabcd\r\n0\r\n\r\n");
  EXPECT_THAT(client.ReadUntil("}}"), StartsWith("HTTP/1.1 413 "));
}

TEST(ServerTest, RefusesWhatIsNotHttp) {
  const auto server = Serve(Echo);
  for (const char* bytes : {"hello\r\n\r\n", "GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n",
                            "GET /%zz HTTP/1.1\r\nConnection: close\r\n\r\n"}) {
    RawConnection client(server->port());
    client.Send(bytes);
    const std::string read = client.ReadUntil("}}");
    EXPECT_THAT(read, StartsWith("HTTP/1.1 400 Bad Request\r\n")) << bytes;
    EXPECT_THAT(read, HasSubstr(R"("type":"BadRequestError")"));
  }
}

TEST(ServerTest, AHandlerThatThrowsIsA500) {
  const auto server =
      Serve([](Request, std::shared_ptr<ResponseWriter>) { throw std::runtime_error("secret"); });
  RawConnection client(server->port());
  client.Send("GET / HTTP/1.1\r\n\r\n");
  const std::string read = client.ReadUntil("}}");
  EXPECT_THAT(read, StartsWith("HTTP/1.1 500 "));
  EXPECT_THAT(read, Not(HasSubstr("secret")));
}

TEST(ServerTest, AWriterThatIsDroppedIsA500) {
  const auto server = Serve([](Request, std::shared_ptr<ResponseWriter>) {});
  RawConnection client(server->port());
  client.Send("GET / HTTP/1.1\r\n\r\n");
  EXPECT_THAT(client.ReadUntil("}}"), StartsWith("HTTP/1.1 500 "));
}

TEST(ServerTest, AStreamThatIsDroppedBreaks) {
  const auto server = Serve([](Request, std::shared_ptr<ResponseWriter> writer) {
    writer->StartStream(200, {});
    writer->Write("part");
  });
  RawConnection client(server->port());
  client.Send("GET / HTTP/1.1\r\n\r\n");
  EXPECT_THAT(client.ReadAll(), EndsWith("\r\n4\r\npart\r\n"));
}

TEST(ServerTest, TellsThatTheClientLeftBeforeAnAnswer) {
  Event handling, closed;
  std::shared_ptr<ResponseWriter> kept;
  const auto server = Serve([&](Request, std::shared_ptr<ResponseWriter> writer) {
    writer->OnClose([&closed] { closed.Set(); });
    kept = std::move(writer);
    handling.Set();
  });
  RawConnection client(server->port());
  client.Send("GET / HTTP/1.1\r\n\r\n");
  ASSERT_TRUE(handling.Wait());
  client.Close();
  EXPECT_TRUE(closed.Wait());
  kept->Respond({});
  Event at_once;
  kept->OnClose([&at_once] { at_once.Set(); });
  EXPECT_TRUE(at_once.Wait(Duration::zero()));
}

TEST(ServerTest, TellsThatTheClientLeftInAStream) {
  Event closed;
  std::shared_ptr<ResponseWriter> kept;
  const auto server = Serve([&](Request, std::shared_ptr<ResponseWriter> writer) {
    writer->OnClose([&closed] { closed.Set(); });
    writer->StartStream(200, {});
    writer->Write("part");
    kept = std::move(writer);
  });
  RawConnection client(server->port());
  client.Send("GET / HTTP/1.1\r\n\r\n");
  EXPECT_THAT(client.ReadUntil("part"), HasSubstr("part"));
  client.Close();
  EXPECT_TRUE(closed.Wait());
}

TEST(ServerTest, ACompleteReplyDropsTheCallback) {
  Event closed;
  auto server = Serve([&closed](Request, std::shared_ptr<ResponseWriter> writer) {
    writer->OnClose([&closed] { closed.Set(); });
    writer->Respond({.body = "done"});
  });
  RawConnection client(server->port());
  client.Send("GET / HTTP/1.1\r\n\r\n");
  client.ReadUntil("done");
  client.Close();
  server.reset();
  EXPECT_FALSE(closed.Wait(Duration::zero()));
}

TEST(ServerTest, ClosesAnIdleConnection) {
  const auto server = Serve(Echo, {.idle_timeout = std::chrono::milliseconds(50)});
  RawConnection idle(server->port());
  EXPECT_THAT(idle.ReadAll(), IsEmpty());
  RawConnection slow(server->port());
  slow.Send("GET / HT");
  EXPECT_THAT(slow.ReadAll(), IsEmpty());
}

TEST(ServerTest, AnswersFromOtherThreads) {
  std::vector<std::thread> threads;
  Mutex mutex;
  const auto server = Serve(
      [&](Request request, std::shared_ptr<ResponseWriter> writer) {
        MutexLock lock(mutex);
        threads.emplace_back([writer = std::move(writer), body = std::move(request.body)] {
          writer->StartStream(200, {});
          for (int i = 0; i < 50; ++i) writer->Write(body);
          writer->Finish();
        });
      },
      {.threads = 4});
  std::vector<std::unique_ptr<RawConnection>> clients;
  for (int i = 0; i < 8; ++i) {
    clients.push_back(std::make_unique<RawConnection>(server->port()));
    clients.back()->Send("POST / HTTP/1.1\r\nContent-Length: 1\r\nConnection: close\r\n\r\n" +
                         std::to_string(i));
  }
  for (int i = 0; i < 8; ++i) {
    std::string body;
    for (int part = 0; part < 50; ++part) body += "1\r\n" + std::to_string(i) + "\r\n";
    EXPECT_THAT(clients[i]->ReadAll(), EndsWith("\r\n\r\n" + body + "0\r\n\r\n"));
  }
  for (std::thread& thread : threads) thread.join();
}

TEST(ServerTest, StopWaitsForRequestsInFlight) {
  Event handling, stopping;
  std::shared_ptr<ResponseWriter> kept;
  auto server = Serve([&](Request, std::shared_ptr<ResponseWriter> writer) {
    kept = std::move(writer);
    handling.Set();
  });
  RawConnection idle(server->port());
  RawConnection client(server->port());
  client.Send("GET / HTTP/1.1\r\n\r\n");
  ASSERT_TRUE(handling.Wait());
  std::thread stop([&server] { server->Stop(In(std::chrono::seconds(30))); });
  EXPECT_THAT(idle.ReadAll(), IsEmpty());
  kept->Respond({.body = "late"});
  EXPECT_THAT(client.ReadAll(), EndsWith("Connection: close\r\n\r\nlate"));
  stop.join();
}

TEST(ServerTest, WhatIsNotDrainedInTimeCanStillBeAnswered) {
  Event handling;
  std::shared_ptr<ResponseWriter> kept;
  auto server = Serve([&](Request, std::shared_ptr<ResponseWriter> writer) {
    kept = std::move(writer);
    handling.Set();
  });
  RawConnection client(server->port());
  client.Send("GET / HTTP/1.1\r\n\r\n");
  ASSERT_TRUE(handling.Wait());
  EXPECT_FALSE(server->Drain(In(std::chrono::milliseconds(20))));
  kept->Respond({.body = "late"});
  EXPECT_TRUE(server->Drain(In(std::chrono::seconds(30))));
  EXPECT_THAT(client.ReadAll(), EndsWith("Connection: close\r\n\r\nlate"));
}

TEST(ServerTest, StopBreaksWhatIsNotAnsweredInTime) {
  Event handling, closed;
  std::shared_ptr<ResponseWriter> kept;
  auto server = Serve([&](Request, std::shared_ptr<ResponseWriter> writer) {
    writer->OnClose([&closed] { closed.Set(); });
    kept = std::move(writer);
    handling.Set();
  });
  RawConnection client(server->port());
  client.Send("GET / HTTP/1.1\r\n\r\n");
  ASSERT_TRUE(handling.Wait());
  server->Stop(In(std::chrono::milliseconds(20)));
  EXPECT_TRUE(closed.Wait(Duration::zero()));
  EXPECT_THAT(client.ReadAll(), IsEmpty());
  server.reset();
  kept->Respond({.body = "too late"});
}

TEST(ServerTest, APortInUseIsNamed) {
  const auto server = Serve(Echo);
  const auto second = Server::Start({.host = "127.0.0.1", .port = server->port()}, Echo);
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.status().code(), absl::StatusCode::kAlreadyExists);
  EXPECT_THAT(std::string(second.status().message()),
              HasSubstr("127.0.0.1:" + std::to_string(server->port())));
}

TEST(ServerTest, AWrongAddressIsNamed) {
  const auto host = Server::Start({.host = "256.1.1.1"}, Echo);
  EXPECT_EQ(host.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(host.status().message()), HasSubstr("256.1.1.1"));
  const auto port = Server::Start({.host = "127.0.0.1", .port = 65536}, Echo);
  EXPECT_EQ(port.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(port.status().message()), HasSubstr("65536"));
}

TEST(ServerTest, AConnectionThatComesWhileStoppingIsDropped) {
  auto state = std::make_shared<ServerState>(ServerOptions{}, Echo);
  const auto connection = [&state] {
    return std::make_shared<ServerConnection>(
        state, boost::asio::ip::tcp::socket(state->threads().context()));
  };
  const auto early = connection();
  EXPECT_TRUE(state->Add(early));
  state->StartStopping();
  EXPECT_FALSE(state->Add(connection()));
  EXPECT_THAT(state->Connections(), testing::ElementsAre(early));
  state->Remove(early.get());
}

/// A connection to 127.0.0.1, or none if it is refused.
ScopedFd Connect(int port) {
  ScopedFd client(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const bool made =
      connect(client.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0;
  return made ? std::move(client) : ScopedFd();
}

TEST(ServerTest, StopsWhileClientsKeepComing) {
  for (int round = 0; round < 20; ++round) {
    const auto server = Serve(Echo, {.threads = 2});
    Event connected;
    std::thread clients([&connected, port = server->port()] {
      std::vector<ScopedFd> open;
      while (open.size() < 500) {
        ScopedFd client = Connect(port);
        if (!client.valid()) break;
        open.push_back(std::move(client));
        connected.Set();
      }
    });
    EXPECT_TRUE(connected.Wait());
    const TimePoint start = Clock::Real().Now();
    server->Stop(In(std::chrono::seconds(30)));
    // One that is forgotten is waited for until the deadline.
    EXPECT_LT(Clock::Real().Now() - start, std::chrono::seconds(20));
    clients.join();
  }
}

}  // namespace
}  // namespace tandem::http

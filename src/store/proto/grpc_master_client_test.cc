#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <atomic>
#include <latch>
#include <thread>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "base/scoped_fd.h"
#include "store/proto/call_server.h"
#include "store/proto/error_code.h"
#include "store/proto/local_socket.h"
#include "store/proto/master_client.h"
#include "store/proto/store.grpc.pb.h"

namespace tandem::store {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::IsEmpty;

TimePoint In(Duration duration) { return Clock::Real().Now() + duration; }

std::string Address(int port) { return "127.0.0.1:" + std::to_string(port); }

/// Answers pings with the client's own name.
class EchoMaster final : public proto::Master::Service {
 public:
  explicit EchoMaster(int wanted_port) {
    grpc::ServerBuilder builder;
    builder.AddListeningPort(Address(wanted_port), grpc::InsecureServerCredentials(), &port_);
    builder.RegisterService(this);
    server_ = builder.BuildAndStart();
  }
  ~EchoMaster() override { server_->Shutdown(std::chrono::system_clock::now()); }

  grpc::Status Ping(grpc::ServerContext*, const proto::PingRequest* request,
                    proto::PingResponse* response) override {
    if (request->client_id().empty()) return {grpc::StatusCode::INVALID_ARGUMENT, "client_id"};
    response->set_epoch(request->client_id());
    return grpc::Status::OK;
  }
  /// Answers late, whatever is left of the call's time.
  grpc::Status Remove(grpc::ServerContext* context, const proto::RemoveRequest*,
                      proto::RemoveResponse*) override {
    ++removals_;
    const TimePoint give_up = In(seconds(20));
    while (!context->IsCancelled() && Clock::Real().Now() < give_up) std::this_thread::yield();
    return grpc::Status::OK;
  }
  int port() const { return port_; }
  int removals() const { return removals_; }

 private:
  int port_ = 0;
  std::atomic<int> removals_ = 0;
  std::unique_ptr<grpc::Server> server_;
};

absl::StatusOr<proto::PingResponse> Ping(MasterClient& client, const std::string& id,
                                         Duration limit = seconds(20)) {
  proto::PingRequest request;
  request.set_client_id(id);
  return client.Ping(request, In(limit));
}

/// A port on which a connection is accepted by the kernel and never served.
class SilentPort {
 public:
  SilentPort() : socket_(socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t length = sizeof(address);
    EXPECT_EQ(bind(socket_.get(), reinterpret_cast<sockaddr*>(&address), length), 0);
    EXPECT_EQ(getsockname(socket_.get(), reinterpret_cast<sockaddr*>(&address), &length), 0);
    port_ = ntohs(address.sin_port);
  }
  void Listen() { EXPECT_EQ(listen(socket_.get(), 16), 0); }
  int port() const { return port_; }

 private:
  ScopedFd socket_;
  int port_ = 0;
};

TEST(GrpcMasterClient, CallsTheMaster) {
  EchoMaster master(0);
  auto client = MasterClient::Connect(Address(master.port()));
  ASSERT_TRUE(client.ok());
  const auto response = Ping(**client, "a");
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(response->epoch(), "a");
}

TEST(GrpcMasterClient, PassesTheMastersErrorOn) {
  EchoMaster master(0);
  auto client = MasterClient::Connect(Address(master.port()));
  ASSERT_TRUE(client.ok());
  EXPECT_EQ(Ping(**client, "").status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(GrpcMasterClient, IsUnavailableWhereNobodyListensLongBeforeTheDeadline) {
  SilentPort port;
  auto client = MasterClient::Connect(Address(port.port()));
  ASSERT_TRUE(client.ok());
  const TimePoint start = Clock::Real().Now();
  const auto response = Ping(**client, "a", seconds(60));
  EXPECT_EQ(response.status().code(), absl::StatusCode::kUnavailable) << response.status();
  EXPECT_THAT(std::string(response.status().message()), testing::HasSubstr(Address(port.port())));
  EXPECT_LT(Clock::Real().Now() - start, seconds(30));
}

TEST(GrpcMasterClient, EndsByTheDeadlineIfTheMasterIsSilent) {
  SilentPort port;
  port.Listen();
  auto client = MasterClient::Connect(Address(port.port()));
  ASSERT_TRUE(client.ok());
  const TimePoint start = Clock::Real().Now();
  EXPECT_FALSE(Ping(**client, "a", milliseconds(200)).ok());
  EXPECT_LT(Clock::Real().Now() - start, seconds(20));
  EXPECT_EQ(Ping(**client, "a", milliseconds(-1)).status().code(),
            absl::StatusCode::kDeadlineExceeded);
}

TEST(GrpcMasterClient, FindsAMasterThatCameBack) {
  auto first = std::make_unique<EchoMaster>(0);
  const int port = first->port();
  auto client = MasterClient::Connect(Address(port));
  ASSERT_TRUE(client.ok());
  ASSERT_TRUE(Ping(**client, "a").ok());
  first.reset();
  EXPECT_FALSE(Ping(**client, "b", seconds(5)).ok());

  EchoMaster second(port);
  const TimePoint give_up = In(seconds(20));
  absl::StatusOr<proto::PingResponse> response = Ping(**client, "c", seconds(5));
  while (!response.ok() && Clock::Real().Now() < give_up) {
    response = Ping(**client, "c", seconds(5));
  }
  EXPECT_TRUE(response.ok()) << response.status();
}

TEST(GrpcMasterClient, FindsAMasterThatCameBackByPingsAlone) {
  auto master = std::make_unique<EchoMaster>(0);
  const int port = master->port();
  const auto client = *MasterClient::Connect(Address(port));
  ASSERT_TRUE(Ping(*client, "a").ok());
  master.reset();
  ASSERT_TRUE(absl::IsUnavailable(Ping(*client, "a").status()));
  master = std::make_unique<EchoMaster>(port);
  int pings = 1;
  while (!Ping(*client, "a").ok()) ++pings;
  // Not by asking without a pause, which would be thousands of them.
  EXPECT_LT(pings, 20);
}

/// The socket on which a master takes calls of this host, as a master of one life that answers
/// everything with nothing.
class SocketOfMaster {
 public:
  SocketOfMaster(int port, std::string epoch)
      : epoch_(std::move(epoch)),
        server_(
            *ListenLocally(LocalSocketNames("127.0.0.1", port).front()),
            [](CallSocket&) { return true; },
            [this](HotCall call, const std::string&) { return Answer(call); }) {}

  /// Since it was asked last.
  std::vector<HotCall> TakeCalls() {
    MutexLock lock(mutex_);
    return std::exchange(calls_, {});
  }

 private:
  std::string Answer(HotCall call) {
    MutexLock lock(mutex_);
    calls_.push_back(call);
    proto::PingResponse response;
    if (call == HotCall::kPing) response.set_epoch(epoch_);
    return response.SerializeAsString();
  }

  const std::string epoch_;
  Mutex mutex_;
  std::vector<HotCall> calls_ ABSL_GUARDED_BY(mutex_);
  CallServer server_;
};

TEST(GrpcMasterClient, CallsOverTheSocketOfThisHostOnceGrpcHasLetItIn) {
  EchoMaster master(0);
  SocketOfMaster socket(master.port(), "a");
  const auto client = *MasterClient::Connect(Address(master.port()));
  EXPECT_TRUE(absl::IsUnimplemented(client->Exist({}, In(seconds(20))).status()));
  EXPECT_EQ(Ping(*client, "a")->epoch(), "a");
  EXPECT_THAT(socket.TakeCalls(), IsEmpty());
  EXPECT_EQ(Ping(*client, "b")->epoch(), "a");
  EXPECT_TRUE(client->PutStart({}, In(seconds(20))).ok());
  EXPECT_TRUE(client->PutEnd({}, In(seconds(20))).ok());
  EXPECT_TRUE(client->GetReplicas({}, In(seconds(20))).ok());
  EXPECT_TRUE(client->Exist({}, In(seconds(20))).ok());
  EXPECT_TRUE(client->Remove({}, In(seconds(20))).ok());
  EXPECT_TRUE(absl::IsUnimplemented(client->RemoveAll({}, In(seconds(20))).status()));
  EXPECT_THAT(socket.TakeCalls(),
              ElementsAre(HotCall::kPing, HotCall::kPutStart, HotCall::kPutEnd,
                          HotCall::kGetReplicas, HotCall::kExist, HotCall::kRemove));
}

TEST(GrpcMasterClient, HearsOfAnotherLifeOverGrpc) {
  auto master = std::make_unique<EchoMaster>(0);
  const int port = master->port();
  auto socket = std::make_unique<SocketOfMaster>(port, "a");
  const auto client = *MasterClient::Connect(Address(port));
  EXPECT_EQ(Ping(*client, "a")->epoch(), "a");
  EXPECT_EQ(Ping(*client, "a")->epoch(), "a");
  EXPECT_THAT(socket->TakeCalls(), ElementsAre(HotCall::kPing));
  // The next one is there before gRPC has noticed anything.
  socket.reset();
  socket = std::make_unique<SocketOfMaster>(port, "b");
  EXPECT_EQ(Ping(*client, "gRPC's")->epoch(), "gRPC's");
  EXPECT_THAT(socket->TakeCalls(), ElementsAre(HotCall::kPing));
  EXPECT_EQ(Ping(*client, "b")->epoch(), "b");  // by gRPC as well
  EXPECT_EQ(Ping(*client, "")->epoch(), "b");
  EXPECT_THAT(socket->TakeCalls(), ElementsAre(HotCall::kPing, HotCall::kPing));
  // As long as gRPC is not connected it is what pings are for.
  master.reset();
  EXPECT_TRUE(absl::IsUnavailable(client->RemoveAll({}, In(seconds(20))).status()));
  EXPECT_TRUE(absl::IsUnavailable(Ping(*client, "b").status()));
  EXPECT_THAT(socket->TakeCalls(), IsEmpty());
}

TEST(GrpcMasterClient, RefusesAWrongAddress) {
  for (const char* address : {"", "host", ":50051", "host:", "host:0", "host:65536", "host:abc",
                              "etcd://host:2379", "http://host:50051"}) {
    const absl::Status status = MasterClient::Connect(address).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << address;
    EXPECT_THAT(std::string(status.message()), testing::HasSubstr("HOST:PORT"));
  }
}

TEST(GrpcMasterClient, FollowsTheLeaderThatItFinds) {
  auto first = std::make_unique<EchoMaster>(0);
  Mutex mutex;
  absl::StatusOr<std::string> leader = absl::UnavailableError("nobody leads");
  int looked = 0;
  const auto lead = [&](absl::StatusOr<std::string> who) {
    MutexLock lock(mutex);
    leader = std::move(who);
  };
  const auto client = MasterClient::Follow([&](TimePoint) {
    MutexLock lock(mutex);
    ++looked;
    return leader;
  });
  ASSERT_TRUE(client.ok()) << client.status();
  EXPECT_EQ(Ping(**client, "a").status(), absl::UnavailableError("nobody leads"));
  lead("no address");
  EXPECT_TRUE(absl::IsUnavailable(Ping(**client, "a").status()));

  lead(Address(first->port()));
  EXPECT_TRUE(Ping(**client, "a").ok());
  const int looked_for_first = looked;
  EXPECT_TRUE(Ping(**client, "a").ok());
  EXPECT_EQ(looked, looked_for_first);

  // Whoever leads next was not known before.
  EchoMaster second(0);
  first.reset();
  EXPECT_FALSE(Ping(**client, "a", seconds(5)).ok());
  lead(Address(second.port()));
  const auto response = Ping(**client, "b");
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(response->epoch(), "b");
}

TEST(GrpcMasterClient, ManyThreadsFollowTheLeader) {
  auto first = std::make_unique<EchoMaster>(0);
  EchoMaster second(0);
  std::atomic<int> port = first->port();
  const auto client = MasterClient::Follow([&](TimePoint) { return Address(port); });
  ASSERT_TRUE(client.ok()) << client.status();
  std::latch all_called(4), led(1);
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      EXPECT_TRUE(Ping(**client, "a").ok());
      all_called.count_down();
      led.wait();
      EXPECT_TRUE(Ping(**client, "b").ok());
    });
  }
  all_called.wait();
  port = second.port();
  first.reset();
  led.count_down();
  for (std::thread& thread : threads) thread.join();
}

TEST(GrpcMasterClient, AsksNoMasterTwiceInACall) {
  EchoMaster master(0);
  const auto client = MasterClient::Follow([&](TimePoint) { return Address(master.port()); });
  ASSERT_TRUE(client.ok()) << client.status();
  ASSERT_TRUE(Ping(**client, "a").ok());
  const absl::Status status = (*client)->Remove({}, In(seconds(1))).status();
  EXPECT_TRUE(absl::IsDeadlineExceeded(status)) << status;
  EXPECT_EQ(master.removals(), 1);
}

TEST(GrpcMasterClient, AsksTheLastLeaderWhileNobodyTellsWhoLeads) {
  EchoMaster master(0);
  std::atomic<bool> told = true;
  const auto client = MasterClient::Follow([&](TimePoint) -> absl::StatusOr<std::string> {
    if (told) return Address(master.port());
    return absl::UnavailableError("away");
  });
  ASSERT_TRUE(client.ok()) << client.status();
  ASSERT_TRUE(Ping(**client, "a").ok());
  told = false;
  const absl::Status late = (*client)->Remove({}, In(milliseconds(300))).status();
  EXPECT_TRUE(absl::IsDeadlineExceeded(late)) << late;
  EXPECT_THAT(std::string(late.message()), testing::HasSubstr("away"));
  EXPECT_TRUE(Ping(**client, "b").ok());
}

TEST(GrpcMasterClient, LooksForTheLeaderWhenTheLastOneIsSilent) {
  SilentPort silent;
  silent.Listen();
  EchoMaster master(0);
  std::atomic<int> port = silent.port();
  const auto client =
      MasterClient::Follow([&](TimePoint) { return Address(port.exchange(master.port())); });
  ASSERT_TRUE(client.ok()) << client.status();
  const TimePoint start = Clock::Real().Now();
  EXPECT_TRUE(Ping(**client, "a", seconds(300)).ok());
  EXPECT_LT(Clock::Real().Now() - start, seconds(50));
}

TEST(GrpcMasterClient, APingDoesNotWaitLongForOneOfSeveralMasters) {
  SilentPort silent;
  silent.Listen();
  EchoMaster master(0);
  const auto client = MasterClient::Connect(Address(silent.port()) + "," + Address(master.port()));
  ASSERT_TRUE(client.ok()) << client.status();
  const TimePoint start = Clock::Real().Now();
  EXPECT_TRUE(Ping(**client, "a", seconds(300)).ok());
  EXPECT_LT(Clock::Real().Now() - start, seconds(50));
}

TEST(ErrorCode, HasAnOwnDescriptionEach) {
  EXPECT_STREQ(Describe(kOk), "ok");
  EXPECT_STREQ(Describe(kNoSpace), "no space");
  EXPECT_STREQ(Describe(static_cast<ErrorCode>(-1)), "unknown error");
}

}  // namespace
}  // namespace tandem::store

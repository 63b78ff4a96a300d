#include "store/master/master_service.h"

#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <thread>
#include <utility>

#include "base/testing/test_certificates.h"
#include "store/master/maintenance.h"
#include "store/master/testing/pool.h"
#include "store/proto/call_channel.h"
#include "store/proto/master_client.h"
#include "store/proto/remote_socket.h"
#include "store/proto/store.grpc.pb.h"

namespace tandem::store {
namespace {

using testing::HasSubstr;

TimePoint Soon() { return Clock::Real().Now() + std::chrono::seconds(30); }

class MasterServiceTest : public testing::Test {
 protected:
  MasterServiceTest() {
    auto service = MasterService::Start({.address = "127.0.0.1"}, serving_, pool_.metrics);
    EXPECT_TRUE(service.ok()) << service.status();
    service_ = *std::move(service);
    pool_.Mount("a", 1 << 20);
  }
  std::unique_ptr<MasterClient> Connect() {
    auto client = MasterClient::Connect("127.0.0.1:" + std::to_string(service_->port()));
    EXPECT_TRUE(client.ok());
    return *std::move(client);
  }
  double Value(const std::string& metric) {
    const std::string text = RenderMetrics(pool_.registry);
    const size_t at = text.find("\n" + metric + " ");
    return at == std::string::npos ? -1 : std::stod(text.substr(at + metric.size() + 2));
  }

  Pool pool_;
  std::shared_ptr<ServingMaster> serving_ = ServingMaster::Of(pool_.master);
  std::unique_ptr<MasterService> service_;
};

TEST_F(MasterServiceTest, CarriesAPutAndAGet) {
  const auto client = Connect();
  proto::PutStartRequest start;
  start.set_client_id("a");
  start.add_keys("k");
  start.add_sizes(100);
  const auto started = client->PutStart(start, Soon());
  ASSERT_TRUE(started.ok()) << started.status();
  proto::PutEndRequest end;
  end.set_client_id("a");
  end.add_items()->set_key("k");
  end.mutable_items(0)->add_generations(started->results(0).extents(0).generation());
  const auto ended = client->PutEnd(end, Soon());
  ASSERT_TRUE(ended.ok());
  EXPECT_EQ(ended->codes(0), kOk);

  proto::GetReplicasRequest get;
  get.add_keys("k");
  get.add_keys("none");
  const auto found = client->GetReplicas(get, Soon());
  ASSERT_TRUE(found.ok());
  EXPECT_EQ(found->results(0).code(), kOk);
  EXPECT_EQ(found->results(1).code(), kObjectNotFound);
  EXPECT_EQ(found->lease_milliseconds(), 10'000u);
  EXPECT_EQ(Value("master_put_end_requests_total"), 1);
  EXPECT_EQ(Value("master_put_end_failures_total"), 0);
  EXPECT_EQ(Value("master_get_replica_list_failures_total"), 1);
}

TEST_F(MasterServiceTest, AnswersEveryCall) {
  const auto client = Connect();
  EXPECT_TRUE(client->MountSegment({}, Soon()).ok());
  EXPECT_TRUE(client->UnmountSegment({}, Soon()).ok());
  EXPECT_TRUE(client->Ping({}, Soon()).ok());
  EXPECT_TRUE(client->RegisterObjects({}, Soon()).ok());
  EXPECT_TRUE(client->PutStart({}, Soon()).ok());
  EXPECT_TRUE(client->PutEnd({}, Soon()).ok());
  EXPECT_TRUE(client->PutRevoke({}, Soon()).ok());
  EXPECT_TRUE(client->GetReplicas({}, Soon()).ok());
  EXPECT_TRUE(client->Exist({}, Soon()).ok());
  EXPECT_TRUE(client->Remove({}, Soon()).ok());
  EXPECT_TRUE(client->RemoveByRegex({}, Soon()).ok());
  EXPECT_TRUE(client->RemoveAll({}, Soon()).ok());
  EXPECT_TRUE(client->ConfirmRemovals({}, Soon()).ok());
  EXPECT_TRUE(client->ReportLostReplicas({}, Soon()).ok());
  EXPECT_TRUE(client->ListKeys({}, Soon()).ok());
  const auto segments = client->ListSegments({}, Soon());
  ASSERT_TRUE(segments.ok());
  EXPECT_EQ(segments->segments_size(), 1);
}

TEST_F(MasterServiceTest, RefusesCallsWhileItStandsBy) {
  const auto client = Connect();
  std::atomic<bool> leads = true;
  serving_->Serve(std::shared_ptr<Master>(&pool_.master, [](Master*) {}),
                  [&] { return leads.load(); });
  EXPECT_TRUE(client->Ping({}, Soon()).ok());
  leads = false;
  const absl::Status refused = client->Ping({}, Soon()).status();
  EXPECT_TRUE(absl::IsUnavailable(refused)) << refused;
  EXPECT_NE(refused.message().find("stands by"), std::string::npos) << refused;
  leads = true;
  EXPECT_TRUE(client->Ping({}, Soon()).ok());
}

TEST_F(MasterServiceTest, AClientFollowsTheLeader) {
  Pool other;
  const auto standby = ServingMaster::Of(other.master);
  auto second = MasterService::Start({.address = "127.0.0.1"}, standby, other.metrics);
  ASSERT_TRUE(second.ok());
  auto client = MasterClient::Connect("127.0.0.1:" + std::to_string((*second)->port()) +
                                      ",127.0.0.1:" + std::to_string(service_->port()));
  ASSERT_TRUE(client.ok()) << client.status();
  const auto segments = [&] {
    const auto listed = (*client)->ListSegments({}, Soon());
    return listed.ok() ? listed->segments_size() : -1;
  };
  EXPECT_EQ(segments(), 0);  // the first of the list
  standby->StandBy();
  EXPECT_EQ(segments(), 1);
  serving_->StandBy();
  EXPECT_EQ(segments(), -1);
  standby->Serve(std::shared_ptr<Master>(&other.master, [](Master*) {}), nullptr);
  EXPECT_EQ(segments(), 0);
  second->reset();  // gone altogether
  serving_->Serve(std::shared_ptr<Master>(&pool_.master, [](Master*) {}), nullptr);
  EXPECT_EQ(segments(), 1);
}

TEST_F(MasterServiceTest, ServesSeveralThreads) {
  constexpr int kThreads = 4, kPuts = 50;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([this, t] {
      const auto client = Connect();
      for (int i = 0; i < kPuts; ++i) {
        proto::PutStartRequest request;
        request.set_client_id("a");
        request.add_keys(std::to_string(t) + "/" + std::to_string(i));
        request.add_sizes(64);
        const auto response = client->PutStart(request, Soon());
        ASSERT_TRUE(response.ok());
        ASSERT_EQ(response->results(0).code(), kOk);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(pool_.master.usage().allocated_bytes, uint64_t{64} * kThreads * kPuts);
}

TEST_F(MasterServiceTest, AnswersWhileACallWaits) {
  // One that ends has the master's calls wait no more.
  const auto unused = std::exchange(
      service_,
      *MasterService::Start({.address = "127.0.0.1", .threads = 1}, serving_, pool_.metrics));
  ASSERT_EQ(pool_.Put("a", "k", 100), kOk);
  proto::RemoveRequest remove;
  remove.add_keys("k");
  remove.set_wait_milliseconds(5000);
  auto removed = std::async(std::launch::async, [&] { return Connect()->Remove(remove, Soon()); });
  const TimePoint give_up = Soon();
  while (pool_.Exists("k")) ASSERT_LT(Clock::Real().Now(), give_up);
  // It waits for these, which come in the meantime.
  const auto owner = Connect();
  proto::PingRequest ping;
  ping.set_client_id("a");
  ping.set_forgotten_through(owner->Ping(ping, Soon())->sequence());
  ASSERT_TRUE(owner->Ping(ping, Soon()).ok());
  EXPECT_EQ(removed.get()->pending_size(), 0);
}

TEST_F(MasterServiceTest, SaysThatAPortIsInUse) {
  const auto second = MasterService::Start({.address = "127.0.0.1", .port = service_->port()},
                                           serving_, pool_.metrics);
  ASSERT_FALSE(second.ok());
  EXPECT_THAT(std::string(second.status().message()),
              HasSubstr("127.0.0.1:" + std::to_string(service_->port()) + ": Address already"));
  const auto elsewhere = MasterService::Start({.address = "no host"}, serving_, pool_.metrics);
  EXPECT_FALSE(elsewhere.ok());
}

TEST(Maintenance, DropsSilentClientsByItself) {
  Pool pool;
  pool.Mount("a", 1 << 20);
  pool.clock.Advance(std::chrono::seconds(11));
  const Maintenance maintenance(pool.master);
  const TimePoint give_up = Soon();
  while (pool.master.usage().segments > 0 && Clock::Real().Now() < give_up) {
    std::this_thread::yield();
  }
  EXPECT_EQ(pool.master.usage().segments, 0u);
}

/// A master that keeps strangers out.
class SecuredMasterTest : public testing::Test {
 protected:
  std::unique_ptr<MasterService> Serve(const Security& security) {
    auto service = MasterService::Start({.address = "127.0.0.1", .security = security}, serving_,
                                        pool_.metrics);
    EXPECT_TRUE(service.ok()) << service.status();
    return *std::move(service);
  }
  Security ServerSecurity() { return {true, certificates_.files(), token_}; }
  Security ClientSecurity() { return {true, {certificates_.ca()}, token_}; }

  /// What becomes of a call that goes over the network.
  absl::Status Ask(const MasterService& service, const Security& security) {
    auto client = MasterClient::Connect("127.0.0.1:" + std::to_string(service.port()), security);
    EXPECT_TRUE(client.ok()) << client.status();
    proto::PingRequest request;
    request.set_client_id("a");
    const TimePoint start = Clock::Real().Now();
    const absl::Status status = (*client)->Ping(request, Soon()).status();
    EXPECT_LT(Clock::Real().Now() - start, std::chrono::seconds(15)) << status;
    return status;
  }
  void ExpectFailure(const absl::Status& status, absl::StatusCode code, const char* reason) {
    EXPECT_EQ(status.code(), code) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(reason));
    EXPECT_THAT(std::string(status.message()), HasSubstr("127.0.0.1:"));
  }

  const TestCertificates certificates_;
  const BearerToken token_ = *BearerToken::Of("word");
  Pool pool_;
  std::shared_ptr<ServingMaster> serving_ = ServingMaster::Of(pool_.master);
};

TEST_F(SecuredMasterTest, AnswersThoseWithTheCaAndTheToken) {
  const auto service = Serve(ServerSecurity());
  const absl::Status status = Ask(*service, ClientSecurity());
  EXPECT_TRUE(status.ok()) << status;
}

TEST_F(SecuredMasterTest, RefusesThoseWithoutTheToken) {
  for (const bool tls : {true, false}) {
    Security server = ServerSecurity(), client = ClientSecurity();
    server.tls = client.tls = tls;
    const auto service = Serve(server);
    EXPECT_TRUE(Ask(*service, client).ok());
    client.token = *BearerToken::Of("other");
    ExpectFailure(Ask(*service, client), absl::StatusCode::kUnauthenticated, "is not the one");
    client.token = {};
    ExpectFailure(Ask(*service, client), absl::StatusCode::kUnauthenticated, "none was sent");
  }
}

TEST_F(SecuredMasterTest, SaysWhatIsWrongBetweenTwoEndsOfDifferentMinds) {
  const auto secured = Serve(ServerSecurity()), plain = Serve({});
  const TestCertificates others;
  Security client = ClientSecurity();
  client.files.ca = others.ca();
  ExpectFailure(Ask(*secured, client), absl::StatusCode::kUnavailable, "is not trusted");
  ExpectFailure(Ask(*plain, ClientSecurity()), absl::StatusCode::kUnavailable,
                "does not speak TLS");
  ExpectFailure(Ask(*secured, {}), absl::StatusCode::kUnavailable, "tls_ca_file is not set");
}

TEST_F(SecuredMasterTest, VerifiesClientsIfToldTo) {
  Security server = ServerSecurity();
  server.files.verify_clients = true;
  const auto service = Serve(server);
  Security client = ClientSecurity();
  ExpectFailure(Ask(*service, client), absl::StatusCode::kUnavailable, "tls_cert_file");
  client.files = certificates_.files();
  const absl::Status status = Ask(*service, client);
  EXPECT_TRUE(status.ok()) << status;
}

TEST_F(SecuredMasterTest, TakesCallsOverTlsBesideGrpc) {
  Security server = ServerSecurity();
  server.files.verify_clients = true;
  const auto service = Serve(server);
  const TlsTexts texts = *ReadTlsFiles(certificates_.files());
  const auto stub = proto::Master::NewStub(
      grpc::CreateChannel("127.0.0.1:" + std::to_string(service->port()),
                          grpc::SslCredentials({texts.ca, texts.key, texts.certificate})));
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(10));
  context.AddMetadata("authorization", token_.Authorization());
  proto::PingRequest request;
  request.set_client_id("a");
  proto::PingResponse response;
  ASSERT_TRUE(stub->Ping(&context, request, &response).ok());
  const auto& fields = context.GetServerInitialMetadata();
  const auto port = fields.find(kCallPortField);
  ASSERT_NE(port, fields.end());
  RemoteConnector connector("127.0.0.1", *MakeTlsClientContext(certificates_.files()), token_);
  RemoteConnector unknown("127.0.0.1", *MakeTlsClientContext({.ca = certificates_.ca()}), token_);
  for (RemoteConnector* one : {&connector, &unknown}) {
    one->SetPort({port->second.data(), port->second.size()});
  }
  EXPECT_FALSE(unknown.Connect(Soon()).valid());  // for want of a certificate
  CallChannel channel([&](TimePoint deadline) { return connector.Connect(deadline); });
  const auto reply = channel.Call(HotCall::kPing, request.SerializeAsString(), Soon());
  ASSERT_TRUE(reply.has_value());
  EXPECT_TRUE(reply->ok()) << reply->status();
}

TEST_F(SecuredMasterTest, NamesTheFileThatIsWrong) {
  Security security = ServerSecurity();
  security.files.certificate = "/nowhere";
  const absl::Status server =
      MasterService::Start({.address = "127.0.0.1", .security = security}, serving_, pool_.metrics)
          .status();
  EXPECT_EQ(server.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(server.message()), HasSubstr("tls_cert_file: '/nowhere'"));
  security.files.ca = "/nowhere";
  const absl::Status client = MasterClient::Connect("127.0.0.1:1", security).status();
  EXPECT_EQ(client.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(client.message()), HasSubstr("tls_ca_file: '/nowhere'"));
}

}  // namespace
}  // namespace tandem::store

#include "cache/store_connector.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <future>

#include "cache/testing/fake_store_client.h"
#include "cache/testing/instance.h"

namespace tandem::cache {
namespace {

using compute::KvLayout;
using std::chrono::seconds;
using testing::FakeStoreClient;
using ::testing::HasSubstr;
using testing::Instance;
using testing::kLayout;
using testing::Prompt;

constexpr auto kPatience = seconds(30);
constexpr int kChunk = 16;
/// Lets a thread of the connector wait inside a call of the store until the test opens it.
class Gate {
 public:
  void Pass() {
    entered_.set_value();
    open_.get_future().wait_for(kPatience);
  }
  void AwaitEntry() {
    ASSERT_EQ(entered_.get_future().wait_for(kPatience), std::future_status::ready);
  }
  void Open() { open_.set_value(); }

 private:
  std::promise<void> entered_;
  std::promise<void> open_;
};

class StoreConnectorTest : public ::testing::Test {
 protected:
  StoreConnectorTest() {
    options_.cache_namespace = {
        .model = "m", .dtype = "half", .hash_seed = "123", .chunk_size = kChunk};
    options_.chunks.chunk_size = kChunk;
    options_.save_chunk_meta = false;
  }

  StoreConnectorOptions WithRole(KvRole role) const {
    StoreConnectorOptions options = options_;
    options.role = role;
    return options;
  }

  /// Puts a prompt's chunks into the store, through a producer that goes away again.
  void Fill(const std::vector<int32_t>& prompt) {
    Instance producer(store_, WithRole(KvRole::kProducer), clock_);
    producer.Compute(table_, prompt);
    auto session = producer.Begin(prompt);
    const int tokens = static_cast<int>(prompt.size());
    ASSERT_EQ(producer.SaveAll(*session, table_, tokens), tokens);
  }

  /// What each call of `method` returns from now on.
  void Fail(const std::string& method, store::ErrorCode code) {
    store_.Intercept([method, code](const std::string& called, const std::string&) {
      return called == method ? code : store::kOk;
    });
  }

  void Hold(const std::string& method, Gate& gate) {
    auto held = std::make_shared<std::atomic<bool>>(false);
    store_.Intercept([method, held, &gate](const std::string& called, const std::string&) {
      if (called == method && !held->exchange(true)) gate.Pass();
      return store::kOk;
    });
  }

  FakeStoreClient store_;
  FakeClock clock_;
  StoreConnectorOptions options_;
  const std::vector<int32_t> table_ = {9, 3, 14, 1, 12, 7, 5, 2};
};

TEST_F(StoreConnectorTest, WhatOneInstanceSavesAnotherLoads) {
  for (const bool header : {false, true}) {
    options_.save_chunk_meta = header;
    for (int tokens : {1, 15, 16, 17, 50, 64, 100}) {
      const auto prompt = Prompt(tokens, 1000 * tokens + header);
      Fill(prompt);
      Instance consumer(store_, WithRole(KvRole::kConsumer), clock_);
      auto session = consumer.Begin(prompt, tokens);
      ASSERT_EQ(consumer.LookUp(*session), tokens);
      const auto ticket = session->Load(table_, 0, tokens);
      consumer.AwaitDone(ticket);
      EXPECT_EQ(ticket->tokens(), tokens);
      EXPECT_EQ(ticket->layers_done(), kLayout.layers);
      EXPECT_GE(ticket->bytes(), static_cast<int64_t>(kLayout.all_token_bytes()) * tokens);
      EXPECT_EQ(consumer.CorrectTokens(table_, prompt), tokens);
      EXPECT_EQ(session->committed_tokens(), tokens);
    }
  }
}

TEST_F(StoreConnectorTest, TheStoreHearsForWhichRequestItIsAsked) {
  const auto prompt = Prompt(20);
  Fill(prompt);
  Instance consumer(store_, WithRole(KvRole::kConsumer), clock_);
  consumer.LookUp(*consumer.Begin(prompt));
  for (const char* method : {"Reserve", "Commit", "Find"}) {
    EXPECT_THAT(store_.RequestIds(method), ::testing::ElementsAre("request")) << method;
  }
}

TEST_F(StoreConnectorTest, ThePlainUpstreamFormFindsThePrompt) {
  const auto prompt = Prompt(50);
  Fill(prompt);
  Instance consumer(store_, WithRole(KvRole::kConsumer), clock_);
  auto session = consumer.Begin(Prompt(51));
  EXPECT_EQ(consumer.LookUp(*session), 50);
}

TEST_F(StoreConnectorTest, ChunksAreSavedAsTheyAreComputed) {
  const auto prompt = Prompt(50);
  Instance producer(store_, WithRole(KvRole::kProducer), clock_);
  producer.Compute(table_, prompt);
  auto session = producer.Begin(prompt);
  EXPECT_EQ(session->Save(table_, 10), nullptr);
  producer.AwaitDone(session->Save(table_, 33));
  EXPECT_EQ(session->committed_tokens(), 32);
  EXPECT_EQ(session->Save(table_, 40), nullptr);
  const auto last = session->Save(table_, 50);
  producer.AwaitDone(last);
  EXPECT_EQ(last->tokens(), 50);
  EXPECT_EQ(session->committed_tokens(), 50);
  EXPECT_EQ(session->Save(table_, 50), nullptr);
  EXPECT_EQ(store_.Keys().size(), 4u);
  EXPECT_EQ(producer.Metric("tandem:cache_saved_chunks_total"), 4);
  EXPECT_EQ(producer.Metric("tandem:cache_saved_tokens_total"), 50);
}

TEST_F(StoreConnectorTest, ABatchTakesOneRoundTripEach) {
  const auto prompt = Prompt(100);
  Fill(prompt);
  EXPECT_EQ(store_.Calls("Reserve"), 1);
  EXPECT_EQ(store_.Calls("Commit"), 1);
  Instance consumer(store_, WithRole(KvRole::kConsumer), clock_);
  auto session = consumer.Begin(prompt);
  ASSERT_EQ(consumer.LookUp(*session), 100);
  EXPECT_EQ(store_.Calls("Find"), 1);
  consumer.AwaitDone(session->Load(table_, 0, 100));
  EXPECT_EQ(store_.Calls("Find"), 1);
  EXPECT_EQ(store_.Calls("Read"), 1);
}

TEST_F(StoreConnectorTest, LongTransfersAreCutIntoWindows) {
  options_.window_bytes = 3 * kChunk * kLayout.all_token_bytes();
  const auto prompt = Prompt(100);
  Fill(prompt);
  EXPECT_EQ(store_.Calls("Reserve"), 3);
  Instance consumer(store_, WithRole(KvRole::kConsumer), clock_);
  auto session = consumer.Begin(prompt);
  ASSERT_EQ(consumer.LookUp(*session), 100);
  consumer.AwaitDone(session->Load(table_, 0, 100));
  EXPECT_EQ(store_.Calls("Read"), 3);
  EXPECT_EQ(consumer.CorrectTokens(table_, prompt), 100);
}

TEST_F(StoreConnectorTest, RolesDoWhatTheyAreFor) {
  const auto prompt = Prompt(50);
  Fill(prompt);
  Instance producer(store_, WithRole(KvRole::kProducer), clock_);
  auto producing = producer.Begin(prompt);
  producing->StartLookup();
  EXPECT_TRUE(producing->lookup_done());
  EXPECT_EQ(producing->matched_tokens(), 0);
  EXPECT_EQ(store_.Calls("Find"), 0);
  Instance consumer(store_, WithRole(KvRole::kConsumer), clock_);
  auto consuming = consumer.Begin(Prompt(50, 7));
  EXPECT_EQ(consumer.LookUp(*consuming), 0);
  EXPECT_EQ(consuming->Save(table_, 50), nullptr);
  Instance both(store_, WithRole(KvRole::kBoth), clock_);
  auto first_half = both.Begin(Prompt(80));
  EXPECT_EQ(both.LookUp(*first_half), 48);
  both.Compute(table_, Prompt(80));
  EXPECT_EQ(both.SaveAll(*first_half, table_, 80), 80);
  EXPECT_EQ(both.Metric("tandem:cache_saved_chunks_total"), 2);
}

TEST_F(StoreConnectorTest, AGapEndsTheHit) {
  const auto prompt = Prompt(64);
  Fill(prompt);
  const ChunkLedger ledger(prompt, -1, options_.chunks, ChunkHasher("123").root(),
                           ChunkKeyFormat::For(options_.cache_namespace, ""));
  store_.Erase(ledger.ChunksToLookUp()[1].key);
  Instance consumer(store_, WithRole(KvRole::kConsumer), clock_);
  auto session = consumer.Begin(prompt);
  EXPECT_EQ(consumer.LookUp(*session), 16);
  EXPECT_EQ(consumer.Metric("tandem:cache_hit_tokens_total"), 16);
  EXPECT_EQ(consumer.Metric("tandem:cache_miss_tokens_total"), 48);
}

TEST_F(StoreConnectorTest, ALoadLeavesWhatIsThereAlone) {
  const auto prompt = Prompt(50);
  Fill(prompt);
  Instance consumer(store_, WithRole(KvRole::kConsumer), clock_);
  consumer.Compute(table_, Prompt(50, 5000));
  auto session = consumer.Begin(prompt);
  ASSERT_EQ(consumer.LookUp(*session), 50);
  const auto ticket = session->Load(table_, 20, 49);
  consumer.AwaitDone(ticket);
  EXPECT_EQ(ticket->tokens(), 49);
  auto expected = Prompt(50, 5000);
  std::copy(prompt.begin() + 20, prompt.begin() + 49, expected.begin() + 20);
  EXPECT_EQ(consumer.CorrectTokens(table_, expected), 50);
  EXPECT_EQ(consumer.Metric("tandem:cache_loaded_tokens_total"), 29);
}

TEST_F(StoreConnectorTest, ALoadStopsAtTheFirstChunkThatIsGone) {
  const auto prompt = Prompt(64);
  Fill(prompt);
  Instance both(store_, WithRole(KvRole::kBoth), clock_);
  auto session = both.Begin(prompt);
  ASSERT_EQ(both.LookUp(*session), 64);
  const ChunkLedger ledger(prompt, -1, options_.chunks, ChunkHasher("123").root(),
                           ChunkKeyFormat::For(options_.cache_namespace, ""));
  const std::string gone = ledger.ChunksToLookUp()[2].key;
  store_.Erase(gone);
  const auto ticket = session->Load(table_, 0, 64);
  both.AwaitDone(ticket);
  EXPECT_EQ(ticket->tokens(), 32);
  EXPECT_EQ(both.CorrectTokens(table_, prompt), 32);
  EXPECT_EQ(session->committed_tokens(), 32);
  EXPECT_EQ(both.Metric(R"(tandem:cache_failures_total{cause="gone",operation="load"})"), 1);
  // What is computed instead is saved again.
  both.Compute(table_, prompt);
  EXPECT_EQ(both.SaveAll(*session, table_, 64), 64);
  EXPECT_TRUE(store_.Has(gone));
}

TEST_F(StoreConnectorTest, ALoadRefusesBytesOfAnotherSize) {
  const auto prompt = Prompt(32);
  Fill(prompt);
  Instance consumer(store_, WithRole(KvRole::kConsumer), clock_);
  auto session = consumer.Begin(prompt);
  ASSERT_EQ(consumer.LookUp(*session), 32);
  for (const std::string& key : store_.Keys()) store_.Insert(key, FakeStoreClient::Bytes(10));
  const auto ticket = session->Load(table_, 0, 32);
  consumer.AwaitDone(ticket);
  EXPECT_EQ(ticket->tokens(), 0);
  EXPECT_EQ(ticket->bytes(), 0);
  // A lookup sees the size already.
  auto again = consumer.Begin(prompt);
  EXPECT_EQ(consumer.LookUp(*again), 0);
  EXPECT_GE(
      consumer.Metric(R"(tandem:cache_failures_total{cause="bad_object",operation="lookup"})"), 1);
}

TEST_F(StoreConnectorTest, ACancelledLoadKeepsItsBlocksUntilItIsDone) {
  const auto prompt = Prompt(50);
  Fill(prompt);
  Instance consumer(store_, WithRole(KvRole::kConsumer), clock_);
  auto session = consumer.Begin(prompt);
  ASSERT_EQ(consumer.LookUp(*session), 50);
  Gate gate;
  Hold("Read", gate);
  const auto ticket = session->Load(table_, 0, 50);
  gate.AwaitEntry();
  ticket->Cancel();
  session.reset();
  EXPECT_FALSE(ticket->done());
  gate.Open();
  consumer.AwaitDone(ticket);
  EXPECT_EQ(ticket->tokens(), 0);
  EXPECT_EQ(consumer.CorrectTokens(table_, prompt), 0);
}

TEST_F(StoreConnectorTest, ACancelledSaveGivesItsRoomBack) {
  const auto prompt = Prompt(50);
  Instance producer(store_, WithRole(KvRole::kProducer), clock_);
  auto session = producer.Begin(prompt);
  Gate gate;
  Hold("Reserve", gate);
  const auto ticket = session->Save(table_, 50);
  gate.AwaitEntry();
  ticket->Cancel();
  gate.Open();
  producer.AwaitDone(ticket);
  EXPECT_EQ(ticket->bytes(), 0);
  EXPECT_EQ(session->committed_tokens(), 0);
  EXPECT_EQ(store_.Keys().size(), 0u);
  EXPECT_EQ(store_.open_reservations(), 0);
}

TEST_F(StoreConnectorTest, WhatIsThereAlreadyCountsAsCommitted) {
  const auto prompt = Prompt(50);
  Fill(prompt);
  Instance producer(store_, WithRole(KvRole::kProducer), clock_);
  auto session = producer.Begin(prompt);
  EXPECT_EQ(producer.SaveAll(*session, table_, 50), 50);
  EXPECT_EQ(producer.Metric("tandem:cache_saved_chunks_total"), 0);
  EXPECT_EQ(producer.Metric("tandem:cache_present_chunks_total"), 4);
}

TEST_F(StoreConnectorTest, AWriterWaitsForAnotherWriterOfTheSameChunks) {
  const auto prompt = Prompt(50);
  Instance producer(store_, WithRole(KvRole::kProducer), clock_);
  producer.Compute(table_, prompt);
  auto first = producer.Begin(prompt);
  auto second = producer.Begin(prompt);
  std::promise<void> second_tried;
  std::atomic<int> reservations = 0;
  store_.Intercept([&](const std::string& method, const std::string&) {
    // The second's first try is over when it tries once more.
    if (method == "Reserve" && ++reservations == 3) second_tried.set_value();
    if (method == "Commit") second_tried.get_future().wait_for(kPatience);
    return store::kOk;
  });
  const auto a = first->Save(table_, 50);
  const auto b = second->Save(table_, 50);
  producer.AwaitDone(a);
  producer.AwaitDone(b);
  EXPECT_EQ(first->committed_tokens(), 50);
  EXPECT_EQ(second->committed_tokens(), 50);
  EXPECT_EQ(producer.Metric("tandem:cache_saved_chunks_total"), 4);
}

TEST_F(StoreConnectorTest, AFullPoolCommitsWhatFits) {
  const auto prompt = Prompt(64);
  Instance producer(store_, WithRole(KvRole::kProducer), clock_);
  producer.Compute(table_, prompt);
  auto session = producer.Begin(prompt);
  store_.LimitObjects(2);
  EXPECT_EQ(producer.SaveAll(*session, table_, 48), 32);
  EXPECT_EQ(producer.Metric(R"(tandem:cache_failures_total{cause="no_space",operation="save"})"),
            1);
  // The next save tries again.
  store_.LimitObjects(100);
  EXPECT_EQ(producer.SaveAll(*session, table_, 64), 64);
}

TEST_F(StoreConnectorTest, EveryStepOfASaveMayFail) {
  const auto prompt = Prompt(50);
  for (const char* method : {"Reserve", "Commit"}) {
    for (const store::ErrorCode code : {store::kRpcFailed, store::kTransferFailed}) {
      FakeStoreClient store;
      Instance producer(store, WithRole(KvRole::kProducer), clock_);
      producer.Compute(table_, prompt);
      auto session = producer.Begin(prompt);
      store.Intercept([&](const std::string& called, const std::string&) {
        return called == method ? code : store::kOk;
      });
      EXPECT_EQ(producer.SaveAll(*session, table_, 50), 0) << method << " " << code;
      EXPECT_EQ(store.open_reservations(), 0);
      store.Intercept(nullptr);
      clock_.Advance(seconds(1));
      EXPECT_EQ(producer.SaveAll(*session, table_, 50), 50) << method << " " << code;
    }
  }
}

TEST_F(StoreConnectorTest, EveryStepOfALoadMayFail) {
  const auto prompt = Prompt(50);
  Fill(prompt);
  for (const store::ErrorCode code :
       {store::kRpcFailed, store::kTransferFailed, store::kLeaseExpired, store::kObjectNotFound}) {
    Instance consumer(store_, WithRole(KvRole::kConsumer), clock_);
    auto session = consumer.Begin(prompt);
    Fail("Find", code);
    EXPECT_EQ(consumer.LookUp(*session), 0);
    store_.Intercept(nullptr);
    clock_.Advance(seconds(1));
    auto another = consumer.Begin(prompt);
    EXPECT_EQ(consumer.LookUp(*another), 50);
    Fail("Read", code);
    const auto ticket = another->Load(table_, 5, 50);
    consumer.AwaitDone(ticket);
    EXPECT_EQ(ticket->tokens(), 5);
    EXPECT_EQ(another->committed_tokens(), 0);
    store_.Intercept(nullptr);
  }
}

TEST_F(StoreConnectorTest, AMasterThatIsGoneIsNotAskedByEachRequest) {
  Fill(Prompt(50));
  Instance consumer(store_, WithRole(KvRole::kConsumer), clock_);
  const auto look_up = [&] {
    auto session = consumer.Begin(Prompt(50));
    return consumer.LookUp(*session);
  };
  Fail("Find", store::kRpcFailed);
  for (int i = 0; i < 10; ++i) EXPECT_EQ(look_up(), 0);
  EXPECT_EQ(store_.Calls("Find"), 1);
  clock_.Advance(seconds(1));
  for (int i = 0; i < 10; ++i) EXPECT_EQ(look_up(), 0);
  EXPECT_EQ(store_.Calls("Find"), 2);
  store_.Intercept(nullptr);
  EXPECT_EQ(look_up(), 0);
  clock_.Advance(seconds(2));
  EXPECT_EQ(look_up(), 50);
  EXPECT_EQ(look_up(), 50);
}

TEST_F(StoreConnectorTest, ALookupThatWaitedTooLongEndsWithoutAsking) {
  Fill(Prompt(50));
  Instance consumer(store_, WithRole(KvRole::kConsumer), clock_);
  Gate gate;
  Hold("Find", gate);
  auto first = consumer.Begin(Prompt(50));
  first->StartLookup();
  gate.AwaitEntry();
  auto second = consumer.Begin(Prompt(50));
  second->StartLookup();
  clock_.Advance(seconds(3));
  gate.Open();
  EXPECT_TRUE(consumer.Await([&] { return first->lookup_done() && second->lookup_done(); }));
  EXPECT_EQ(first->matched_tokens(), 50);
  EXPECT_EQ(second->matched_tokens(), 0);
  EXPECT_EQ(store_.Calls("Find"), 1);
  EXPECT_EQ(consumer.Metric(R"(tandem:cache_failures_total{cause="timeout",operation="lookup"})"),
            1);
}

TEST_F(StoreConnectorTest, TransfersEndAtTheirDeadline) {
  const auto prompt = Prompt(50);
  Fill(prompt);
  StoreConnectorOptions options = WithRole(KvRole::kBoth);
  options.transfer_threads = 1;
  Instance both(store_, options, clock_);
  auto blocked = both.Begin(prompt);
  auto late = both.Begin(prompt);
  auto saver = both.Begin(Prompt(50, 9000));
  ASSERT_EQ(both.LookUp(*blocked), 50);
  ASSERT_EQ(both.LookUp(*late), 50);
  Gate gate;
  Hold("Read", gate);
  const auto first = blocked->Load(table_, 0, 50);
  gate.AwaitEntry();
  const auto second = late->Load(table_, 0, 50);
  const auto third = saver->Save(table_, 50);
  clock_.Advance(seconds(11));
  gate.Open();
  both.AwaitDone(second);
  both.AwaitDone(third);
  EXPECT_EQ(second->tokens(), 0);
  EXPECT_EQ(third->tokens(), 0);
  EXPECT_EQ(saver->committed_tokens(), 0);
}

TEST_F(StoreConnectorTest, SaltsDoNotShare) {
  const auto prompt = Prompt(50);
  Instance both(store_, WithRole(KvRole::kBoth), clock_);
  both.Compute(table_, prompt);
  auto saver = both.Begin(prompt, -1, "alice");
  ASSERT_EQ(both.SaveAll(*saver, table_, 50), 50);
  auto bob = both.Begin(prompt, -1, "bob");
  EXPECT_EQ(both.LookUp(*bob), 0);
  auto nobody = both.Begin(prompt);
  EXPECT_EQ(both.LookUp(*nobody), 0);
  auto alice = both.Begin(prompt, -1, "alice");
  EXPECT_EQ(both.LookUp(*alice), 50);
}

TEST_F(StoreConnectorTest, ShortHitsAreNotWorthALoad) {
  Fill(Prompt(50));
  StoreConnectorOptions options = WithRole(KvRole::kConsumer);
  options.min_retrieve_tokens = 51;
  Instance picky(store_, options, clock_);
  auto session = picky.Begin(Prompt(50));
  EXPECT_EQ(picky.LookUp(*session), 0);
}

TEST_F(StoreConnectorTest, EndsWhileTransfersWait) {
  const auto prompt = Prompt(50);
  StoreConnectorOptions options = WithRole(KvRole::kProducer);
  options.transfer_threads = 1;
  Instance producer(store_, options, clock_);
  auto first = producer.Begin(prompt);
  auto second = producer.Begin(Prompt(50, 2000));
  Gate gate;
  Hold("Reserve", gate);
  const auto held = first->Save(table_, 50);
  gate.AwaitEntry();
  const auto waiting = second->Save(table_, 50);
  auto ended = std::async(std::launch::async, [&] { producer.DestroyConnector(); });
  gate.Open();
  ASSERT_EQ(ended.wait_for(kPatience), std::future_status::ready);
  EXPECT_TRUE(held->done());
  EXPECT_TRUE(waiting->done());
  EXPECT_EQ(store_.open_reservations(), 0);
}

TEST_F(StoreConnectorTest, ManyRequestsAtOnce) {
  constexpr int kRequests = 48;
  Instance producer(store_, WithRole(KvRole::kProducer), clock_, kRequests * 4);
  Instance consumer(store_, WithRole(KvRole::kConsumer), clock_, kRequests * 4);
  std::vector<std::vector<int32_t>> prompts, tables;
  std::vector<std::unique_ptr<CacheSession>> sessions;
  std::vector<std::shared_ptr<Ticket>> tickets;
  for (int i = 0; i < kRequests; ++i) {
    // Every third prompt is the same: several write the same chunks.
    prompts.push_back(Prompt(20 + i % 3 * 20, i % 3 == 0 ? 1 : 100 * i));
    tables.push_back(Prompt(4, 4 * i));
    producer.Compute(tables[i], prompts[i]);
    sessions.push_back(producer.Begin(prompts[i]));
    const int tokens = static_cast<int>(prompts[i].size());
    if (auto ticket = sessions[i]->Save(tables[i], 16)) tickets.push_back(ticket);
    if (auto ticket = sessions[i]->Save(tables[i], tokens)) tickets.push_back(ticket);
  }
  for (const auto& ticket : tickets) producer.AwaitDone(ticket);
  for (int i = 0; i < kRequests; ++i) {
    const int tokens = static_cast<int>(prompts[i].size());
    EXPECT_EQ(sessions[i]->committed_tokens(), tokens);
    sessions[i] = consumer.Begin(prompts[i], tokens);
    sessions[i]->StartLookup();
  }
  tickets.clear();
  for (int i = 0; i < kRequests; ++i) {
    const int tokens = static_cast<int>(prompts[i].size());
    ASSERT_TRUE(consumer.Await([&] { return sessions[i]->lookup_done(); }));
    EXPECT_EQ(sessions[i]->matched_tokens(), tokens);
    tickets.push_back(sessions[i]->Load(tables[i], 0, tokens));
  }
  for (int i = 0; i < kRequests; ++i) {
    consumer.AwaitDone(tickets[i]);
    EXPECT_EQ(consumer.CorrectTokens(tables[i], prompts[i]), static_cast<int>(prompts[i].size()));
  }
  EXPECT_EQ(store_.open_reservations(), 0);
}

TEST(StoreConnectorOptionsTest, TheFingerprintNamesWeightsAndLayout) {
  LmcacheConfig config;
  const KvTransferConfig transfer = {.kv_connector = "LMCacheConnectorV1",
                                     .role = KvRole::kConsumer,
                                     .engine_id = "",
                                     .skip_last_n_tokens = 1};
  const auto name = [&](const std::string& weights, const KvLayout& layout) {
    return StoreConnectorOptions::From(config, transfer, "m", weights, layout, "123")
        .cache_namespace.ToString();
  };
  const std::string base = name("weights", kLayout);
  EXPECT_THAT(base, HasSubstr("model=m dtype=half hash_seed=123 chunk_size=256 fingerprint="));
  EXPECT_EQ(name("weights", kLayout), base);
  EXPECT_NE(name("others", kLayout), base);
  KvLayout more_layers = kLayout;
  ++more_layers.layers;
  EXPECT_NE(name("weights", more_layers), base);
  config.save_chunk_meta = false;
  EXPECT_NE(name("weights", kLayout), base);
  config.lmcache_compatible_keys = true;
  EXPECT_EQ(name("weights", kLayout),
            "model=m dtype=half hash_seed=123 chunk_size=256 fingerprint= save_chunk_meta=false");
  // The keys are the same, what is stored under them is not.
  config.save_chunk_meta = true;
  EXPECT_EQ(name("weights", kLayout),
            "model=m dtype=half hash_seed=123 chunk_size=256 fingerprint= save_chunk_meta=true");
}

TEST(StoreConnectorOptionsTest, KeysDoNotDependOnWhereTheCheckpointLies) {
  LmcacheConfig config;
  const KvTransferConfig transfer = {.role = KvRole::kBoth};
  const auto model = [&](const std::string& name) {
    return StoreConnectorOptions::From(config, transfer, name, "w", kLayout, "")
        .cache_namespace.model;
  };
  const std::string directory =
      ::testing::TempDir() + "store_connector_test_model_" + std::to_string(getpid());
  std::filesystem::create_directory(directory);
  EXPECT_EQ(model(directory), "store_connector_test_model_" + std::to_string(getpid()));
  EXPECT_EQ(model(directory + "/"), "store_connector_test_model_" + std::to_string(getpid()));
  EXPECT_EQ(model("Qwen/Qwen2.5-7B"), "Qwen/Qwen2.5-7B");
  config.lmcache_compatible_keys = true;
  EXPECT_EQ(model(directory), directory);
}

TEST(StoreConnectorOptionsTest, TakesWhatTheUserWrote) {
  LmcacheConfig config;
  config.chunk_size = 64;
  config.save_unfull_chunk = false;
  config.min_retrieve_tokens = 7;
  config.blocking_timeout = seconds(3);
  config.lookup_timeout = seconds(1);
  config.save_chunk_meta = false;
  config.local_buffer_size = 1 << 20;
  const KvTransferConfig transfer = {.kv_connector = "LMCacheConnectorV1",
                                     .role = KvRole::kProducer,
                                     .engine_id = "",
                                     .skip_last_n_tokens = 1};
  const auto options = StoreConnectorOptions::From(config, transfer, "m", "w", kLayout, "");
  EXPECT_EQ(options.role, KvRole::kProducer);
  EXPECT_EQ(options.chunks.chunk_size, 64);
  EXPECT_FALSE(options.chunks.save_unfull_chunk);
  EXPECT_EQ(options.chunks.skip_last_n_tokens, 1);
  EXPECT_EQ(options.min_retrieve_tokens, 7);
  EXPECT_EQ(options.blocking_timeout, seconds(3));
  EXPECT_EQ(options.lookup_timeout, seconds(1));
  EXPECT_FALSE(options.save_chunk_meta);
  EXPECT_EQ(options.window_bytes * options.transfer_threads, 1u << 20);
}

}  // namespace
}  // namespace tandem::cache

// The connector over the real store client, against a master in this process.
#include <gtest/gtest.h>

#include <list>

#include "cache/store_connector.h"
#include "cache/testing/instance.h"
#include "store/client/pool_member.h"
#include "store/client/testing/in_process_master.h"

namespace tandem::cache {
namespace {

using std::chrono::seconds;
using store::PoolMember;
using testing::Instance;
using testing::kLayout;
using testing::Prompt;

constexpr int kChunk = 64;

class PoolConnectorTest : public ::testing::Test {
 protected:
  PoolConnectorTest() {
    options_.cache_namespace = {
        .model = "m", .dtype = "half", .hash_seed = "123", .chunk_size = kChunk};
    options_.chunks.chunk_size = kChunk;
    options_.save_chunk_meta = false;
  }

  std::unique_ptr<PoolMember> Join(const std::string& host, uint64_t segment_bytes) {
    store::StoreClientOptions options;
    options.local_hostname = "127.0.0.1";
    options.master_address = "test:1";
    options.metadata_server = "P2PHANDSHAKE";
    options.segment_bytes = segment_bytes;
    options.local_buffer_bytes = 1 << 20;
    options.call_timeout = seconds(20);
    options.transfer_timeout = seconds(10);
    auto joined = PoolMember::Join(options, {}, master_.Connect(), host, registries_.emplace_back(),
                                   Clock::Real());
    EXPECT_TRUE(joined.ok()) << joined.status();
    return *std::move(joined);
  }

  StoreConnectorOptions WithRole(KvRole role) const {
    StoreConnectorOptions options = options_;
    options.role = role;
    return options;
  }

  std::list<MetricRegistry> registries_;  // One a member.
  store::testing::InProcessMaster master_;
  StoreConnectorOptions options_;
  const std::vector<int32_t> table_ = Prompt(32, 0);
  const std::vector<int32_t> prompt_ = Prompt(500);
};

TEST_F(PoolConnectorTest, HandsOverOnOneHostAndBetweenHosts) {
  const auto writer = Join("host-a", 8 << 20);
  Instance producer(*writer, WithRole(KvRole::kProducer), Clock::Real());
  producer.Compute(table_, prompt_);
  auto saving = producer.Begin(prompt_);
  int calls = master_.calls();
  ASSERT_EQ(producer.SaveAll(*saving, table_, 500), 500);
  EXPECT_EQ(master_.calls() - calls, 2);

  for (const std::string host : {"host-a", "host-b"}) {
    const auto reader = Join(host, 0);
    Instance consumer(*reader, WithRole(KvRole::kConsumer), Clock::Real());
    auto session = consumer.Begin(prompt_, 500);
    calls = master_.calls();
    ASSERT_EQ(consumer.LookUp(*session), 500);
    const auto ticket = session->Load(table_, 0, 500);
    consumer.AwaitDone(ticket);
    EXPECT_EQ(master_.calls() - calls, 1);
    EXPECT_EQ(ticket->tokens(), 500);
    EXPECT_EQ(consumer.CorrectTokens(table_, prompt_), 500);
    const uint64_t bytes = 500 * kLayout.all_token_bytes();
    EXPECT_EQ(reader->counters().mapped_read_bytes, host == "host-a" ? bytes : 0);
    EXPECT_EQ(reader->counters().remote_read_bytes, host == "host-b" ? bytes : 0);
  }
}

TEST_F(PoolConnectorTest, AWriterWithoutMemoryUsesAnothers) {
  const auto owner = Join("host-a", 8 << 20);
  const auto writer = Join("host-b", 0);
  Instance both(*writer, WithRole(KvRole::kBoth), Clock::Real());
  both.Compute(table_, prompt_);
  auto saving = both.Begin(prompt_);
  ASSERT_EQ(both.SaveAll(*saving, table_, 500), 500);
  both.Compute(table_, Prompt(500, 7));
  auto session = both.Begin(prompt_);
  ASSERT_EQ(both.LookUp(*session), 500);
  both.AwaitDone(session->Load(table_, 0, 500));
  EXPECT_EQ(both.CorrectTokens(table_, prompt_), 500);
}

TEST_F(PoolConnectorTest, WhatAnOwnerTookAwayIsAMissAndCanBeSavedAgain) {
  auto writer = Join("host-a", 8 << 20);
  const auto reader = Join("host-b", 8 << 20);
  {
    Instance producer(*writer, WithRole(KvRole::kProducer), Clock::Real());
    producer.Compute(table_, prompt_);
    auto saving = producer.Begin(prompt_);
    ASSERT_EQ(producer.SaveAll(*saving, table_, 500), 500);
  }
  Instance both(*reader, WithRole(KvRole::kBoth), Clock::Real());
  auto session = both.Begin(prompt_);
  ASSERT_EQ(both.LookUp(*session), 500);
  writer.reset();
  const auto ticket = session->Load(table_, 0, 500);
  both.AwaitDone(ticket);
  EXPECT_EQ(ticket->tokens(), 0);
  both.Compute(table_, prompt_);
  EXPECT_EQ(both.SaveAll(*session, table_, 500), 500);
}

TEST_F(PoolConnectorTest, WithoutAMasterPromptsAreComputed) {
  const auto member = Join("host-a", 8 << 20);
  Instance both(*member, WithRole(KvRole::kBoth), Clock::Real());
  master_.Stop();
  auto session = both.Begin(prompt_);
  EXPECT_EQ(both.LookUp(*session), 0);
  EXPECT_EQ(both.SaveAll(*session, table_, 500), 0);
}

}  // namespace
}  // namespace tandem::cache

#include "engine/engine_loop.h"

#include <absl/synchronization/notification.h>
#include <absl/time/time.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "base/mutex.h"
#include "engine/testing/fake_connector.h"
#include "engine/testing/fake_decoder.h"
#include "engine/testing/fake_tokenizer.h"

namespace tandem::engine {
namespace {

using cache::KvRole;
using testing::FakeConnector;
using testing::FakeDecoder;
using testing::FakeStore;
using testing::FakeTokenizer;

constexpr Duration kPatience = std::chrono::seconds(30);

// Collects a request's outputs from the engine's thread.
class Inbox {
 public:
  OutputCallback callback() {
    return [this](const EngineOutput& output) {
      MutexLock lock(mutex_);
      tokens_.insert(tokens_.end(), output.tokens.begin(), output.tokens.end());
      last_ = output;
      changed_.NotifyAll();
    };
  }
  bool WaitForTokens(size_t count) {
    MutexLock lock(mutex_);
    return changed_.WaitUntil(
        mutex_, Clock::Real().Now() + kPatience,
        [&]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return tokens_.size() >= count; });
  }
  bool WaitForEnd() {
    MutexLock lock(mutex_);
    return changed_.WaitUntil(mutex_, Clock::Real().Now() + kPatience,
                              [&]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return last_.finished; });
  }
  std::vector<int32_t> tokens() const {
    MutexLock lock(mutex_);
    return tokens_;
  }
  EngineOutput last() const {
    MutexLock lock(mutex_);
    return last_;
  }

 private:
  mutable Mutex mutex_;
  CondVar changed_;
  std::vector<int32_t> tokens_ ABSL_GUARDED_BY(mutex_);
  EngineOutput last_ ABSL_GUARDED_BY(mutex_);
};

class EngineLoopTest : public ::testing::Test {
 protected:
  static constexpr int kBlocks = 64;

  std::unique_ptr<EngineLoop> Start(cache::Connector* connector = nullptr) {
    const EngineOptions options = {.model_name = "fake",
                                   .num_blocks = kBlocks,
                                   .max_model_len = 1000,
                                   .eos_token_ids = {FakeTokenizer::kEnd}};
    return EngineLoop::Start(options, decoder_, kv_, tokenizer_, connector, metrics_, clock_);
  }

  static EngineRequest Request(const std::string& id, int max_tokens) {
    return {.id = id,
            .prompt = std::vector<int32_t>(50, 3),
            .sampling = {.temperature = 0, .max_tokens = max_tokens, .ignore_eos = true}};
  }

  const compute::KvPool kv_ = *compute::KvPool::Create(FakeDecoder::Layout(16), kBlocks);
  FakeDecoder decoder_;
  FakeTokenizer tokenizer_;
  MetricRegistry metrics_;
  FakeClock clock_;
};

TEST_F(EngineLoopTest, ServesRequestsFromManyThreads) {
  const std::unique_ptr<EngineLoop> loop = Start();
  std::vector<Inbox> inboxes(24);
  std::vector<std::thread> clients;
  for (int client = 0; client < 4; ++client) {
    clients.emplace_back([&, client] {
      for (int i = client; i < 24; i += 4) {
        EXPECT_TRUE(loop->Submit(Request(std::to_string(i), 40), inboxes[i].callback()).ok());
      }
    });
  }
  for (std::thread& client : clients) client.join();
  for (Inbox& inbox : inboxes) {
    ASSERT_TRUE(inbox.WaitForEnd());
    EXPECT_EQ(inbox.tokens(), inboxes[0].tokens());
    EXPECT_EQ(inbox.tokens().size(), 40u);
  }
  EXPECT_TRUE(loop->Drain(clock_.Now() + kPatience));
  EXPECT_EQ(loop->load(), 0);
}

TEST_F(EngineLoopTest, RefusesWhatCannotRun) {
  const std::unique_ptr<EngineLoop> loop = Start();
  Inbox inbox;
  EXPECT_EQ(loop->Submit(Request("a", 1000), inbox.callback()).code(),
            absl::StatusCode::kInvalidArgument);
  // Its own callback holds it, so that it cannot have ended before it is sent again.
  absl::Notification sent_again;
  ASSERT_TRUE(loop->Submit(Request("a", 900),
                           [&](const EngineOutput& output) {
                             EXPECT_TRUE(sent_again.WaitForNotificationWithTimeout(
                                 absl::FromChrono(kPatience)));
                             inbox.callback()(output);
                           })
                  .ok());
  EXPECT_EQ(loop->Submit(Request("a", 2), inbox.callback()).code(),
            absl::StatusCode::kInvalidArgument)
      << "in flight already";
  sent_again.Notify();
  EXPECT_TRUE(inbox.WaitForEnd());
}

TEST_F(EngineLoopTest, AbortsWhatRuns) {
  const std::unique_ptr<EngineLoop> loop = Start();
  Inbox inbox;
  // Its own callback aborts it, so that it cannot have ended before.
  ASSERT_TRUE(loop->Submit(Request("a", 900),
                           [&](const EngineOutput& output) {
                             inbox.callback()(output);
                             if (!output.finished) loop->Abort("a");
                           })
                  .ok());
  ASSERT_TRUE(inbox.WaitForEnd());
  EXPECT_EQ(inbox.last().reason, FinishReason::kAbort);
  EXPECT_EQ(inbox.tokens().size(), 1u);
}

TEST_F(EngineLoopTest, DrainsWhatIsInFlightAndTakesNoMore) {
  const std::unique_ptr<EngineLoop> loop = Start();
  Inbox inbox;
  ASSERT_TRUE(loop->Submit(Request("a", 300), inbox.callback()).ok());
  EXPECT_TRUE(loop->Drain(clock_.Now() + kPatience));
  EXPECT_EQ(inbox.tokens().size(), 300u);
  EXPECT_EQ(loop->Submit(Request("b", 1), inbox.callback()).code(), absl::StatusCode::kUnavailable);
}

TEST_F(EngineLoopTest, AbortsWhatIsLeftAtTheDeadlineOfADrain) {
  FakeStore store;
  FakeConnector connector(store, kv_, KvRole::kConsumer);
  const std::unique_ptr<EngineLoop> loop = Start(&connector);
  connector.set_wake([&] { loop->Wake(); });
  Inbox inbox;
  ASSERT_TRUE(loop->Submit(Request("a", 3), inbox.callback()).ok());
  EXPECT_FALSE(loop->Drain(clock_.Now()));
  EXPECT_EQ(inbox.last().reason, FinishReason::kAbort);
  EXPECT_EQ(loop->load(), 0);
}

TEST_F(EngineLoopTest, EndsWhatIsInFlightWhenItIsDestroyed) {
  FakeStore store;
  FakeConnector connector(store, kv_, KvRole::kConsumer);
  Inbox inbox;
  {
    const std::unique_ptr<EngineLoop> loop = Start(&connector);
    ASSERT_TRUE(loop->Submit(Request("a", 3), inbox.callback()).ok());
  }
  EXPECT_EQ(inbox.last().reason, FinishReason::kAbort);
}

TEST_F(EngineLoopTest, WakesWhenALookupOrATransferIsDone) {
  FakeStore store;
  FakeConnector connector(store, kv_, KvRole::kBoth);
  const std::unique_ptr<EngineLoop> loop = Start(&connector);
  connector.set_wake([&] { loop->Wake(); });
  connector.RunImmediately();
  Inbox first;
  Inbox second;
  EngineRequest request = Request("a", 5);
  request.wait_for_commit = true;
  ASSERT_TRUE(loop->Submit(request, first.callback()).ok());
  ASSERT_TRUE(first.WaitForEnd());
  EXPECT_EQ(first.last().committed_tokens, 50);
  ASSERT_TRUE(loop->Submit(Request("b", 5), second.callback()).ok());
  ASSERT_TRUE(second.WaitForEnd());
  EXPECT_EQ(second.last().cached_tokens, 49);
  EXPECT_EQ(second.tokens(), first.tokens());
}

TEST_F(EngineLoopTest, ACommitTimeoutIsMeasuredByItsClock) {
  FakeStore store;
  FakeConnector connector(store, kv_, KvRole::kProducer);
  const std::unique_ptr<EngineLoop> loop = Start(&connector);
  Inbox inbox;
  EngineRequest request = Request("a", 2);
  request.wait_for_commit = true;
  ASSERT_TRUE(loop->Submit(request, inbox.callback()).ok());
  ASSERT_TRUE(inbox.WaitForTokens(1));
  // The second token ends the request at some moment from now on; whenever that is, the time-out
  // passes as the clock moves.
  const TimePoint give_up = Clock::Real().Now() + kPatience;
  while (!inbox.last().finished && Clock::Real().Now() < give_up) {
    clock_.Advance(std::chrono::seconds(11));
    loop->Wake();
    std::this_thread::yield();
  }
  EXPECT_TRUE(inbox.last().finished);
  EXPECT_EQ(inbox.last().reason, FinishReason::kLength);
  EXPECT_EQ(inbox.last().committed_tokens, 0);
  connector.RunAll();
}

}  // namespace
}  // namespace tandem::engine

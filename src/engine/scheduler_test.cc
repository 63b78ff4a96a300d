#include "engine/scheduler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/testing/fake_tokenizer.h"

namespace tandem::engine {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;

// A scheduler without a model: the test says what has been computed and sampled.
class SchedulerTest : public ::testing::Test {
 protected:
  Scheduler& Make(const SchedulerOptions& options, int num_blocks) {
    pool_.emplace(num_blocks);
    cache_.emplace(nullptr, *pool_, metrics_, clock_);
    scheduler_.emplace(options, *pool_, *cache_, metrics_, clock_);
    return *scheduler_;
  }

  Sequence& Add(const std::string& id, int prompt_length, int64_t priority = 0) {
    EngineRequest request = {.id = id,
                             .prompt = std::vector<int32_t>(prompt_length, 5),
                             .sampling = {.max_tokens = 1000},
                             .priority = priority};
    sequences_.push_back(std::make_unique<Sequence>(
        std::move(request), [](const EngineOutput&) {}, tokenizer_, end_, 0, clock_.Now()));
    scheduler_->Add(*sequences_.back());
    return *sequences_.back();
  }

  // Schedules a step and does it; what it held, as (id, tokens).
  std::vector<std::pair<std::string, int>> Step() {
    std::vector<std::pair<std::string, int>> held;
    for (const ScheduledTokens& scheduled : scheduler_->Schedule()) {
      Sequence& sequence = *scheduled.sequence;
      held.emplace_back(sequence.request.id, scheduled.count);
      EXPECT_GE(sequence.blocks.size() * 16, sequence.computed + scheduled.count);
      scheduler_->RecordComputed(sequence, scheduled.count);
      if (sequence.computed == sequence.length()) sequence.tokens.push_back(7);
    }
    return held;
  }

  FakeClock clock_;
  MetricRegistry registry_;
  EngineMetrics metrics_{registry_, "fake", 1000};
  testing::FakeTokenizer tokenizer_;
  EndTokens end_ = {.max_model_len = 1000};
  std::optional<BlockPool> pool_;
  std::optional<ExternalCache> cache_;
  std::optional<Scheduler> scheduler_;
  std::vector<std::unique_ptr<Sequence>> sequences_;
};

TEST_F(SchedulerTest, DecodesComeFirstAndPromptsShareTheRest) {
  Make({.max_num_batched_tokens = 10}, 64);
  Add("a", 4);
  EXPECT_THAT(Step(), ElementsAre(Pair("a", 4)));
  Add("b", 14);
  Add("c", 3);
  EXPECT_THAT(Step(), ElementsAre(Pair("a", 1), Pair("b", 9)));
  EXPECT_THAT(Step(), ElementsAre(Pair("a", 1), Pair("b", 5), Pair("c", 3)));
  EXPECT_THAT(Step(), ElementsAre(Pair("a", 1), Pair("b", 1), Pair("c", 1)));
}

TEST_F(SchedulerTest, RunsNoMoreThanMaxNumSeqs) {
  Scheduler& scheduler = Make({.max_num_seqs = 2}, 64);
  Add("a", 4);
  Add("b", 4);
  Sequence& c = Add("c", 4);
  EXPECT_THAT(Step(), ElementsAre(Pair("a", 4), Pair("b", 4)));
  EXPECT_EQ(scheduler.running(), 2);
  EXPECT_EQ(scheduler.waiting(), 1);
  EXPECT_EQ(c.state, SequenceState::kWaiting);
  scheduler.Remove(*sequences_[0]);
  EXPECT_THAT(Step(), ElementsAre(Pair("b", 1), Pair("c", 4)));
}

TEST_F(SchedulerTest, AdmitsInOrderOnlyWhatHasBlocks) {
  Make({}, 5);
  Add("a", 40);
  Add("b", 40);
  Add("small", 2);
  EXPECT_THAT(Step(), ElementsAre(Pair("a", 40)));
  EXPECT_THAT(Step(), ElementsAre(Pair("a", 1))) << "nobody overtakes b";
  scheduler_->Remove(*sequences_[0]);
  EXPECT_THAT(Step(), ElementsAre(Pair("b", 40), Pair("small", 2)));
}

TEST_F(SchedulerTest, LeavesRoomForTheNextTokensOfThoseThatRun) {
  Make({}, 4);
  Add("a", 30);
  Sequence& b = Add("b", 30);
  EXPECT_THAT(Step(), ElementsAre(Pair("a", 30)));
  EXPECT_EQ(b.state, SequenceState::kWaiting);
}

TEST_F(SchedulerTest, PreemptsTheLastWhenBlocksRunOut) {
  Make({}, 5);
  Sequence& a = Add("a", 31);
  Sequence& b = Add("b", 18);
  EXPECT_THAT(Step(), ElementsAre(Pair("a", 31), Pair("b", 18)));
  for (int i = 0; i < 14; ++i) EXPECT_THAT(Step(), ElementsAre(Pair("a", 1), Pair("b", 1)));
  ASSERT_EQ(b.length(), 33) << "now it has no room, and keeps what it has";
  for (int i = 0; i < 3; ++i) {
    EXPECT_THAT(Step(), ElementsAre(Pair("a", 1)));
    EXPECT_EQ(b.state, SequenceState::kRunning);
    EXPECT_EQ(b.computed, 32);
  }
  ASSERT_EQ(a.length(), 49);
  EXPECT_THAT(Step(), ElementsAre(Pair("a", 1))) << "with a block of b's";
  EXPECT_EQ(b.state, SequenceState::kWaiting);
  EXPECT_THAT(b.blocks, IsEmpty());
  EXPECT_EQ(b.computed, 0);
  scheduler_->Remove(a);
  EXPECT_THAT(Step(), ElementsAre(Pair("b", 2)))
      << "its first block is still there; the rest of its prompt again, by the prefill path";
  EXPECT_THAT(Step(), ElementsAre(Pair("b", 15))) << "then its tokens, by the decode path";
  EXPECT_EQ(b.computed_prompt_tokens, 20);
}

TEST_F(SchedulerTest, WithoutPrefixCachingAPreemptedSequencesBlocksAreItsOwn) {
  Make({}, 7);
  Sequence& a = Add("a", 48);
  Sequence& b = Add("b", 32);
  Step();
  while (b.state == SequenceState::kRunning) ASSERT_FALSE(Step().empty());
  scheduler_->Remove(a);
  Sequence& c = Add("c", 20);
  EXPECT_THAT(Step(), ElementsAre(Pair("b", 17), Pair("c", 20))) << "the same tokens, no hit";
  EXPECT_EQ(c.cached_tokens, 0);
}

TEST_F(SchedulerTest, TheMostUrgentGoFirst) {
  Make({.max_num_seqs = 2, .max_num_batched_tokens = 6, .policy = SchedulingPolicy::kPriority}, 64);
  Add("late", 4, 5);
  Add("soon", 4, -1);
  Add("usual", 4);
  EXPECT_THAT(Step(), ElementsAre(Pair("soon", 4), Pair("usual", 2)));
  Add("now", 4, -9);
  EXPECT_THAT(Step(), ElementsAre(Pair("soon", 1), Pair("usual", 2)))
      << "what runs is not put off for what waits";
  scheduler_->Remove(*sequences_[1]);
  EXPECT_THAT(Step(), ElementsAre(Pair("usual", 1), Pair("now", 4)));
  scheduler_->Remove(*sequences_[2]);
  EXPECT_THAT(Step(), ElementsAre(Pair("now", 1), Pair("late", 4)));
}

TEST_F(SchedulerTest, TheLeastUrgentIsPreemptedAndWaitsInItsPlace) {
  Make({.policy = SchedulingPolicy::kPriority}, 9);
  Sequence& least = Add("least", 16, 7);
  Sequence& less = Add("less", 16, 3);
  Sequence& most = Add("most", 31, 1);
  EXPECT_THAT(Step(), ElementsAre(Pair("most", 31), Pair("less", 16), Pair("least", 16)));
  Sequence& waiting = Add("waiting", 64, 5);
  while (least.state == SequenceState::kRunning) ASSERT_FALSE(Step().empty());
  EXPECT_EQ(less.state, SequenceState::kRunning);
  EXPECT_EQ(most.state, SequenceState::kRunning);
  scheduler_->Remove(most);
  scheduler_->Remove(less);
  EXPECT_THAT(Step(), ElementsAre(Pair("waiting", 64), ::testing::_))
      << "before what was preempted";
  EXPECT_EQ(waiting.state, SequenceState::kRunning);
}

TEST_F(SchedulerTest, FirstComeFirstServedKnowsNoPriority) {
  Make({.max_num_seqs = 1}, 64);
  Add("first", 4, 9);
  Add("second", 4, -9);
  EXPECT_THAT(Step(), ElementsAre(Pair("first", 4)));
}

TEST_F(SchedulerTest, GivesEveryBlockBack) {
  Make({.prefix_caching = true}, 20);
  for (const char* id : {"a", "b", "c"}) Add(id, 60);
  Step();
  Step();
  for (const auto& sequence : sequences_) scheduler_->Remove(*sequence);
  EXPECT_EQ(pool_->used_blocks(), 0);
  EXPECT_THAT(Step(), IsEmpty());
}

}  // namespace
}  // namespace tandem::engine

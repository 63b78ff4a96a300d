#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <numeric>
#include <string>
#include <vector>

#include "base/metrics.h"
#include "base/mutex.h"
#include "cache/store_connector.h"
#include "compute/kv_pool.h"

namespace tandem::cache::testing {

constexpr auto kInstancePatience = std::chrono::seconds(30);
constexpr compute::KvLayout kLayout = {.layers = 2, .kv_heads = 1, .head_dim = 4};

/// Token ids that count up.
inline std::vector<int32_t> Prompt(int tokens, int first = 1000) {
  std::vector<int32_t> prompt(tokens);
  std::iota(prompt.begin(), prompt.end(), first);
  return prompt;
}

/// An instance: KV blocks and a connector over a store that may be shared.
class Instance {
 public:
  Instance(store::StoreClient& store, const StoreConnectorOptions& options, const Clock& clock,
           int blocks = 256)
      : kv_(*compute::KvPool::Create(kLayout, blocks)),
        connector_(CreateStoreConnector(options, kv_, store, metrics_, clock, [this] {
          { MutexLock lock(mutex_); }
          woken_.NotifyAll();
        })) {}

  std::unique_ptr<CacheSession> Begin(std::vector<int32_t> prompt, int committed = -1,
                                      std::string salt = "") {
    return connector_->Begin({"request", std::move(prompt), std::move(salt), committed});
  }

  template <typename Predicate>
  bool Await(Predicate predicate) {
    MutexLock lock(mutex_);
    return woken_.WaitUntil(mutex_, std::chrono::steady_clock::now() + kInstancePatience,
                            predicate);
  }

  int LookUp(CacheSession& session) {
    session.StartLookup();
    EXPECT_TRUE(Await([&] { return session.lookup_done(); }));
    return session.matched_tokens();
  }

  void AwaitDone(const std::shared_ptr<Ticket>& ticket) {
    ASSERT_NE(ticket, nullptr);
    EXPECT_TRUE(Await([&] { return ticket->done(); }));
  }

  /// Saves all of a prompt as if it were computed at once.
  int SaveAll(CacheSession& session, const std::vector<int32_t>& table, int tokens) {
    AwaitDone(session.Save(table, tokens));
    return session.committed_tokens();
  }

  /// Writes what the model would compute: bytes that follow from the token and where they stand.
  void Compute(const std::vector<int32_t>& table, const std::vector<int32_t>& prompt) {
    ForEachByte(table, static_cast<int>(prompt.size()),
                [&](std::byte& byte, int position, int layer, int part, size_t i) {
                  byte = Expected(prompt[position], layer, part, i);
                });
  }

  /// The number of leading positions whose bytes are what the model would compute.
  int CorrectTokens(const std::vector<int32_t>& table, const std::vector<int32_t>& prompt) {
    int correct = static_cast<int>(prompt.size());
    ForEachByte(table, static_cast<int>(prompt.size()),
                [&](std::byte& byte, int position, int layer, int part, size_t i) {
                  if (byte != Expected(prompt[position], layer, part, i)) {
                    correct = std::min(correct, position);
                  }
                });
    return correct;
  }

  double Metric(const std::string& line_start) {
    const std::string text = RenderMetrics(metrics_);
    const size_t at = text.find("\n" + line_start + " ");
    return at == std::string::npos ? 0 : std::stod(text.substr(at + 2 + line_start.size()));
  }

  Connector& connector() { return *connector_; }
  void DestroyConnector() { connector_.reset(); }

 private:
  static std::byte Expected(int32_t token, int layer, int part, size_t i) {
    return static_cast<std::byte>(token * 31 + layer * 7 + part * 3 + static_cast<int>(i) + 1);
  }

  template <typename Visit>
  void ForEachByte(const std::vector<int32_t>& table, int tokens, Visit visit) {
    for (int position = 0; position < tokens; ++position) {
      for (int layer = 0; layer < kLayout.layers; ++layer) {
        for (int part = 0; part < 2; ++part) {
          std::byte* bytes = kv_.Block(layer, static_cast<compute::KvPart>(part),
                                       table[position / kLayout.block_tokens]) +
                             position % kLayout.block_tokens * kLayout.token_bytes();
          for (size_t i = 0; i < kLayout.token_bytes(); ++i) {
            visit(bytes[i], position, layer, part, i);
          }
        }
      }
    }
  }

  Mutex mutex_;
  CondVar woken_;
  MetricRegistry metrics_;
  compute::KvPool kv_;
  std::unique_ptr<Connector> connector_;
};

}  // namespace tandem::cache::testing

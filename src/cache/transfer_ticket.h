#pragma once

#include <atomic>
#include <functional>

#include "cache/connector.h"

namespace tandem::cache {

/// The ticket of one load or save. The thread that moves the bytes ends it with Finish.
class TransferTicket : public Ticket {
 public:
  bool done() const override { return done_.load(std::memory_order_acquire); }
  int tokens() const override { return tokens_; }
  int64_t bytes() const override { return bytes_; }
  int layers_done() const override { return done() ? layers_ : 0; }
  void Cancel() override { cancelled_.store(true, std::memory_order_relaxed); }

  bool cancelled() const { return cancelled_.load(std::memory_order_relaxed); }
  void Finish(int tokens, int64_t bytes, int layers) {
    tokens_ = tokens;
    bytes_ = bytes;
    layers_ = layers;
    done_.store(true, std::memory_order_release);
  }

 private:
  std::atomic<bool> cancelled_ = false;
  std::atomic<bool> done_ = false;
  // Written before done_, read after it.
  int tokens_ = 0;
  int64_t bytes_ = 0;
  int layers_ = 0;
};

}  // namespace tandem::cache

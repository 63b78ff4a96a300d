#include "engine/testing/fake_connector.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <utility>

namespace tandem::engine::testing {

class FakeConnector::PendingTicket : public cache::Ticket {
 public:
  bool done() const override { return done_.load(); }
  int tokens() const override { return tokens_; }
  int64_t bytes() const override { return bytes_; }
  int layers_done() const override { return done() ? 1 : 0; }
  void Cancel() override { cancelled_ = true; }

  bool cancelled() const { return cancelled_.load(); }
  void Finish(int tokens, int64_t bytes) {
    tokens_ = tokens;
    bytes_ = bytes;
    done_ = true;
  }

 private:
  std::atomic<bool> cancelled_ = false;
  std::atomic<bool> done_ = false;
  int tokens_ = 0;
  int64_t bytes_ = 0;
};

class FakeConnector::Session : public cache::CacheSession {
 public:
  Session(FakeConnector& owner, cache::CacheRequest request)
      : owner_(owner), shared_(std::make_shared<Shared>()), request_(std::move(request)) {
    for (int end = kChunk; end < prompt_length(); end += kChunk) ends_.push_back(end);
    ends_.push_back(prompt_length());
  }

  void StartLookup() override {
    {
      MutexLock lock(owner_.mutex_);
      ++owner_.lookups_;
    }
    owner_.Enqueue([&owner = owner_, shared = shared_, ends = ends_, keys = Keys()] {
      MutexLock lock(owner.store_.mutex);
      int matched = 0;
      for (size_t i = 0; i < ends.size() && owner.store_.chunks.contains(keys[i]); ++i)
        matched = ends[i];
      shared->matched = matched;
      shared->committed = std::max(shared->committed.load(), matched);
      shared->looked_up = true;
    });
  }
  bool lookup_done() const override { return shared_->looked_up; }
  int matched_tokens() const override { return shared_->matched; }
  int committed_tokens() const override { return shared_->committed; }

  std::shared_ptr<cache::Ticket> Load(std::span<const int32_t> block_table, int first_token,
                                      int tokens) override {
    auto ticket = std::make_shared<PendingTicket>();
    owner_.Enqueue([&owner = owner_, ticket, ends = ends_, keys = Keys(), first_token, tokens,
                    table = std::vector<int32_t>(block_table.begin(), block_table.end())] {
      MutexLock lock(owner.store_.mutex);
      int begin = 0;
      int64_t bytes = 0;
      for (size_t i = 0; i < ends.size() && begin < tokens; begin = ends[i++]) {
        const auto chunk = owner.store_.chunks.find(keys[i]);
        if (chunk == owner.store_.chunks.end()) break;
        for (int position = std::max(begin, first_token); position < ends[i]; ++position) {
          bytes += Copy(owner.kv_, table, position, [&](std::byte* kv, size_t offset, size_t size) {
            const size_t token = owner.kv_.layout().all_token_bytes();
            const size_t from = (position - begin) * token + offset;
            std::memcpy(kv, chunk->second.data() + from, size);
          });
        }
      }
      ticket->Finish(begin, bytes);
    });
    return ticket;
  }

  std::shared_ptr<cache::Ticket> Save(std::span<const int32_t> block_table, int computed) override {
    const int first = next_save_;
    while (next_save_ < static_cast<int>(ends_.size()) && ends_[next_save_] <= computed) {
      ++next_save_;
    }
    if (first == next_save_) return nullptr;
    auto ticket = std::make_shared<PendingTicket>();
    owner_.Enqueue([&owner = owner_, shared = shared_, ticket, ends = ends_, keys = Keys(), first,
                    last = next_save_,
                    table = std::vector<int32_t>(block_table.begin(), block_table.end())] {
      MutexLock lock(owner.store_.mutex);
      int64_t bytes = 0;
      for (int i = first; i < last; ++i) {
        std::vector<std::byte> chunk;
        for (int position = i == 0 ? 0 : ends[i - 1]; position < ends[i]; ++position) {
          Copy(owner.kv_, table, position, [&](std::byte* kv, size_t, size_t size) {
            chunk.insert(chunk.end(), kv, kv + size);
          });
        }
        bytes += static_cast<int64_t>(chunk.size());
        owner.store_.chunks.emplace(keys[i], std::move(chunk));
      }
      shared->committed = std::max(shared->committed.load(), ends[last - 1]);
      ticket->Finish(ends[last - 1], bytes);
    });
    return ticket;
  }

 private:
  struct Shared {
    std::atomic<bool> looked_up = false;
    std::atomic<int> matched = 0;
    std::atomic<int> committed = 0;
  };

  int prompt_length() const { return static_cast<int>(request_.prompt.size()); }

  // The whole prefix names a chunk.
  std::vector<std::string> Keys() const {
    std::vector<std::string> keys;
    for (const int end : ends_) {
      std::string key = request_.salt + "/";
      key.append(reinterpret_cast<const char*>(request_.prompt.data()), end * sizeof(int32_t));
      keys.push_back(std::move(key));
    }
    return keys;
  }

  // Calls copy(memory, offset within the token, bytes) for K and V of each layer at a position;
  // returns the bytes.
  template <typename CopyPart>
  static int64_t Copy(const compute::KvPool& kv, std::span<const int32_t> table, int position,
                      CopyPart copy) {
    const compute::KvLayout& layout = kv.layout();
    const size_t size = layout.token_bytes();
    size_t offset = 0;
    const int32_t block = table[position / layout.block_tokens];
    for (int layer = 0; layer < layout.layers; ++layer) {
      for (const auto part : {compute::KvPart::kKey, compute::KvPart::kValue}) {
        copy(kv.Block(layer, part, block) + (position % layout.block_tokens) * size, offset, size);
        offset += size;
      }
    }
    return static_cast<int64_t>(offset);
  }

  FakeConnector& owner_;
  const std::shared_ptr<Shared> shared_;
  const cache::CacheRequest request_;
  std::vector<int> ends_;  // Of the chunks, the tail's last.
  int next_save_ = 0;
};

FakeConnector::FakeConnector(FakeStore& store, const compute::KvPool& kv, cache::KvRole role)
    : store_(store), kv_(kv), role_(role) {}

std::unique_ptr<cache::CacheSession> FakeConnector::Begin(cache::CacheRequest request) {
  return std::make_unique<Session>(*this, std::move(request));
}

int FakeConnector::pending() const {
  MutexLock lock(mutex_);
  return static_cast<int>(pending_.size());
}

void FakeConnector::Run(int index) {
  std::function<void()> work;
  {
    MutexLock lock(mutex_);
    work = std::move(pending_[index]);
    pending_.erase(pending_.begin() + index);
  }
  work();
  wake_();
}

void FakeConnector::RunAll() {
  while (pending() > 0) Run(0);
}

void FakeConnector::RunImmediately() {
  {
    MutexLock lock(mutex_);
    immediately_ = true;
  }
  RunAll();
}

void FakeConnector::Enqueue(std::function<void()> work) {
  {
    MutexLock lock(mutex_);
    if (!immediately_) {
      pending_.push_back(std::move(work));
      return;
    }
  }
  work();
  wake_();
}

int FakeConnector::lookups() const {
  MutexLock lock(mutex_);
  return lookups_;
}

}  // namespace tandem::engine::testing

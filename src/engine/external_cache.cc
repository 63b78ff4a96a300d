#include "engine/external_cache.h"

#include <algorithm>
#include <utility>

namespace tandem::engine {
namespace {

bool Loads(cache::KvRole role) {
  return role == cache::KvRole::kConsumer || role == cache::KvRole::kBoth;
}

bool Saves(cache::KvRole role) {
  return role == cache::KvRole::kProducer || role == cache::KvRole::kBoth;
}

}  // namespace

void ExternalCache::Begin(Sequence& sequence) {
  if (connector_ == nullptr || connector_->role() == cache::KvRole::kNone) return;
  const EngineRequest& request = sequence.request;
  sequence.cache.session = connector_->Begin({.request_id = request.id,
                                              .prompt = request.prompt,
                                              .salt = request.cache_salt,
                                              .committed_tokens = request.committed_tokens});
  // Every row's logits are needed for prompt_logprobs, so nothing may be skipped.
  if (!Loads(connector_->role()) || sequence.wants_prompt_logprobs()) return;
  sequence.cache.looked_up = true;
  sequence.cache.lookup_start = clock_.Now();
  sequence.cache.session->StartLookup();
}

bool ExternalCache::LookupPending(const Sequence& sequence) const {
  const CacheState& state = sequence.cache;
  return state.looked_up && !state.lookup_taken && !state.session->lookup_done();
}

int ExternalCache::FoundTokens(Sequence& sequence) {
  CacheState& state = sequence.cache;
  if (state.looked_up && !state.lookup_taken && state.session->lookup_done()) {
    state.lookup_taken = true;
    state.found = std::clamp(state.session->matched_tokens(), 0, sequence.prompt_length());
    metrics_.external_queries.Increment(sequence.prompt_length());
  }
  return state.found;
}

void ExternalCache::StartLoad(Sequence& sequence, int local) {
  CacheState& state = sequence.cache;
  state.load_first = local;
  state.load = state.session->Load(sequence.blocks, local, state.found);
  pins_.Add(state.load, sequence.blocks);
}

int ExternalCache::FinishLoad(Sequence& sequence) {
  CacheState& state = sequence.cache;
  const std::shared_ptr<cache::Ticket> load = std::exchange(state.load, nullptr);
  const int loaded = std::min(load->tokens(), state.found);
  if (loaded < state.found) {
    metrics_.external_load_failures.Increment();
    state.found = loaded;  // Not asked for again after a preemption.
  }
  const int brought = std::max(loaded - state.load_first, 0);
  metrics_.external_hits.Increment(brought);
  metrics_.external_loaded_tokens.Increment(brought);
  metrics_.external_loaded_bytes.Increment(static_cast<double>(load->bytes()));
  sequence.loaded_bytes += load->bytes();
  if (!sequence.cached_tokens) {
    sequence.load_seconds = Seconds(clock_.Now() - state.lookup_start);
    metrics_.load_seconds.Observe(sequence.load_seconds);
  }
  return std::max(state.load_first, loaded);
}

void ExternalCache::CancelLoad(Sequence& sequence) {
  if (sequence.cache.load == nullptr) return;
  sequence.cache.load->Cancel();
  sequence.cache.load = nullptr;
}

void ExternalCache::Save(Sequence& sequence) {
  if (sequence.cache.session == nullptr || !Saves(connector_->role())) return;
  const int computed = std::min(sequence.computed, sequence.prompt_length());
  std::shared_ptr<cache::Ticket> ticket = sequence.cache.session->Save(sequence.blocks, computed);
  if (ticket == nullptr) return;
  pins_.Add(ticket, sequence.blocks);
  saves_.push_back({ticket, sequence.cache.saved_tokens});
  sequence.cache.saves.push_back(std::move(ticket));
}

bool ExternalCache::SavesPending(const Sequence& sequence) const {
  const auto& saves = sequence.cache.saves;
  return std::any_of(saves.begin(), saves.end(), [](const auto& save) { return !save->done(); });
}

int64_t ExternalCache::SavedBytes(const Sequence& sequence) const {
  int64_t bytes = 0;
  for (const auto& save : sequence.cache.saves) bytes += save->done() ? save->bytes() : 0;
  return bytes;
}

int ExternalCache::CommittedTokens(const Sequence& sequence) const {
  return sequence.cache.session == nullptr ? 0 : sequence.cache.session->committed_tokens();
}

void ExternalCache::ReleaseBlocks() {
  pins_.ReleaseDone();
  CountSaves();
}

// Tickets of one sequence may end in any order, and without bytes if all was there already.
void ExternalCache::CountSaves() {
  std::erase_if(saves_, [this](const PendingSave& save) {
    if (!save.ticket->done()) return false;
    const int tokens = std::max(save.ticket->tokens() - *save.saved_tokens, 0);
    *save.saved_tokens += tokens;
    if (save.ticket->bytes() == 0) return true;
    metrics_.external_stored_tokens.Increment(tokens);
    metrics_.external_stored_bytes.Increment(static_cast<double>(save.ticket->bytes()));
    return true;
  });
}

Duration ExternalCache::commit_timeout() const {
  return connector_ == nullptr ? Duration::zero() : connector_->commit_timeout();
}

}  // namespace tandem::engine

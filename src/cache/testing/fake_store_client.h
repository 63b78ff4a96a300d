#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "store/client/store_client.h"

namespace tandem::cache::testing {

/// A store in memory, for tests: objects are readable once committed, and each step can be made to
/// fail or to wait. Safe for use by several threads.
class FakeStoreClient : public store::StoreClient {
 public:
  using Bytes = std::vector<std::byte>;

  /// Called at the start of each call, with the name of the method and its keys ("" where there are
  /// none), without a lock held. What it returns, if not kOk, is the result of every key.
  using Interceptor =
      std::function<store::ErrorCode(const std::string& method, const std::string& first_key)>;
  void Intercept(Interceptor interceptor);

  void Insert(const std::string& key, Bytes bytes);
  void Erase(const std::string& key);
  bool Has(const std::string& key) const;
  Bytes Get(const std::string& key) const;
  std::vector<std::string> Keys() const;
  int Calls(const std::string& method) const;
  /// The requests for which a method was called.
  std::set<std::string> RequestIds(const std::string& method) const;
  /// Reservations that were neither committed nor given back yet.
  int open_reservations() const;
  /// Objects beyond this many are refused with kNoSpace.
  void LimitObjects(size_t limit);

  std::vector<std::unique_ptr<store::Reservation>> Reserve(
      std::span<const std::string> keys, std::span<const uint64_t> sizes,
      const store::ReplicateConfig& config, const store::CallContext& call,
      std::vector<store::ErrorCode>* codes) override;
  std::vector<store::ErrorCode> Commit(
      std::vector<std::unique_ptr<store::Reservation>> reservations,
      const store::CallContext& call) override;
  std::vector<int64_t> Find(std::span<const std::string> keys,
                            const store::CallContext& call) override;
  std::vector<std::unique_ptr<store::ReadHandle>> Read(
      std::span<const std::string> keys, TimePoint deadline,
      std::vector<store::ErrorCode>* codes) override;

  void ReadEach(std::span<const std::string> keys, TimePoint deadline, TakeObject take) override;
  std::vector<int64_t> ReadInto(std::span<const std::string> keys,
                                std::span<const store::MutableParts> buffers,
                                TimePoint deadline) override;
  std::vector<store::ErrorCode> Put(std::span<const std::string> keys,
                                    std::span<const store::Parts> values,
                                    const store::ReplicateConfig& config,
                                    TimePoint deadline) override;
  std::vector<int> Exist(std::span<const std::string> keys, TimePoint deadline) override;
  std::vector<store::ErrorCode> Remove(std::span<const std::string> keys, bool force,
                                       TimePoint deadline) override;
  int64_t RemoveByRegex(const std::string& pattern, bool force, TimePoint deadline) override;
  int64_t RemoveAll(bool force, TimePoint deadline) override;
  absl::StatusOr<std::vector<std::string>> ListKeys(const std::string& prefix, int limit,
                                                    const std::string& after,
                                                    TimePoint deadline) override;
  bool healthy() const override { return true; }
  uint64_t segment_bytes() const override { return 0; }
  const std::string& segment_name() const override { return name_; }
  store::StoreClientCounters counters() const override { return {}; }

 private:
  class FakeReservation;

  store::ErrorCode Enter(const std::string& method, const std::string& first_key,
                         const std::string& request_id = "");

  const std::string name_ = "fake";
  mutable Mutex mutex_;
  Interceptor interceptor_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, Bytes> objects_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, int> writing_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, int> calls_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, std::set<std::string>> request_ids_ ABSL_GUARDED_BY(mutex_);
  size_t limit_ ABSL_GUARDED_BY(mutex_) = SIZE_MAX;
};

}  // namespace tandem::cache::testing

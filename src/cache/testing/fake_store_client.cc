#include "cache/testing/fake_store_client.h"

#include <utility>

namespace tandem::cache::testing {
namespace {

class FakeReadHandle : public store::ReadHandle {
 public:
  explicit FakeReadHandle(FakeStoreClient::Bytes bytes) : bytes_(std::move(bytes)) {}
  std::span<const std::byte> bytes() const override { return bytes_; }

 private:
  FakeStoreClient::Bytes bytes_;
};

}  // namespace

class FakeStoreClient::FakeReservation : public store::Reservation {
 public:
  FakeReservation(FakeStoreClient& store, std::string key, uint64_t size)
      : store_(store), key_(std::move(key)), bytes_(size) {}
  ~FakeReservation() override {
    MutexLock lock(store_.mutex_);
    store_.writing_.erase(key_);
  }
  std::span<std::byte> bytes() override { return bytes_; }
  const std::string& key() const { return key_; }
  const Bytes& content() const { return bytes_; }

 private:
  FakeStoreClient& store_;
  const std::string key_;
  Bytes bytes_;
};

void FakeStoreClient::Intercept(Interceptor interceptor) {
  MutexLock lock(mutex_);
  interceptor_ = std::move(interceptor);
}

void FakeStoreClient::Insert(const std::string& key, Bytes bytes) {
  MutexLock lock(mutex_);
  objects_[key] = std::move(bytes);
}

void FakeStoreClient::Erase(const std::string& key) {
  MutexLock lock(mutex_);
  objects_.erase(key);
}

bool FakeStoreClient::Has(const std::string& key) const {
  MutexLock lock(mutex_);
  return objects_.contains(key);
}

FakeStoreClient::Bytes FakeStoreClient::Get(const std::string& key) const {
  MutexLock lock(mutex_);
  return objects_.at(key);
}

std::vector<std::string> FakeStoreClient::Keys() const {
  MutexLock lock(mutex_);
  std::vector<std::string> keys;
  for (const auto& [key, bytes] : objects_) keys.push_back(key);
  return keys;
}

int FakeStoreClient::Calls(const std::string& method) const {
  MutexLock lock(mutex_);
  const auto found = calls_.find(method);
  return found == calls_.end() ? 0 : found->second;
}

int FakeStoreClient::open_reservations() const {
  MutexLock lock(mutex_);
  return static_cast<int>(writing_.size());
}

std::set<std::string> FakeStoreClient::RequestIds(const std::string& method) const {
  MutexLock lock(mutex_);
  const auto found = request_ids_.find(method);
  return found == request_ids_.end() ? std::set<std::string>() : found->second;
}

void FakeStoreClient::LimitObjects(size_t limit) {
  MutexLock lock(mutex_);
  limit_ = limit;
}

store::ErrorCode FakeStoreClient::Enter(const std::string& method, const std::string& first_key,
                                        const std::string& request_id) {
  Interceptor interceptor;
  {
    MutexLock lock(mutex_);
    ++calls_[method];
    if (!request_id.empty()) request_ids_[method].insert(request_id);
    interceptor = interceptor_;
  }
  return interceptor ? interceptor(method, first_key) : store::kOk;
}

std::vector<std::unique_ptr<store::Reservation>> FakeStoreClient::Reserve(
    std::span<const std::string> keys, std::span<const uint64_t> sizes,
    const store::ReplicateConfig&, const store::CallContext& call,
    std::vector<store::ErrorCode>* codes) {
  const store::ErrorCode failure = Enter("Reserve", keys.empty() ? "" : keys[0], call.request_id);
  std::vector<std::unique_ptr<store::Reservation>> reservations(keys.size());
  codes->assign(keys.size(), failure);
  if (failure != store::kOk) return reservations;
  MutexLock lock(mutex_);
  for (size_t i = 0; i < keys.size(); ++i) {
    if (objects_.contains(keys[i])) {
      (*codes)[i] = store::kObjectExists;
    } else if (writing_.contains(keys[i])) {
      (*codes)[i] = store::kReplicaNotReady;
    } else if (objects_.size() + writing_.size() >= limit_) {
      (*codes)[i] = store::kNoSpace;
    } else {
      writing_[keys[i]] = 1;
      reservations[i] = std::make_unique<FakeReservation>(*this, keys[i], sizes[i]);
    }
  }
  return reservations;
}

std::vector<store::ErrorCode> FakeStoreClient::Commit(
    std::vector<std::unique_ptr<store::Reservation>> reservations, const store::CallContext& call) {
  const auto first = static_cast<FakeReservation*>(reservations.at(0).get());
  const store::ErrorCode failure = Enter("Commit", first->key(), call.request_id);
  if (failure == store::kOk) {
    for (const auto& reservation : reservations) {
      const auto& filled = static_cast<const FakeReservation&>(*reservation);
      Insert(filled.key(), filled.content());
    }
  }
  return std::vector<store::ErrorCode>(reservations.size(), failure);
}

std::vector<int64_t> FakeStoreClient::Find(std::span<const std::string> keys,
                                           const store::CallContext& call) {
  const store::ErrorCode failure = Enter("Find", keys.empty() ? "" : keys[0], call.request_id);
  std::vector<int64_t> sizes(keys.size(), failure);
  if (failure != store::kOk) return sizes;
  MutexLock lock(mutex_);
  for (size_t i = 0; i < keys.size(); ++i) {
    const auto found = objects_.find(keys[i]);
    sizes[i] = found == objects_.end() ? int64_t{store::kObjectNotFound}
                                       : static_cast<int64_t>(found->second.size());
  }
  return sizes;
}

std::vector<std::unique_ptr<store::ReadHandle>> FakeStoreClient::Read(
    std::span<const std::string> keys, TimePoint, std::vector<store::ErrorCode>* codes) {
  const store::ErrorCode failure = Enter("Read", keys.empty() ? "" : keys[0]);
  std::vector<std::unique_ptr<store::ReadHandle>> handles(keys.size());
  codes->assign(keys.size(), failure);
  if (failure != store::kOk) return handles;
  MutexLock lock(mutex_);
  for (size_t i = 0; i < keys.size(); ++i) {
    const auto found = objects_.find(keys[i]);
    if (found == objects_.end()) {
      (*codes)[i] = store::kObjectNotFound;
    } else {
      handles[i] = std::make_unique<FakeReadHandle>(found->second);
    }
  }
  return handles;
}

void FakeStoreClient::ReadEach(std::span<const std::string> keys, TimePoint deadline,
                               TakeObject take) {
  std::vector<store::ErrorCode> codes;
  auto handles = Read(keys, deadline, &codes);
  for (size_t i = 0; i < keys.size(); ++i) take(i, std::move(handles[i]), codes[i]);
}

std::vector<int64_t> FakeStoreClient::ReadInto(std::span<const std::string> keys,
                                               std::span<const store::MutableParts>, TimePoint) {
  return std::vector<int64_t>(keys.size(), store::kInvalidParams);
}

std::vector<store::ErrorCode> FakeStoreClient::Put(std::span<const std::string> keys,
                                                   std::span<const store::Parts>,
                                                   const store::ReplicateConfig&, TimePoint) {
  return std::vector<store::ErrorCode>(keys.size(), store::kInvalidParams);
}

std::vector<int> FakeStoreClient::Exist(std::span<const std::string> keys, TimePoint) {
  std::vector<int> exists;
  for (const std::string& key : keys) exists.push_back(Has(key) ? 1 : 0);
  return exists;
}

std::vector<store::ErrorCode> FakeStoreClient::Remove(std::span<const std::string> keys, bool,
                                                      TimePoint) {
  for (const std::string& key : keys) Erase(key);
  return std::vector<store::ErrorCode>(keys.size(), store::kOk);
}

int64_t FakeStoreClient::RemoveByRegex(const std::string&, bool, TimePoint) {
  return store::kInvalidParams;
}

int64_t FakeStoreClient::RemoveAll(bool, TimePoint) {
  MutexLock lock(mutex_);
  const auto removed = static_cast<int64_t>(objects_.size());
  objects_.clear();
  return removed;
}

absl::StatusOr<std::vector<std::string>> FakeStoreClient::ListKeys(const std::string&, int,
                                                                   const std::string&, TimePoint) {
  return Keys();
}

}  // namespace tandem::cache::testing

#include "distributed_store.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <cstring>

namespace tandem::python {
namespace {

using store::ErrorCode;

TimePoint Deadline() { return Clock::Real().Now() + std::chrono::seconds(10); }

uint64_t SizeOf(const auto& parts) {
  uint64_t size = 0;
  for (const auto& part : parts) size += part.size();
  return size;
}

std::vector<int> ToInts(const std::vector<ErrorCode>& codes) {
  return {codes.begin(), codes.end()};
}

}  // namespace

std::shared_ptr<store::StoreClient> DistributedStore::client() const {
  MutexLock lock(mutex_);
  return client_;
}

int DistributedStore::Setup(const SetupOptions& options) {
  store::StoreClientOptions client;
  client.local_hostname = options.local_hostname;
  client.metadata_server = options.metadata_server;
  client.master_address = options.master_server_addr;
  client.protocol = options.protocol;
  client.device_name = options.rdma_devices;
  client.segment_bytes = options.global_segment_size;
  client.local_buffer_bytes = options.local_buffer_size;
  auto metrics = std::make_unique<MetricRegistry>();
  auto created = store::StoreClient::Create(client, *metrics, Clock::Real());
  if (!created.ok()) {
    spdlog::error("setup failed: {}", std::string(created.status().message()));
    return absl::IsInvalidArgument(created.status()) ? store::kInvalidParams : store::kRpcFailed;
  }
  Close();
  MutexLock lock(mutex_);
  metrics_ = std::move(metrics);
  client_ = *std::move(created);
  return store::kOk;
}

int DistributedStore::Close() {
  std::shared_ptr<store::StoreClient> client;
  std::unique_ptr<MetricRegistry> metrics;  // outlives the client below
  {
    MutexLock lock(mutex_);
    std::swap(client, client_);
    std::swap(metrics, metrics_);
    buffers_.clear();
  }
  client.reset();
  return store::kOk;
}

std::string DistributedStore::Hostname() const {
  const auto store = client();
  return store == nullptr ? "" : store->segment_name();
}

int DistributedStore::HealthCheck() const {
  const auto store = client();
  return store != nullptr && store->healthy() ? store::kOk : store::kRpcFailed;
}

std::vector<int> DistributedStore::Put(const std::vector<std::string>& keys,
                                       const std::vector<Parts>& values,
                                       const store::ReplicateConfig& config) {
  const auto store = client();
  if (store == nullptr || keys.size() != values.size()) {
    return std::vector<int>(keys.size(), store::kInvalidParams);
  }
  std::vector<uint64_t> sizes;
  for (const Parts& parts : values) sizes.push_back(SizeOf(parts));
  const TimePoint deadline = Deadline();
  std::vector<ErrorCode> codes;
  auto reserved = store->Reserve(keys, sizes, config, deadline, &codes);
  std::vector<std::unique_ptr<store::Reservation>> filled;
  std::vector<size_t> places;
  for (size_t i = 0; i < reserved.size(); ++i) {
    if (codes[i] == store::kObjectExists) codes[i] = store::kOk;
    if (reserved[i] == nullptr) continue;
    std::byte* next = reserved[i]->bytes().data();
    for (const auto& part : values[i]) next = std::copy(part.begin(), part.end(), next);
    filled.push_back(std::move(reserved[i]));
    places.push_back(i);
  }
  if (!filled.empty()) {
    const auto committed = store->Commit(std::move(filled), deadline);
    for (size_t i = 0; i < places.size(); ++i) codes[places[i]] = committed[i];
  }
  return ToInts(codes);
}

std::vector<std::unique_ptr<store::ReadHandle>> DistributedStore::Get(
    const std::vector<std::string>& keys) {
  const auto store = client();
  std::vector<ErrorCode> codes;
  if (store == nullptr) return std::vector<std::unique_ptr<store::ReadHandle>>(keys.size());
  return store->Read(keys, Deadline(), &codes);
}

std::vector<int64_t> DistributedStore::GetInto(const std::vector<std::string>& keys,
                                               const std::vector<MutableParts>& buffers) {
  const auto store = client();
  std::vector<int64_t> results(keys.size(), store::kInvalidParams);
  if (store == nullptr || keys.size() != buffers.size()) return results;
  std::vector<ErrorCode> codes;
  const auto handles = store->Read(keys, Deadline(), &codes);
  for (size_t i = 0; i < handles.size(); ++i) {
    if (handles[i] == nullptr) {
      results[i] = codes[i];
      continue;
    }
    std::span<const std::byte> rest = handles[i]->bytes();
    if (rest.size() > SizeOf(buffers[i])) continue;
    results[i] = static_cast<int64_t>(rest.size());
    for (const std::span<std::byte> part : buffers[i]) {
      const size_t size = std::min(part.size(), rest.size());
      std::memcpy(part.data(), rest.data(), size);
      rest = rest.subspan(size);
    }
  }
  return results;
}

std::vector<int> DistributedStore::Exist(const std::vector<std::string>& keys) {
  const auto store = client();
  if (store == nullptr) return std::vector<int>(keys.size(), -1);
  std::vector<int> exist = store->Exist(keys, Deadline());
  for (int& answer : exist) answer = std::max(answer, -1);
  return exist;
}

std::vector<int64_t> DistributedStore::Sizes(const std::vector<std::string>& keys) {
  const auto store = client();
  if (store == nullptr) return std::vector<int64_t>(keys.size(), store::kInvalidParams);
  return store->Find(keys, Deadline());
}

std::vector<int> DistributedStore::Remove(const std::vector<std::string>& keys, bool force) {
  const auto store = client();
  if (store == nullptr) return std::vector<int>(keys.size(), store::kInvalidParams);
  return ToInts(store->Remove(keys, force, Deadline()));
}

int64_t DistributedStore::RemoveByRegex(const std::string& pattern, bool force) {
  const auto store = client();
  return store == nullptr ? int64_t{store::kInvalidParams}
                          : store->RemoveByRegex(pattern, force, Deadline());
}

int64_t DistributedStore::RemoveAll(bool force) {
  const auto store = client();
  return store == nullptr ? int64_t{store::kInvalidParams} : store->RemoveAll(force, Deadline());
}

int DistributedStore::RegisterBuffer(uint64_t address, uint64_t size) {
  if (address == 0 || size == 0) return store::kInvalidParams;
  MutexLock lock(mutex_);
  buffers_[address] = size;
  return store::kOk;
}

int DistributedStore::UnregisterBuffer(uint64_t address) {
  MutexLock lock(mutex_);
  return buffers_.erase(address) == 1 ? store::kOk : store::kInvalidParams;
}

}  // namespace tandem::python

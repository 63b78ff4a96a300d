#include "distributed_store.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <stdexcept>

namespace tandem::python {
namespace {

using store::ErrorCode;

std::vector<int> ToInts(const std::vector<ErrorCode>& codes) {
  return {codes.begin(), codes.end()};
}

std::string DescribeUnregistered(std::span<const std::byte> bytes) {
  return fmt::format("{} bytes at {} are not in memory that register_buffer was given",
                     bytes.size(), static_cast<const void*>(bytes.data()));
}

/// Says why objects of a call failed: how many, and the first of them.
template <typename Code>
void ExplainFailures(const char* call, const std::vector<std::string>& keys,
                     const std::vector<Code>& codes) {
  const auto failed = [](Code code) { return code < 0 && code != store::kObjectNotFound; };
  const auto first = std::find_if(codes.begin(), codes.end(), failed);
  if (first == codes.end()) return;
  spdlog::error("{} failed for {} of {} objects; of '{}': {} ({})", call,
                std::count_if(codes.begin(), codes.end(), failed), codes.size(),
                keys[static_cast<size_t>(first - codes.begin())],
                store::Describe(static_cast<ErrorCode>(*first)), static_cast<int64_t>(*first));
}

template <typename Code>
std::vector<Code> Refuse(const char* call, const std::vector<std::string>& keys,
                         const std::string& why) {
  spdlog::error("{}: {}", call, why);
  return std::vector<Code>(keys.size(), Code{store::kInvalidParams});
}

constexpr char kNotSetUp[] = "the store is not set up, or closed";

/// The process that first set up a store in this address space, or a forefather of this one did.
std::atomic<pid_t> first_process = 0;

}  // namespace

bool DistributedStore::forked() const { return process_ != 0 && process_ != getpid(); }

DistributedStore::~DistributedStore() {
  if (!forked()) {
    Close();
    return;
  }
  // Its threads are the parent's, who goes on using it: neither ended nor freed here.
  (void)new std::shared_ptr<Session>(std::move(session_));
}

std::shared_ptr<store::StoreClient> DistributedStore::client() const {
  if (forked()) {
    throw std::runtime_error(
        "this store was set up before the process forked; a child cannot use it: start processes "
        "with the method 'spawn', or fork before the first setup");
  }
  MutexLock lock(mutex_);
  return session_ == nullptr
             ? nullptr
             : std::shared_ptr<store::StoreClient>(session_, session_->client.get());
}

TimePoint DistributedStore::Deadline() const {
  return Clock::Real().Now() +
         std::chrono::duration_cast<Duration>(std::chrono::duration<double>(call_timeout_));
}

int DistributedStore::Setup(const SetupOptions& options) {
  pid_t none = 0;
  if (!first_process.compare_exchange_strong(none, getpid()) && none != getpid()) {
    throw std::runtime_error(
        "a store was set up before the process forked; a child cannot set up another: start "
        "processes with the method 'spawn', or fork before the first setup");
  }
  process_ = getpid();
  if (!(options.call_timeout > 0 && options.call_timeout <= 3600)) {
    spdlog::error("setup failed: call_timeout is {}; it must be more than 0 and at most 3600 s",
                  options.call_timeout);
    return store::kInvalidParams;
  }
  store::StoreClientOptions client;
  client.local_hostname = options.local_hostname;
  client.metadata_server = options.metadata_server;
  client.master_address = options.master_server_addr;
  client.protocol = options.protocol;
  client.device_name = options.rdma_devices;
  client.segment_bytes = options.global_segment_size;
  client.local_buffer_bytes = options.local_buffer_size;
  client.verify_local_reads = options.verify_local_reads;
  client.security = options.security;
  auto session = std::make_shared<Session>();
  auto created = store::StoreClient::Create(client, session->metrics, Clock::Real());
  if (!created.ok()) {
    spdlog::error("setup failed: {}", std::string(created.status().message()));
    return absl::IsInvalidArgument(created.status()) ? store::kInvalidParams : store::kRpcFailed;
  }
  Close();
  call_timeout_ = options.call_timeout;
  session->client = *std::move(created);
  MutexLock lock(mutex_);
  session_ = std::move(session);
  return store::kOk;
}

int DistributedStore::Close() {
  if (forked()) return store::kOk;   // the parent's to close
  std::shared_ptr<Session> session;  // ends without the lock
  MutexLock lock(mutex_);
  std::swap(session, session_);
  buffers_.clear();
  return store::kOk;
}

std::string DistributedStore::Hostname() const {
  const auto store = client();
  return store == nullptr ? "" : store->segment_name();
}

int DistributedStore::HealthCheck() const {
  const auto store = client();
  if (store == nullptr) return 1;
  return store->healthy() ? 0 : 2;
}

std::vector<int> DistributedStore::Put(const std::vector<std::string>& keys,
                                       const std::vector<Parts>& values,
                                       const store::ReplicateConfig& config) {
  const auto store = client();
  if (store == nullptr) return Refuse<int>("put", keys, kNotSetUp);
  if (keys.size() != values.size()) {
    return Refuse<int>("put", keys,
                       fmt::format("{} keys, but {} values", keys.size(), values.size()));
  }
  std::vector<int> codes = ToInts(store->Put(keys, values, config, Deadline()));
  std::replace(codes.begin(), codes.end(), int{store::kObjectExists}, int{store::kOk});
  ExplainFailures("put", keys, codes);
  return codes;
}

std::vector<std::unique_ptr<store::ReadHandle>> DistributedStore::Get(
    const std::vector<std::string>& keys) {
  const auto store = client();
  std::vector<ErrorCode> codes;
  if (store == nullptr) {
    Refuse<int>("get", keys, kNotSetUp);
    return std::vector<std::unique_ptr<store::ReadHandle>>(keys.size());
  }
  auto handles = store->Read(keys, Deadline(), &codes);
  ExplainFailures("get", keys, codes);
  return handles;
}

void DistributedStore::GetCopies(const std::vector<std::string>& keys,
                                 absl::FunctionRef<std::byte*(size_t i, size_t size)> make_room) {
  const auto store = client();
  if (store == nullptr) {
    Refuse<int>("get", keys, kNotSetUp);
    for (size_t i = 0; i < keys.size(); ++i) make_room(i, 0);
    return;
  }
  std::vector<ErrorCode> codes(keys.size());
  store->ReadEach(keys, Deadline(),
                  [&](size_t i, std::unique_ptr<store::ReadHandle> handle, ErrorCode code) {
                    codes[i] = code;
                    const size_t size = handle == nullptr ? 0 : handle->bytes().size();
                    std::byte* const room = make_room(i, size);
                    if (size > 0) std::memcpy(room, handle->bytes().data(), size);
                  });
  ExplainFailures("get", keys, codes);
}

std::vector<int64_t> DistributedStore::GetInto(const std::vector<std::string>& keys,
                                               const std::vector<MutableParts>& buffers) {
  const auto store = client();
  if (store == nullptr) return Refuse<int64_t>("get", keys, kNotSetUp);
  if (keys.size() != buffers.size()) {
    return Refuse<int64_t>("get", keys,
                           fmt::format("{} keys, but {} buffers", keys.size(), buffers.size()));
  }
  std::vector<int64_t> results = store->ReadInto(keys, buffers, Deadline());
  ExplainFailures("get", keys, results);
  return results;
}

std::vector<int> DistributedStore::PutRegistered(const std::vector<std::string>& keys,
                                                 const std::vector<Parts>& values,
                                                 const store::ReplicateConfig& config) {
  if (client() == nullptr) return Refuse<int>("put", keys, kNotSetUp);
  for (const Parts& parts : values) {
    for (const std::span<const std::byte> part : parts) {
      if (IsRegistered(part)) continue;
      return Refuse<int>("put", keys, DescribeUnregistered(part));
    }
  }
  return Put(keys, values, config);
}

std::vector<int64_t> DistributedStore::GetIntoRegistered(const std::vector<std::string>& keys,
                                                         const std::vector<MutableParts>& buffers) {
  if (client() == nullptr) return Refuse<int64_t>("get", keys, kNotSetUp);
  for (const MutableParts& parts : buffers) {
    for (const std::span<std::byte> part : parts) {
      if (IsRegistered(part)) continue;
      return Refuse<int64_t>("get", keys, DescribeUnregistered(part));
    }
  }
  return GetInto(keys, buffers);
}

std::vector<int> DistributedStore::Exist(const std::vector<std::string>& keys) {
  const auto store = client();
  if (store == nullptr) {
    Refuse<int>("exist", keys, kNotSetUp);
    return std::vector<int>(keys.size(), -1);
  }
  std::vector<int> exist = store->Exist(keys, Deadline());
  for (int& answer : exist) answer = std::max(answer, -1);
  return exist;
}

std::vector<int64_t> DistributedStore::Sizes(const std::vector<std::string>& keys) {
  const auto store = client();
  if (store == nullptr) return Refuse<int64_t>("get_size", keys, kNotSetUp);
  std::vector<int64_t> sizes = store->Find(keys, Deadline());
  ExplainFailures("get_size", keys, sizes);
  return sizes;
}

std::vector<int> DistributedStore::Remove(const std::vector<std::string>& keys, bool force) {
  const auto store = client();
  if (store == nullptr) return Refuse<int>("remove", keys, kNotSetUp);
  std::vector<int> codes = ToInts(store->Remove(keys, force, Deadline()));
  ExplainFailures("remove", keys, codes);
  return codes;
}

int64_t DistributedStore::RemoveByRegex(const std::string& pattern, bool force) {
  const auto store = client();
  const int64_t removed = store == nullptr ? int64_t{store::kInvalidParams}
                                           : store->RemoveByRegex(pattern, force, Deadline());
  if (removed < 0) {
    spdlog::error("remove_by_regex '{}': {}", pattern,
                  store == nullptr ? kNotSetUp : store::Describe(ErrorCode(removed)));
  }
  return removed;
}

int64_t DistributedStore::RemoveAll(bool force) {
  const auto store = client();
  const int64_t removed =
      store == nullptr ? int64_t{store::kInvalidParams} : store->RemoveAll(force, Deadline());
  if (removed < 0) {
    spdlog::error("remove_all: {}",
                  store == nullptr ? kNotSetUp : store::Describe(ErrorCode(removed)));
  }
  return removed;
}

int DistributedStore::RegisterBuffer(uint64_t address, uint64_t size) {
  if (address == 0 || size == 0 || size > UINT64_MAX - address) {
    spdlog::error("register_buffer: no memory is {} bytes at {:#x}", size, address);
    return store::kInvalidParams;
  }
  if (client() == nullptr) {
    spdlog::error("register_buffer: {}", kNotSetUp);
    return store::kInvalidParams;
  }
  MutexLock lock(mutex_);
  const auto next = buffers_.lower_bound(address + 1);
  const bool before =
      next != buffers_.begin() && std::prev(next)->first + std::prev(next)->second > address;
  if (before || (next != buffers_.end() && next->first < address + size)) {
    spdlog::error("register_buffer: {} bytes at {:#x} overlap with what is registered", size,
                  address);
    return store::kInvalidParams;
  }
  buffers_[address] = size;
  return store::kOk;
}

int DistributedStore::UnregisterBuffer(uint64_t address) {
  if (client() == nullptr) return store::kInvalidParams;
  MutexLock lock(mutex_);
  if (buffers_.erase(address) == 1) return store::kOk;
  spdlog::error("unregister_buffer: no buffer is registered at {:#x}", address);
  return store::kInvalidParams;
}

bool DistributedStore::IsRegistered(std::span<const std::byte> bytes) const {
  const auto address = reinterpret_cast<uint64_t>(bytes.data());
  MutexLock lock(mutex_);
  const auto next = buffers_.upper_bound(address);
  if (next == buffers_.begin()) return false;
  const auto& [start, size] = *std::prev(next);
  return address - start <= size && bytes.size() <= size - (address - start);
}

}  // namespace tandem::python

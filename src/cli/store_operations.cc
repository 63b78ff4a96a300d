#include "cli/store_operations.h"

#include <fmt/format.h>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <iterator>
#include <memory>

#include "base/status.h"
#include "store/proto/master_client.h"
#include "transfer/socket_address.h"

namespace tandem::cli {
namespace {

using boost::json::object;
using store::ErrorCode;

constexpr int kKeysPerCall = 1000;

TimePoint Deadline(const StoreOptions& options) {
  return Clock::Real().Now() + std::chrono::seconds(options.timeout_seconds);
}

absl::Status Failure(const std::string& what, int code) {
  if (code == store::kObjectExists) {
    return absl::AlreadyExistsError(
        fmt::format("{}: the key exists, and objects are written once; remove it first", what));
  }
  return absl::UnavailableError(
      fmt::format("{}: {} ({})", what, store::Describe(static_cast<ErrorCode>(code)), code));
}

void PrintJson(const boost::json::value& value) {
  std::cout << boost::json::serialize(value) << std::endl;
}

absl::StatusOr<std::string> ReadInput(const std::string& file) {
  std::ifstream stream;
  if (file != "-") {
    stream.open(file, std::ios::binary);
    if (!stream) return absl::NotFoundError(fmt::format("cannot read the file {}", file));
  }
  std::istream& input = file == "-" ? std::cin : stream;
  return std::string(std::istreambuf_iterator<char>(input), {});
}

absl::Status WriteOutput(const std::string& file, std::span<const std::byte> bytes) {
  std::ofstream stream;
  if (file != "-") stream.open(file, std::ios::binary | std::ios::trunc);
  std::ostream& output = file == "-" ? std::cout : stream;
  output.write(reinterpret_cast<const char*>(bytes.data()),
               static_cast<std::streamsize>(bytes.size()));
  if (output.flush()) return absl::OkStatus();
  return absl::UnavailableError(fmt::format("cannot write to {}", file));
}

/// A client that only puts and gets, and the metrics it counts in.
class Visitor {
 public:
  static absl::StatusOr<std::unique_ptr<Visitor>> Join(StoreOptions options) {
    options.segment_bytes = 0;
    auto visitor = std::make_unique<Visitor>();
    ASSIGN_OR_RETURN(visitor->client_, JoinPool(options, visitor->metrics_));
    return visitor;
  }
  store::StoreClient* operator->() { return client_.get(); }

 private:
  MetricRegistry metrics_;
  std::unique_ptr<store::StoreClient> client_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<store::StoreClient>> JoinPool(const StoreOptions& options,
                                                             MetricRegistry& metrics) {
  store::StoreClientOptions client;
  client.local_hostname = options.hostname;
  if (client.local_hostname.empty()) {
    absl::StatusOr<std::string> address = transfer::LocalAddressTowards(options.master);
    if (!address.ok()) {
      return absl::Status(address.status().code(),
                          fmt::format("--master: {}", std::string(address.status().message())));
    }
    client.local_hostname = *std::move(address);
  }
  client.metadata_server = options.metadata_server;
  client.master_address = options.master;
  client.protocol = options.protocol;
  client.device_name = options.device_name;
  client.segment_bytes = options.segment_bytes;
  client.local_buffer_bytes = options.buffer_bytes;
  client.call_timeout = std::chrono::seconds(options.timeout_seconds);
  client.transfer_timeout = std::chrono::seconds(options.timeout_seconds);
  return store::StoreClient::Create(client, metrics, Clock::Real());
}

absl::Status PutObject(const StoreOptions& options, const std::string& key, const std::string& file,
                       const store::ReplicateConfig& config) {
  ASSIGN_OR_RETURN(const std::string value, ReadInput(file));
  ASSIGN_OR_RETURN(const std::unique_ptr<Visitor> client, Visitor::Join(options));
  const std::span<const std::byte> bytes = std::as_bytes(std::span(value.data(), value.size()));
  const ErrorCode code =
      (*client)->Put(std::vector{key}, std::vector{bytes}, config, Deadline(options))[0];
  if (code != store::kOk) return Failure(fmt::format("cannot put {}", key), code);
  if (options.json) PrintJson(object{{"key", key}, {"size", value.size()}});
  return absl::OkStatus();
}

absl::Status GetObject(const StoreOptions& options, const std::string& key,
                       const std::string& file) {
  ASSIGN_OR_RETURN(const std::unique_ptr<Visitor> client, Visitor::Join(options));
  std::vector<ErrorCode> codes;
  const auto handles = (*client)->Read(std::vector{key}, Deadline(options), &codes);
  if (handles[0] == nullptr) return Failure(fmt::format("cannot get {}", key), codes[0]);
  RETURN_IF_ERROR(WriteOutput(file, handles[0]->bytes()));
  if (options.json && file != "-") {
    PrintJson(object{{"key", key}, {"size", handles[0]->bytes().size()}, {"file", file}});
  }
  return absl::OkStatus();
}

absl::Status ListObjects(const StoreOptions& options, const std::string& prefix) {
  ASSIGN_OR_RETURN(const std::unique_ptr<Visitor> client, Visitor::Join(options));
  boost::json::array listed;
  std::vector<std::string> keys;
  do {
    const std::string after = keys.empty() ? "" : keys.back();
    ASSIGN_OR_RETURN(keys, (*client)->ListKeys(prefix, kKeysPerCall, after, Deadline(options)));
    for (const std::string& key : keys) {
      if (options.json) {
        listed.emplace_back(key);
      } else {
        std::cout << key << '\n';
      }
    }
  } while (keys.size() == kKeysPerCall);
  if (options.json) PrintJson(listed);
  std::cout.flush();
  return absl::OkStatus();
}

absl::Status RemoveObjects(const StoreOptions& options, const std::vector<std::string>& keys,
                           bool force) {
  ASSIGN_OR_RETURN(const std::unique_ptr<Visitor> client, Visitor::Join(options));
  const std::vector<ErrorCode> codes = (*client)->Remove(keys, force, Deadline(options));
  absl::Status status;
  boost::json::array removed;
  for (size_t i = 0; i < keys.size(); ++i) {
    if (codes[i] == store::kOk) {
      removed.emplace_back(keys[i]);
    } else {
      const std::string hint =
          codes[i] == store::kObjectHasLease ? "; --force removes it all the same" : "";
      const absl::Status failure = Failure(fmt::format("cannot remove {}", keys[i]), codes[i]);
      status.Update(
          absl::Status(failure.code(), fmt::format("{}{}", std::string(failure.message()), hint)));
    }
  }
  if (options.json) PrintJson(object{{"removed", std::move(removed)}});
  return status;
}

absl::Status DescribeObject(const StoreOptions& options, const std::string& key) {
  // Straight from the master: looking on grants no lease.
  ASSIGN_OR_RETURN(const auto master, store::MasterClient::Connect(options.master));
  store::proto::GetReplicasRequest request;
  request.add_keys(key);
  request.set_without_lease(true);
  ASSIGN_OR_RETURN(const auto response, master->GetReplicas(request, Deadline(options)));
  const store::proto::GetReplicasResult& result = response.results(0);
  if (result.code() != store::kOk) return Failure(fmt::format("no {}", key), result.code());
  const std::string checksum = fmt::format("{:016x}", result.checksum());
  boost::json::array replicas;
  for (const store::proto::Extent& extent : result.extents()) {
    replicas.push_back(object{{"segment", extent.segment()}, {"offset", extent.offset()}});
  }
  if (options.json) {
    PrintJson(object{{"key", key},
                     {"size", result.size()},
                     {"xxh3", checksum},
                     {"replicas", std::move(replicas)}});
    return absl::OkStatus();
  }
  std::cout << fmt::format("key       {}\nsize      {}\nxxh3      {}\n", key, result.size(),
                           checksum);
  for (const store::proto::Extent& extent : result.extents()) {
    std::cout << fmt::format("replica   {} at {}\n", extent.segment(), extent.offset());
  }
  std::cout.flush();
  return absl::OkStatus();
}

}  // namespace tandem::cli

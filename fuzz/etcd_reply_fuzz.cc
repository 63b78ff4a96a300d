// What etcd, or whoever answers in its place, may send: a lease that is taken has an id and lasts.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "store/etcd/etcd_client.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace tandem::store;
  const std::string reply(reinterpret_cast<const char*>(data), size);
  if (const auto lease = ParseGrantedLease(reply); lease.ok()) {
    if (lease->id.empty() || lease->ttl <= tandem::Duration::zero()) std::abort();
  }
  (void)ParseKeptAlive(reply);
  (void)ParseValue("key", reply);
  (void)ParseSucceeded(reply);
  if (const auto endpoints = ParseEtcdEndpoints(reply); endpoints.ok()) {
    for (const std::string& endpoint : *endpoints) {
      if (!endpoint.starts_with("http://")) std::abort();
    }
  }
  return 0;
}

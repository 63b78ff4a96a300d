// The master's HTTP pages, with whatever path, query and body they are asked with.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "base/clock.h"
#include "base/metrics.h"
#include "http/router.h"
#include "store/master/admin_http.h"
#include "store/master/metadata_http.h"
#include "store/proto/error_code.h"

namespace {

using namespace tandem;

class Sink : public http::ResponseWriter {
 public:
  void Respond(http::Response response) override { answered_ = response.status >= 200; }
  void StartStream(int, http::Headers) override {}
  void Write(std::string) override {}
  void Finish() override {}
  void OnClose(std::function<void()>) override {}
  bool answered() const { return answered_; }

 private:
  bool answered_ = false;
};

std::string TakeLine(std::string_view& input) {
  const size_t end = input.find('\n');
  const std::string line(input.substr(0, end));
  input.remove_prefix(end == std::string_view::npos ? input.size() : end + 1);
  return line;
}

/// Objects for the pages to tell of: one that is whole, and one that is being written.
void Fill(store::Master& master) {
  store::proto::MountSegmentRequest mount;
  mount.set_client_id("c");
  mount.mutable_segment()->set_name("10.0.0.1:1");
  mount.mutable_segment()->set_size(1 << 20);
  mount.set_boot_id("boot");
  mount.set_host_budget(1 << 20);
  master.MountSegment(mount);
  store::proto::PutStartRequest start;
  start.set_client_id("c");
  for (const char* key : {"k", "l"}) {
    start.add_keys(key);
    start.add_sizes(100);
  }
  const auto started = master.PutStart(start);
  store::proto::PutEndRequest end;
  end.set_client_id("c");
  store::proto::PutEndItem* item = end.add_items();
  item->set_key("k");
  item->add_generations(started.results(0).extents(0).generation());
  if (master.PutEnd(end).codes(0) != store::kOk) __builtin_trap();
}

}  // namespace

/// Input: requests with a zero byte between them, each of lines of method, path and query; the rest
/// is its body.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  MetricRegistry registry;
  store::MasterMetrics metrics(registry);
  FakeClock clock;
  store::Master master({}, metrics, clock);
  Fill(master);
  store::MetadataStore metadata;
  http::Router metadata_routes, admin_routes;
  store::AddMetadataRoutes(metadata_routes, metadata);
  const auto serving = store::ServingMaster::Of(master);
  store::AddAdminRoutes(admin_routes, *serving, metrics, registry);

  std::string_view input(reinterpret_cast<const char*>(data), size);
  while (!input.empty()) {
    std::string_view rest = input.substr(0, input.find('\0'));
    input.remove_prefix(std::min(input.size(), rest.size() + 1));
    http::Request request;
    request.method = TakeLine(rest);
    request.path = TakeLine(rest);
    request.query = TakeLine(rest);
    request.body = std::string(rest);
    for (const http::Router* routes : {&metadata_routes, &admin_routes}) {
      const auto sink = std::make_shared<Sink>();
      routes->Dispatch(request, sink);
      if (!sink->answered()) __builtin_trap();
    }
  }
  return 0;
}

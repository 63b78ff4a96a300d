// The master's HTTP pages, with whatever path, query and body they are asked with.
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

}  // namespace

/// Input: lines of method, path and query; the rest is the body.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  MetricRegistry registry;
  store::MasterMetrics metrics(registry);
  FakeClock clock;
  store::Master master({}, metrics, clock);
  store::MetadataStore metadata;
  http::Router metadata_routes, admin_routes;
  store::AddMetadataRoutes(metadata_routes, metadata);
  const auto serving = store::ServingMaster::Of(master);
  store::AddAdminRoutes(admin_routes, *serving, metrics, registry);

  std::string_view input(reinterpret_cast<const char*>(data), size);
  http::Request request;
  request.method = TakeLine(input);
  request.path = TakeLine(input);
  request.query = TakeLine(input);
  request.body = std::string(input);
  for (const http::Router* routes : {&metadata_routes, &admin_routes}) {
    const auto sink = std::make_shared<Sink>();
    routes->Dispatch(request, sink);
    if (!sink->answered()) __builtin_trap();
  }
  return 0;
}

#include "http/request_id.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <optional>
#include <random>

namespace tandem::http {
namespace {

constexpr size_t kMaxLength = 128;

bool IsFit(const std::string& id) {
  return !id.empty() && id.size() <= kMaxLength &&
         std::all_of(id.begin(), id.end(), [](unsigned char c) {
           return c < 0x80 && (std::isalnum(c) || c == '-' || c == '_' || c == '.' || c == ':');
         });
}

class TaggedWriter : public ResponseWriter {
 public:
  TaggedWriter(std::shared_ptr<ResponseWriter> writer, std::string id)
      : writer_(std::move(writer)), id_(std::move(id)) {}

  void Respond(Response response) override {
    response.headers.Set(kRequestIdHeader, id_);
    writer_->Respond(std::move(response));
  }
  void StartStream(int status, Headers headers) override {
    headers.Set(kRequestIdHeader, id_);
    writer_->StartStream(status, std::move(headers));
  }
  void Write(std::string part) override { writer_->Write(std::move(part)); }
  void Finish() override { writer_->Finish(); }
  void OnClose(std::function<void()> closed) override { writer_->OnClose(std::move(closed)); }

 private:
  const std::shared_ptr<ResponseWriter> writer_;
  const std::string id_;
};

}  // namespace

std::string RequestId(const Headers& headers) {
  const std::optional<std::string> sent = headers.Get(kRequestIdHeader);
  if (sent && IsFit(*sent)) return *sent;
  std::random_device random;
  std::string id;
  for (int part = 0; part < 4; ++part) id += fmt::format("{:08x}", random());
  return id;
}

std::shared_ptr<ResponseWriter> WithRequestId(std::shared_ptr<ResponseWriter> writer,
                                              std::string id) {
  return std::make_shared<TaggedWriter>(std::move(writer), std::move(id));
}

}  // namespace tandem::http

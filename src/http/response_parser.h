#pragma once

#include <boost/beast/http/basic_parser.hpp>
#include <string_view>

#include "http/message.h"

namespace tandem::http {

/// Hears of a reply as it is parsed.
class ResponseListener {
 public:
  virtual void OnHead(int status, const Headers& headers) = 0;
  virtual void OnBody(std::string_view part) = 0;

 protected:
  ~ResponseListener() = default;
};

/// An incremental parser of replies that passes body parts on without keeping them. Internal.
class ResponseParser : public boost::beast::http::basic_parser<false> {
 public:
  explicit ResponseParser(ResponseListener& listener) : listener_(listener) {
    eager(true);
    header_limit(64 << 10);
    body_limit(boost::none);
  }

  int status() const { return status_; }

 private:
  using Text = boost::beast::string_view;
  using ErrorCode = boost::beast::error_code;

  void on_request_impl(boost::beast::http::verb, Text, Text, int, ErrorCode&) override {}
  void on_response_impl(int code, Text, int, ErrorCode&) override { status_ = code; }
  void on_field_impl(boost::beast::http::field, Text name, Text value, ErrorCode&) override {
    headers_.Add({name.data(), name.size()}, {value.data(), value.size()});
  }
  void on_header_impl(ErrorCode&) override {
    const bool interim = status_ >= 100 && status_ < 200;
    if (!interim) listener_.OnHead(status_, headers_);
  }
  void on_body_init_impl(const boost::optional<uint64_t>&, ErrorCode&) override {}
  size_t on_body_impl(Text body, ErrorCode&) override {
    listener_.OnBody({body.data(), body.size()});
    return body.size();
  }
  void on_chunk_header_impl(uint64_t, Text, ErrorCode&) override {}
  size_t on_chunk_body_impl(uint64_t, Text body, ErrorCode&) override {
    listener_.OnBody({body.data(), body.size()});
    return body.size();
  }
  void on_finish_impl(ErrorCode&) override {}

  ResponseListener& listener_;
  int status_ = 0;
  Headers headers_;
};

}  // namespace tandem::http

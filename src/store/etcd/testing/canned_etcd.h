#pragma once

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>

#include "base/mutex.h"
#include "http/server.h"

namespace tandem::store {

/// Answers each path with a text of the test's.
class CannedEtcd {
 public:
  CannedEtcd() {
    auto server = http::Server::Start({.host = "127.0.0.1", .port = 0}, [this](
                                                                            http::Request request,
                                                                            auto writer) {
      MutexLock lock(mutex_);
      bodies_[request.path] = request.body;
      writer->Respond({status_, {{"Content-Type", "application/json"}}, answers_[request.path]});
    });
    EXPECT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
  }

  std::string endpoint() const { return "http://127.0.0.1:" + std::to_string(server_->port()); }
  void Answer(const std::string& path, const std::string& text, int status = 200) {
    MutexLock lock(mutex_);
    answers_[path] = text;
    status_ = status;
  }
  std::string BodyOf(const std::string& path) {
    MutexLock lock(mutex_);
    return bodies_[path];
  }

 private:
  Mutex mutex_;
  std::map<std::string, std::string> answers_ ABSL_GUARDED_BY(mutex_), bodies_
      ABSL_GUARDED_BY(mutex_);
  int status_ ABSL_GUARDED_BY(mutex_) = 200;
  std::unique_ptr<http::Server> server_;
};

/// Takes calls and answers none.
class SilentEtcd {
 public:
  SilentEtcd() {
    auto server =
        http::Server::Start({.host = "127.0.0.1", .port = 0}, [this](http::Request, auto writer) {
          MutexLock lock(mutex_);
          calls_.push_back(writer);
          called_.NotifyAll();
        });
    EXPECT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
  }
  std::string endpoint() const { return "http://127.0.0.1:" + std::to_string(server_->port()); }
  /// How many calls there were, once there are so many.
  size_t WaitForCalls(size_t least) {
    MutexLock lock(mutex_);
    called_.WaitUntil(mutex_, Clock::Real().Now() + std::chrono::seconds(20),
                      [&]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return calls_.size() >= least; });
    return calls_.size();
  }

 private:
  Mutex mutex_;
  CondVar called_;
  std::vector<std::shared_ptr<http::ResponseWriter>> calls_ ABSL_GUARDED_BY(mutex_);
  std::unique_ptr<http::Server> server_;
};

}  // namespace tandem::store

#include "http/io_threads.h"

#include <algorithm>

namespace tandem::http {

IoThreads::IoThreads(int threads)
    : context_(std::max(threads, 1)), work_(boost::asio::make_work_guard(context_)) {
  for (int i = 0; i < std::max(threads, 1); ++i) {
    threads_.emplace_back([this] { context_.run(); });
  }
}

IoThreads::~IoThreads() { Join(); }

void IoThreads::Join() {
  work_.reset();
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

}  // namespace tandem::http

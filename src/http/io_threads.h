#pragma once

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <thread>
#include <vector>

namespace tandem::http {

/// An io_context and the threads that run it. Whatever holds sockets or timers also holds a
/// reference to this, so that they never outlive the io_context. Internal: only .cc files of this
/// folder see it.
class IoThreads {
 public:
  explicit IoThreads(int threads);
  ~IoThreads();

  boost::asio::io_context& context() { return context_; }

  /// Waits until the work in flight is done and joins. Everything that starts new work must have
  /// been told to close before: a queued handler that nobody runs would keep its owner alive for
  /// ever.
  void Join();

 private:
  boost::asio::io_context context_;
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_;
  std::vector<std::thread> threads_;
};

}  // namespace tandem::http

#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/mutex.h"
#include "http/client.h"

namespace tandem::proxy {

/// What is known of an instance.
struct InstanceStatus {
  std::string address;
  bool up = true;               ///< An instance counts as up until something says otherwise.
  std::string cache_namespace;  ///< Empty: not told yet.
  /// Another kind of server, which ignores the ids it is to continue after.
  bool foreign = false;
};

/// The instances of one role, numbered from 0: which of them are up, and whose turn it is. Safe for
/// use by several threads.
class InstancePool {
 public:
  /// `role` ("prefiller") names the instances in the log.
  InstancePool(std::string role, const std::vector<std::string>& addresses, const Clock& clock);

  const std::string& role() const { return role_; }
  int size() const { return static_cast<int>(addresses_.size()); }
  const std::string& address(int instance) const { return addresses_[instance]; }
  /// "http://host:port" and `target`.
  std::string Url(int instance, const std::string& target) const;

  /// The next instance that is up and not among `excluded`, or nothing. With `session`, requests of
  /// one session get the same instance as long as it is up.
  std::optional<int> Choose(std::optional<uint64_t> session, const std::set<int>& excluded);
  /// Any instance not among `excluded`, whatever is known of it: to be tried when none is up, since
  /// one that was down or hung may be back.
  std::optional<int> ChooseAny(const std::set<int>& excluded);

  /// A change is logged with the reason.
  void MarkUp(int instance);
  void MarkDown(int instance, const std::string& reason);
  void SetNamespace(int instance, const std::string& cache_namespace);
  void MarkForeign(int instance);
  /// Those that cannot continue a stream.
  std::set<int> Foreign() const;

  std::vector<InstanceStatus> Status() const;
  InstanceStatus Status(int instance) const;

  /// Remembers a call so that CancelCalls reaches it.
  void Track(int instance, const std::shared_ptr<http::Call>& call);
  /// Cancels the tracked calls of instances that have been down for longer than `patience`.
  void CancelCalls(Duration patience);

 private:
  struct State {
    bool up = true;
    TimePoint down_since;
    std::string cache_namespace;
    bool foreign = false;
    std::vector<std::weak_ptr<http::Call>> calls;
  };

  const std::string role_;
  const std::vector<std::string> addresses_;
  const Clock& clock_;
  mutable Mutex mutex_;
  std::vector<State> states_ ABSL_GUARDED_BY(mutex_);
  size_t turn_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace tandem::proxy

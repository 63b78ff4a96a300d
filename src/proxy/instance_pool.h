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

/// What kind of server an instance is. kForeign: one of another make, such as vLLM, which takes
/// no first token over and does not continue after given ids. kUnfit: no inference server at all.
enum class InstanceMake { kUnknown, kTandem, kForeign, kUnfit };

/// What is known of an instance.
struct InstanceStatus {
  std::string address;
  bool up = true;               ///< An instance counts as up until something says otherwise.
  std::string cache_namespace;  ///< Empty: not told.
  InstanceMake make = InstanceMake::kUnknown;
  std::optional<std::string> kv_role;  ///< Of one of this program; absent: not told yet.
  /// What is wrong with the flags that name it, what was found there and what is expected; else
  /// empty.
  std::string problem;
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
  /// Any instance not among `excluded`, up or not, but for those that are none: to be tried when
  /// none is up, since one that was down or hung may be back.
  std::optional<int> ChooseAny(const std::set<int>& excluded);

  /// A change is logged with the reason. It said that it is up when it was asked at `asked`: what
  /// has marked it down since is newer.
  void MarkUp(int instance, TimePoint asked);
  void MarkDown(int instance, const std::string& reason);
  /// It has answered a probe, whatever it said: one that refuses requests does not stand still.
  void NoteAnswer(int instance);
  bool AnyUp() const;
  /// As told by an instance of this program.
  void SetNamespace(int instance, const std::string& cache_namespace);
  /// As told by it, empty if it has none. One that does not suit the instance's role is a problem.
  void SetKvRole(int instance, const std::string& kv_role);
  void MarkForeign(int instance);
  /// Something answers there that is no inference server, as `found` tells: it is down until it is
  /// recognized as an instance.
  void MarkUnfit(int instance, const std::string& found);
  /// In words, what is known of those that are unfit; empty if none is.
  std::string DescribeUnfit() const;
  /// Those that cannot continue a stream.
  std::set<int> Foreign() const;

  std::vector<InstanceStatus> Status() const;
  InstanceStatus Status(int instance) const;

  /// Remembers a call so that CancelSilentCalls reaches it.
  void Track(int instance, const std::shared_ptr<http::Call>& call);
  /// Cancels the tracked calls that have been silent for `patience`, of instances that are down and
  /// have answered no probe for as long. One that drains fails its probes while its streams are
  /// healthy and whole replies are computed: it does answer, so its calls are left alone.
  void CancelSilentCalls(Duration patience);

 private:
  struct State {
    bool up = true;
    TimePoint down_since;
    TimePoint last_answer;
    std::string cache_namespace;
    InstanceMake make = InstanceMake::kUnknown;
    std::optional<std::string> kv_role;
    std::string found;  // Of an unfit one.
    std::vector<std::weak_ptr<http::Call>> calls;
  };

  /// It is an instance of that make.
  void Accept(int instance, InstanceMake make) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  std::string Problem(int instance) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const std::string role_;
  const std::vector<std::string> addresses_;
  const Clock& clock_;
  mutable Mutex mutex_;
  std::vector<State> states_ ABSL_GUARDED_BY(mutex_);
  size_t turn_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace tandem::proxy

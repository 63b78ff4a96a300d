#include "store/client/dead_neighbours.h"

#include <spdlog/spdlog.h>

#include <algorithm>

#include "base/status.h"
#include "transfer/unix_socket.h"

namespace tandem::store {
namespace {

/// A listener that stands still has ended no more than one that answers.
constexpr Duration kProbe = std::chrono::milliseconds(100);

/// The kernel ends a listener's name together with its process.
bool HasEnded(const proto::Segment& segment, TimePoint deadline) {
  const auto give_up = std::min(deadline, Clock::Real().Now() + kProbe);
  return absl::IsNotFound(transfer::ConnectToUnixSocket(segment.fd_socket(), give_up).status());
}

}  // namespace

absl::Status DropDeadNeighbours(const proto::Segment& own, MasterClient& master,
                                TimePoint deadline) {
  ASSIGN_OR_RETURN(const proto::ListSegmentsResponse listed, master.ListSegments({}, deadline));
  for (const proto::Segment& segment : listed.segments()) {
    if (segment.host_identity() != own.host_identity() || !HasEnded(segment, deadline)) continue;
    spdlog::info("the owner of segment {} has ended: the master is told to drop it",
                 segment.name());
    proto::UnmountSegmentRequest request;
    request.set_client_id(segment.client_id());
    request.set_segment(segment.name());
    RETURN_IF_ERROR(master.UnmountSegment(request, deadline).status());
  }
  return absl::OkStatus();
}

}  // namespace tandem::store

#pragma once

#include "absl/status/status.h"
#include "base/clock.h"
#include "store/proto/master_client.h"

namespace tandem::store {

/// Has the master drop the segments of this host whose owners have ended without leaving, sooner
/// than it would by their silence: until then they count in the host's budget, and one that is
/// started again in their place would get less for as long as it lives. `own` is a segment of this
/// host. Errors are those of the call to the master.
absl::Status DropDeadNeighbours(const proto::Segment& own, MasterClient& master,
                                TimePoint deadline);

}  // namespace tandem::store

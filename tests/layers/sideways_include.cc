// From http's level, transfer stands beside it.
#include "transfer/transport.h"

// From http's level, the engine is above.
#include "engine/engine_loop.h"

// What http may see: itself and base. That this compiles shows that the other two fail for the reason
// they are meant to.
#include "base/clock.h"
#include "http/message.h"

#pragma once

#include <string>
#include <vector>

namespace tandem::cli {

/// Each command takes the arguments after its name and returns the process's exit code: 0, 1 for a
/// failure at run time, 2 for a wrong command line or configuration.
using Arguments = std::vector<std::string>;

int MasterCommand(const Arguments& arguments);
int ServeCommand(const Arguments& arguments);
int ProxyCommand(const Arguments& arguments);
int UpCommand(const Arguments& arguments);
int PullCommand(const Arguments& arguments);
int StoreCommand(const Arguments& arguments);
int BenchCommand(const Arguments& arguments);

}  // namespace tandem::cli

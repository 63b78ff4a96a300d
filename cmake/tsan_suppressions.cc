// Linked into every program of a ThreadSanitizer build. Debian's gRPC and Abseil are not built for
// ThreadSanitizer, which therefore does not see how they synchronise.
extern "C" const char* __tsan_default_suppressions() {
  return "race:libgrpc\n"
         "race:libgpr\n"
         "race:grpc::internal::\n"
         "race:libabsl_\n"
         "race:absl::debian3::Status::\n"
         "race:absl::debian3::status_internal::\n"
         "called_from_lib:libgrpc.so\n"
         "called_from_lib:libgrpc++.so\n";
}

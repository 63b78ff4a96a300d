// The Python module mooncake.store: names, arguments and return values of Mooncake Store's own.
#include <fmt/format.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <cstdlib>
#include <deque>
#include <optional>
#include <set>

#include "base/byte_size.h"
#include "base/log.h"
#include "distributed_store.h"

namespace py = pybind11;

namespace tandem::python {
namespace {

using store::ReadHandle;
using store::ReplicateConfig;
using Config = std::optional<ReplicateConfig>;
using NoGil = py::call_guard<py::gil_scoped_release>;

/// An object's bytes in place, for as long as Python holds on to this.
class BufferHandle {
 public:
  explicit BufferHandle(std::unique_ptr<ReadHandle> handle) : handle_(std::move(handle)) {}
  ~BufferHandle() {
    // A forked child's copy must not let go of what its parent still reads.
    if (process_ != getpid()) (void)handle_.release();
  }
  std::span<const std::byte> bytes() const { return handle_->bytes(); }

 private:
  const pid_t process_ = getpid();
  std::unique_ptr<ReadHandle> handle_;
};

/// Closing a store waits for others; the interpreter need not.
struct CloseWithoutGil {
  void operator()(DistributedStore* store) const {
    const py::gil_scoped_release release;
    delete store;
  }
};
using StoreClass = py::class_<DistributedStore, std::unique_ptr<DistributedStore, CloseWithoutGil>>;

ReplicateConfig OrDefault(const Config& config) { return config.value_or(ReplicateConfig()); }

/// Views of Python buffers; the buffers stay valid as long as this lives. Needs the GIL.
class Views {
 public:
  Views() = default;
  ~Views() {
    for (Py_buffer& view : views_) PyBuffer_Release(&view);
  }
  Views(const Views&) = delete;
  Views& operator=(const Views&) = delete;

  /// BufferError for one whose bytes do not follow on each other.
  std::span<const std::byte> Add(const py::handle& object) {
    Py_buffer view;
    if (PyObject_GetBuffer(object.ptr(), &view, PyBUF_SIMPLE) != 0) throw py::error_already_set();
    views_.push_back(view);
    return {static_cast<const std::byte*>(view.buf), static_cast<size_t>(view.len)};
  }

 private:
  std::deque<Py_buffer> views_;  // which may not move
};

template <typename Byte>
std::span<Byte> At(uintptr_t address, size_t size) {
  return {reinterpret_cast<Byte*>(address), size};
}

/// Nothing for addresses and sizes of different shapes, which never fits a list of keys.
template <typename Byte>
std::vector<std::vector<std::span<Byte>>> Group(
    const std::vector<std::vector<uintptr_t>>& addresses,
    const std::vector<std::vector<size_t>>& sizes) {
  std::vector<std::vector<std::span<Byte>>> groups;
  for (size_t i = 0; i < addresses.size() && addresses.size() == sizes.size(); ++i) {
    if (addresses[i].size() != sizes[i].size()) return {};
    groups.emplace_back();
    for (size_t j = 0; j < addresses[i].size(); ++j) {
      groups.back().push_back(At<Byte>(addresses[i][j], sizes[i][j]));
    }
  }
  return groups;
}

template <typename Byte>
std::vector<std::vector<std::span<Byte>>> Single(const std::vector<uintptr_t>& addresses,
                                                 const std::vector<size_t>& sizes) {
  std::vector<std::vector<std::span<Byte>>> groups;
  for (size_t i = 0; i < addresses.size() && addresses.size() == sizes.size(); ++i) {
    groups.push_back({At<Byte>(addresses[i], sizes[i])});
  }
  return groups;
}

int PutValues(DistributedStore& store, const std::vector<std::string>& keys,
              const std::vector<Parts>& values, const Config& config) {
  const py::gil_scoped_release release;
  for (const int code : store.Put(keys, values, OrDefault(config))) {
    if (code != store::kOk) return code;
  }
  return store::kOk;
}

int PutBatch(DistributedStore& store, const std::vector<std::string>& keys, const py::list& values,
             const Config& config) {
  Views views;
  std::vector<Parts> parts;
  for (const py::handle value : values) parts.push_back({views.Add(value)});
  return PutValues(store, keys, parts, config);
}

int PutParts(DistributedStore& store, const std::string& key, const py::args& parts,
             const Config& config) {
  Views views;
  Parts spans;
  for (const py::handle part : parts) spans.push_back(views.Add(part));
  return PutValues(store, {key}, {spans}, config);
}

std::vector<std::unique_ptr<ReadHandle>> Get(DistributedStore& store,
                                             const std::vector<std::string>& keys) {
  const py::gil_scoped_release release;
  return store.Get(keys);
}

py::list GetBatch(DistributedStore& store, const std::vector<std::string>& keys) {
  py::list values;
  const py::gil_scoped_release release;
  store.GetCopies(keys, [&](size_t, size_t size) {
    const py::gil_scoped_acquire acquire;
    py::bytes value(nullptr, size);
    auto* room = reinterpret_cast<std::byte*>(PyBytes_AS_STRING(value.ptr()));
    values.append(std::move(value));
    return room;
  });
  return values;
}

py::list GetBuffers(DistributedStore& store, const std::vector<std::string>& keys) {
  py::list buffers;
  for (auto& handle : Get(store, keys)) {
    if (handle == nullptr) {
      buffers.append(py::none());
    } else {
      buffers.append(py::cast(std::make_unique<BufferHandle>(std::move(handle))));
    }
  }
  return buffers;
}

/// Options of Mooncake's own client: its tiers, tenants and HTTP endpoints are the master's here.
const std::set<std::string> kMeaningless = {"ipc_socket_path",           "enable_ssd_offload",
                                            "ssd_offload_path",          "tenant_id",
                                            "enable_client_http_server", "client_http_port"};

template <typename Field>
constexpr const char* Accepted() {
  if constexpr (std::is_same_v<Field, bool>) return "True or False";
  if constexpr (std::is_same_v<Field, std::string>) return "a str";
  return std::is_integral_v<Field> ? kByteSizes : "a number of seconds";
}

/// Throws py::cast_error for a value that is no such field's.
template <typename Field>
Field ValueOf(const py::handle& value) {
  if constexpr (std::is_same_v<Field, uint64_t>) {
    if (!py::isinstance<py::str>(value)) return value.cast<uint64_t>();
    const std::optional<uint64_t> bytes = ParseByteSize(value.cast<std::string>());
    if (!bytes) throw py::cast_error();
    return *bytes;
  } else {
    return value.cast<Field>();
  }
}

/// setup(dict): the same names, and those of LMCache's extra_config, which say how it is secured;
/// so does the environment (base/security.h), for setup with the arguments of Mooncake's.
int SetupFromDict(DistributedStore& store, const py::dict& options) {
  SetupOptions setup;
  std::set<std::string> known = kMeaningless;
  bool valid = true;
  const auto set = [&](auto& field, std::initializer_list<const char*> names) {
    using Field = std::remove_reference_t<decltype(field)>;
    known.insert(names.begin(), names.end());
    for (const char* name : names) {
      if (!options.contains(name)) continue;
      try {
        field = ValueOf<Field>(options[name]);
      } catch (const py::cast_error&) {
        spdlog::error("setup failed: {} is {}; accepted: {}", name,
                      py::repr(options[name]).cast<std::string>(), Accepted<Field>());
        valid = false;
      }
    }
  };
  set(setup.local_hostname, {"local_hostname"});
  set(setup.metadata_server, {"metadata_server"});
  set(setup.global_segment_size, {"global_segment_size"});
  set(setup.local_buffer_size, {"local_buffer_size"});
  set(setup.protocol, {"protocol"});
  set(setup.rdma_devices, {"rdma_devices", "device_name"});
  set(setup.verify_local_reads, {"verify_local_reads"});
  set(setup.call_timeout, {"call_timeout"});
  set(setup.security.tls_ca_file, {"tls_ca_file"});
  set(setup.security.tls_cert_file, {"tls_cert_file"});
  set(setup.security.tls_key_file, {"tls_key_file"});
  set(setup.security.tls_verify_clients, {"tls_verify_clients"});
  set(setup.security.token_file, {"token_file"});
  set(setup.master_server_addr, {"master_server_addr", "master_server_address"});
  for (const auto& [key, value] : options) {
    const std::string name = py::str(key);
    if (kMeaningless.contains(name)) {
      spdlog::warn("setup: {} has no meaning here and is ignored", name);
    } else if (!known.contains(name)) {
      spdlog::warn("setup: {} is not known and ignored", name);
    }
  }
  if (!valid) return store::kInvalidParams;
  const py::gil_scoped_release release;
  return store.Setup(setup);
}

void DefineObjects(StoreClass& store) {
  store
      .def(
          "put",
          [](DistributedStore& self, const std::string& key, const py::buffer& value,
             const Config& config) {
            Views views;
            return PutValues(self, {key}, {{views.Add(value)}}, config);
          },
          py::arg("key"), py::arg("value"), py::arg("config") = py::none())
      .def("put_parts", &PutParts, py::arg("key"), py::kw_only(), py::arg("config") = py::none())
      .def("put_batch", &PutBatch, py::arg("keys"), py::arg("values"),
           py::arg("config") = py::none())
      .def(
          "get",
          [](DistributedStore& self, const std::string& key) -> py::object {
            return GetBatch(self, {key})[0];
          },
          py::arg("key"))
      .def("get_batch", &GetBatch, py::arg("keys"))
      .def(
          "get_buffer",
          [](DistributedStore& self, const std::string& key) -> py::object {
            return GetBuffers(self, {key})[0];
          },
          py::arg("key"))
      .def("batch_get_buffer", &GetBuffers, py::arg("keys"));
}

void DefineZeroCopy(StoreClass& store) {
  using Addresses = std::vector<uintptr_t>;
  using Sizes = std::vector<size_t>;
  using Keys = std::vector<std::string>;
  store
      .def("register_buffer", &DistributedStore::RegisterBuffer, py::arg("buffer_ptr"),
           py::arg("size"), NoGil())
      .def("unregister_buffer", &DistributedStore::UnregisterBuffer, py::arg("buffer_ptr"), NoGil())
      .def(
          "put_from",
          [](DistributedStore& self, const std::string& key, uintptr_t address, size_t size,
             const Config& config) {
            return self.PutRegistered({key}, {{At<const std::byte>(address, size)}},
                                      OrDefault(config))[0];
          },
          py::arg("key"), py::arg("buffer_ptr"), py::arg("size"), py::arg("config") = py::none(),
          NoGil())
      .def(
          "batch_put_from",
          [](DistributedStore& self, const Keys& keys, const Addresses& addresses,
             const Sizes& sizes, const Config& config) {
            return self.PutRegistered(keys, Single<const std::byte>(addresses, sizes),
                                      OrDefault(config));
          },
          py::arg("keys"), py::arg("buffer_ptrs"), py::arg("sizes"), py::arg("config") = py::none(),
          NoGil())
      .def(
          "batch_put_from_multi_buffers",
          [](DistributedStore& self, const Keys& keys, const std::vector<Addresses>& addresses,
             const std::vector<Sizes>& sizes, const Config& config) {
            return self.PutRegistered(keys, Group<const std::byte>(addresses, sizes),
                                      OrDefault(config));
          },
          py::arg("keys"), py::arg("all_buffer_ptrs"), py::arg("all_sizes"),
          py::arg("config") = py::none(), NoGil())
      .def(
          "get_into",
          [](DistributedStore& self, const std::string& key, uintptr_t address, size_t size) {
            return self.GetIntoRegistered({key}, {{At<std::byte>(address, size)}})[0];
          },
          py::arg("key"), py::arg("buffer_ptr"), py::arg("size"), NoGil())
      .def(
          "batch_get_into",
          [](DistributedStore& self, const Keys& keys, const Addresses& addresses,
             const Sizes& sizes) {
            return self.GetIntoRegistered(keys, Single<std::byte>(addresses, sizes));
          },
          py::arg("keys"), py::arg("buffer_ptrs"), py::arg("sizes"), NoGil())
      .def(
          "batch_get_into_multi_buffers",
          [](DistributedStore& self, const Keys& keys, const std::vector<Addresses>& addresses,
             const std::vector<Sizes>& sizes,
             bool) { return self.GetIntoRegistered(keys, Group<std::byte>(addresses, sizes)); },
          py::arg("keys"), py::arg("all_buffer_ptrs"), py::arg("all_sizes"),
          py::arg("prefer_alloc_in_same_node") = false, NoGil());
}

void DefineManagement(StoreClass& store) {
  store.def(py::init<>())
      .def("setup", &SetupFromDict, py::arg("config"))
      .def(
          "setup",
          [](DistributedStore& self, std::string local_hostname, std::string metadata_server,
             uint64_t global_segment_size, uint64_t local_buffer_size, std::string protocol,
             std::string rdma_devices, std::string master_server_addr, const py::object&,
             bool enable_ssd_offload, const std::string&, const std::string&,
             bool enable_client_http_server, int) {
            if (enable_ssd_offload || enable_client_http_server) {
              spdlog::warn("setup: {} has no meaning here and is ignored",
                           enable_ssd_offload ? "enable_ssd_offload" : "enable_client_http_server");
            }
            const py::gil_scoped_release release;
            return self.Setup({std::move(local_hostname), std::move(metadata_server),
                               global_segment_size, local_buffer_size, std::move(protocol),
                               std::move(rdma_devices), std::move(master_server_addr)});
          },
          py::arg("local_hostname"), py::arg("metadata_server"),
          py::arg("global_segment_size") = SetupOptions().global_segment_size,
          py::arg("local_buffer_size") = SetupOptions().local_buffer_size,
          py::arg("protocol") = "tcp", py::arg("rdma_devices") = "",
          py::arg("master_server_addr") = "127.0.0.1:50051", py::arg("engine") = py::none(),
          py::arg("enable_ssd_offload") = false, py::arg("ssd_offload_path") = "",
          py::arg("tenant_id") = "default", py::arg("enable_client_http_server") = false,
          py::arg("client_http_port") = 9300)
      .def("close", &DistributedStore::Close, NoGil())
      .def("get_hostname", &DistributedStore::Hostname, NoGil())
      .def("health_check", &DistributedStore::HealthCheck, NoGil())
      .def(
          "is_exist",
          [](DistributedStore& self, const std::string& key) { return self.Exist({key})[0]; },
          py::arg("key"), NoGil())
      .def("batch_is_exist", &DistributedStore::Exist, py::arg("keys"), NoGil())
      .def(
          "get_size",
          [](DistributedStore& self, const std::string& key) { return self.Sizes({key})[0]; },
          py::arg("key"), NoGil())
      .def(
          "remove",
          [](DistributedStore& self, const std::string& key, bool force) {
            return self.Remove({key}, force)[0];
          },
          py::arg("key"), py::arg("force") = false, NoGil())
      .def("batch_remove", &DistributedStore::Remove, py::arg("keys"), py::arg("force") = false,
           NoGil())
      .def("remove_by_regex", &DistributedStore::RemoveByRegex, py::arg("regex_pattern"),
           py::arg("force") = false, NoGil())
      .def("remove_all", &DistributedStore::RemoveAll, py::arg("force") = false, NoGil());
}

}  // namespace
}  // namespace tandem::python

PYBIND11_MODULE(store, module) {
  using namespace tandem::python;
  // gRPC's own log repeats in many words what the errors say; the variable still sets it.
  setenv("GRPC_VERBOSITY", "NONE", /*overwrite=*/0);
  tandem::StartLog("mooncake.store");
  spdlog::set_level(spdlog::level::warn);

  py::class_<ReplicateConfig>(module, "ReplicateConfig")
      .def(py::init<>())
      .def_readwrite("replica_num", &ReplicateConfig::replica_num)
      .def_readwrite("with_soft_pin", &ReplicateConfig::with_soft_pin)
      .def_readwrite("with_hard_pin", &ReplicateConfig::with_hard_pin)
      .def_readwrite("preferred_segment", &ReplicateConfig::preferred_segment)
      // Objects go to the writer's own segment in any case, unless another is preferred.
      .def_property(
          "prefer_alloc_in_same_node", [](const ReplicateConfig&) { return true; },
          [](ReplicateConfig&, bool) {})
      .def("__str__", [](const ReplicateConfig& self) {
        return fmt::format(
            "ReplicateConfig: {{ replica_num: {}, with_soft_pin: {}, with_hard_pin: {}, "
            "preferred_segment: '{}' }}",
            self.replica_num, self.with_soft_pin, self.with_hard_pin, self.preferred_segment);
      });

  py::class_<BufferHandle>(module, "BufferHandle", py::buffer_protocol())
      .def(
          "ptr",
          [](const BufferHandle& self) { return reinterpret_cast<uintptr_t>(self.bytes().data()); })
      .def("size", [](const BufferHandle& self) { return self.bytes().size(); })
      .def("__len__", [](const BufferHandle& self) { return self.bytes().size(); })
      .def_buffer([](const BufferHandle& self) {
        return py::buffer_info(reinterpret_cast<const uint8_t*>(self.bytes().data()),
                               static_cast<py::ssize_t>(self.bytes().size()));
      });

  StoreClass store(module, "MooncakeDistributedStore");
  DefineManagement(store);
  DefineObjects(store);
  DefineZeroCopy(store);
}

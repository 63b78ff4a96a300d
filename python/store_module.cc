// The Python module mooncake.store: names, arguments and return values of Mooncake Store's own.
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <cstdlib>
#include <optional>

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
  std::span<const std::byte> bytes() const { return handle_->bytes(); }

 private:
  const std::unique_ptr<ReadHandle> handle_;
};

ReplicateConfig OrDefault(const Config& config) { return config.value_or(ReplicateConfig()); }

/// Views of Python buffers; the buffers stay valid as long as this lives. Needs the GIL.
class Views {
 public:
  std::span<const std::byte> Add(const py::handle& object) {
    infos_.push_back(py::reinterpret_borrow<py::buffer>(object).request());
    const py::buffer_info& info = infos_.back();
    return {static_cast<const std::byte*>(info.ptr),
            static_cast<size_t>(info.size * info.itemsize)};
  }

 private:
  std::vector<py::buffer_info> infos_;
};

template <typename Byte>
std::span<Byte> At(uintptr_t address, size_t size) {
  return {reinterpret_cast<Byte*>(address), size};
}

template <typename Byte>
std::vector<std::vector<std::span<Byte>>> Group(
    const std::vector<std::vector<uintptr_t>>& addresses,
    const std::vector<std::vector<size_t>>& sizes) {
  if (addresses.size() != sizes.size())
    throw py::value_error("as many lists of sizes as of buffers");
  std::vector<std::vector<std::span<Byte>>> groups(addresses.size());
  for (size_t i = 0; i < addresses.size(); ++i) {
    if (addresses[i].size() != sizes[i].size()) throw py::value_error("as many sizes as buffers");
    for (size_t j = 0; j < addresses[i].size(); ++j) {
      groups[i].push_back(At<Byte>(addresses[i][j], sizes[i][j]));
    }
  }
  return groups;
}

template <typename Byte>
std::vector<std::vector<std::span<Byte>>> Single(const std::vector<uintptr_t>& addresses,
                                                 const std::vector<size_t>& sizes) {
  if (addresses.size() != sizes.size()) throw py::value_error("as many sizes as buffers");
  std::vector<std::vector<std::span<Byte>>> groups;
  for (size_t i = 0; i < addresses.size(); ++i)
    groups.push_back({At<Byte>(addresses[i], sizes[i])});
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
  for (const auto& handle : Get(store, keys)) {
    const auto bytes = handle == nullptr ? std::span<const std::byte>() : handle->bytes();
    values.append(py::bytes(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
  }
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

/// setup(dict): the same names, and those of LMCache's extra_config.
int SetupFromDict(DistributedStore& store, const py::dict& options) {
  SetupOptions setup;
  const auto set = [&](auto& field, std::initializer_list<const char*> names) {
    for (const char* name : names) {
      if (options.contains(name)) {
        field = options[name].cast<std::remove_reference_t<decltype(field)>>();
      }
    }
  };
  set(setup.local_hostname, {"local_hostname"});
  set(setup.metadata_server, {"metadata_server"});
  set(setup.global_segment_size, {"global_segment_size"});
  set(setup.local_buffer_size, {"local_buffer_size"});
  set(setup.protocol, {"protocol"});
  set(setup.rdma_devices, {"rdma_devices", "device_name"});
  set(setup.master_server_addr, {"master_server_addr", "master_server_address"});
  const py::gil_scoped_release release;
  return store.Setup(setup);
}

void DefineObjects(py::class_<DistributedStore>& store) {
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

void DefineZeroCopy(py::class_<DistributedStore>& store) {
  using Addresses = std::vector<uintptr_t>;
  using Sizes = std::vector<size_t>;
  using Keys = std::vector<std::string>;
  store
      .def("register_buffer", &DistributedStore::RegisterBuffer, py::arg("buffer_ptr"),
           py::arg("size"))
      .def("unregister_buffer", &DistributedStore::UnregisterBuffer, py::arg("buffer_ptr"))
      .def(
          "put_from",
          [](DistributedStore& self, const std::string& key, uintptr_t address, size_t size,
             const Config& config) {
            return self.Put({key}, {{At<const std::byte>(address, size)}}, OrDefault(config))[0];
          },
          py::arg("key"), py::arg("buffer_ptr"), py::arg("size"), py::arg("config") = py::none(),
          NoGil())
      .def(
          "batch_put_from",
          [](DistributedStore& self, const Keys& keys, const Addresses& addresses,
             const Sizes& sizes, const Config& config) {
            return self.Put(keys, Single<const std::byte>(addresses, sizes), OrDefault(config));
          },
          py::arg("keys"), py::arg("buffer_ptrs"), py::arg("sizes"), py::arg("config") = py::none(),
          NoGil())
      .def(
          "batch_put_from_multi_buffers",
          [](DistributedStore& self, const Keys& keys, const std::vector<Addresses>& addresses,
             const std::vector<Sizes>& sizes, const Config& config) {
            return self.Put(keys, Group<const std::byte>(addresses, sizes), OrDefault(config));
          },
          py::arg("keys"), py::arg("all_buffer_ptrs"), py::arg("all_sizes"),
          py::arg("config") = py::none(), NoGil())
      .def(
          "get_into",
          [](DistributedStore& self, const std::string& key, uintptr_t address, size_t size) {
            return self.GetInto({key}, {{At<std::byte>(address, size)}})[0];
          },
          py::arg("key"), py::arg("buffer_ptr"), py::arg("size"), NoGil())
      .def(
          "batch_get_into",
          [](DistributedStore& self, const Keys& keys, const Addresses& addresses,
             const Sizes& sizes) {
            return self.GetInto(keys, Single<std::byte>(addresses, sizes));
          },
          py::arg("keys"), py::arg("buffer_ptrs"), py::arg("sizes"), NoGil())
      .def(
          "batch_get_into_multi_buffers",
          [](DistributedStore& self, const Keys& keys, const std::vector<Addresses>& addresses,
             const std::vector<Sizes>& sizes) {
            return self.GetInto(keys, Group<std::byte>(addresses, sizes));
          },
          py::arg("keys"), py::arg("all_buffer_ptrs"), py::arg("all_sizes"), NoGil());
}

void DefineManagement(py::class_<DistributedStore>& store) {
  store.def(py::init<>())
      .def("setup", &SetupFromDict, py::arg("config"))
      .def(
          "setup",
          [](DistributedStore& self, std::string local_hostname, std::string metadata_server,
             uint64_t global_segment_size, uint64_t local_buffer_size, std::string protocol,
             std::string rdma_devices, std::string master_server_addr, const py::object&) {
            const py::gil_scoped_release release;
            return self.Setup({std::move(local_hostname), std::move(metadata_server),
                               global_segment_size, local_buffer_size, std::move(protocol),
                               std::move(rdma_devices), std::move(master_server_addr)});
          },
          py::arg("local_hostname"), py::arg("metadata_server"),
          py::arg("global_segment_size") = SetupOptions().global_segment_size,
          py::arg("local_buffer_size") = SetupOptions().local_buffer_size,
          py::arg("protocol") = "tcp", py::arg("rdma_devices") = "",
          py::arg("master_server_addr") = "127.0.0.1:50051", py::arg("engine") = py::none())
      .def("close", &DistributedStore::Close, NoGil())
      .def("get_hostname", &DistributedStore::Hostname)
      .def("health_check", &DistributedStore::HealthCheck)
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
      .def("remove_by_regex", &DistributedStore::RemoveByRegex, py::arg("str"),
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
      .def_readwrite("preferred_segment", &ReplicateConfig::preferred_segment);

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

  py::class_<DistributedStore> store(module, "MooncakeDistributedStore");
  DefineManagement(store);
  DefineObjects(store);
  DefineZeroCopy(store);
}

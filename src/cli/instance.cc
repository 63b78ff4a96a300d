#include "cli/instance.h"

#include <chrono>

#include "absl/strings/str_cat.h"
#include "base/log.h"
#include "base/memory_budget.h"
#include "base/status.h"
#include "cache/store_connector.h"
#include "cli/kv_budget.h"

namespace tandem::cli {
namespace {

constexpr int kHttpThreads = 2;
/// For replies that are on their way when the engine has ended.
constexpr Duration kLastReplies = std::chrono::seconds(1);

int64_t SecondsSince1970() {
  return std::chrono::duration_cast<std::chrono::seconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

compute::KvLayout LayoutOf(const model::ModelConfig& config) {
  return {.layers = config.layers,
          .kv_heads = config.kv_heads,
          .head_dim = config.head_dim,
          .dtype = config.dtype};
}

}  // namespace

Instance::Instance(ServeOptions options, std::optional<SharedCacheConfig> shared_cache,
                   const Clock& clock)
    : options_(std::move(options)), shared_cache_(std::move(shared_cache)), clock_(clock) {}

Instance::~Instance() { Stop(clock_.Now()); }

absl::Status Instance::LoadModel() {
  ASSIGN_OR_RETURN(model_, model::OpenModel(options_.model));
  if (options_.kv_cache_dtype) model_.config.dtype = *options_.kv_cache_dtype;
  ASSIGN_OR_RETURN(decoder_,
                   model::Decoder::Load(model_.config, *model_.weights, options_.threads));
  const compute::KvLayout layout = LayoutOf(model_.config);
  ASSIGN_OR_RETURN(const KvBudget budget,
                   PlanKvBudget({.layout = layout,
                                 .model_positions = model_.config.max_positions,
                                 .max_model_len = options_.max_model_len,
                                 .memory_bytes = options_.kv_cache_bytes,
                                 .available_bytes = AvailableMemory(),
                                 .max_num_seqs = options_.max_num_seqs}));
  if (!options_.max_model_len && budget.max_model_len < model_.config.max_positions) {
    spdlog::warn(
        "the context is {} tokens instead of the model's {}, as the KV cache holds no more; "
        "--kv-cache-memory gives it more",
        budget.max_model_len, model_.config.max_positions);
  }
  max_model_len_ = budget.max_model_len;
  ASSIGN_OR_RETURN(kv_, compute::KvPool::Create(layout, budget.blocks));
  spdlog::info(
      "loaded {}: {} layers, context {} tokens, {} KV blocks of 16 tokens ({} MiB, {}), "
      "{} threads",
      options_.model, model_.config.layers, max_model_len_, budget.blocks,
      (uint64_t(budget.blocks) * 16 * layout.all_token_bytes()) >> 20,
      compute::KeyName(layout.dtype), options_.threads);
  return absl::OkStatus();
}

absl::Status Instance::JoinStore() {
  if (!shared_cache_ || !shared_cache_->lmcache.has_store()) return absl::OkStatus();
  ASSIGN_OR_RETURN(
      store_, store::StoreClient::Create(shared_cache_->lmcache.StoreOptions(), metrics_, clock_));
  connector_ = cache::CreateStoreConnector(
      cache::StoreConnectorOptions::From(shared_cache_->lmcache, shared_cache_->transfer,
                                         options_.model, model_.weights->Fingerprint(),
                                         kv_->layout(), shared_cache_->hash_seed),
      *kv_, *store_, metrics_, clock_, [this] { waker_.Wake(); });
  spdlog::info("joined the store at {} with {} MiB as {}; cache namespace: {}",
               shared_cache_->lmcache.remote_url, store_->segment_bytes() >> 20,
               store_->segment_name(), connector_->cache_namespace().ToString());
  return absl::OkStatus();
}

api::ServedModel Instance::DescribeModel() const {
  return {.names = options_.served_model_names,
          .root = options_.model,
          .created = SecondsSince1970(),
          .max_model_len = max_model_len_,
          .vocab_size = model_.config.vocab_size,
          .tokenizer = model_.tokenizer.get(),
          .chat_template = model_.chat_template.get(),
          .generation = options_.checkpoint_sampling_defaults ? model_.generation
                                                              : model::GenerationDefaults(),
          .kv_namespace = connector_ ? connector_->cache_namespace().ToString() : "",
          .kv_role = std::string(connector_ ? cache::KvRoleName(connector_->role()) : ""),
          .max_logprobs = options_.max_logprobs,
          .priority_scheduling = options_.schedule_by_priority};
}

absl::Status Instance::Serve() {
  engine::EngineOptions engine_options;
  engine_options.model_name = options_.served_model_names.front();
  engine_options.num_blocks = kv_->num_blocks();
  engine_options.max_model_len = max_model_len_;
  engine_options.max_num_seqs = options_.max_num_seqs;
  engine_options.max_num_batched_tokens = options_.max_num_batched_tokens;
  engine_options.enable_prefix_caching = options_.enable_prefix_caching;
  if (options_.schedule_by_priority) {
    engine_options.scheduling_policy = engine::SchedulingPolicy::kPriority;
  }
  engine_options.seed = options_.seed;
  engine_options.eos_token_ids = model_.generation.eos_token_ids;
  engine_ = engine::EngineLoop::Start(engine_options, *decoder_, *kv_, *model_.tokenizer,
                                      connector_.get(), metrics_, clock_);
  waker_.Set(engine_.get());
  TlsContext tls;
  if (!options_.ssl_certfile.empty() || !options_.ssl_keyfile.empty()) {
    auto context =
        MakeTlsServerContext({.certificate = options_.ssl_certfile, .key = options_.ssl_keyfile});
    if (!context.ok()) {
      return absl::InvalidArgumentError(
          absl::StrCat("--ssl-certfile and --ssl-keyfile: ", context.status().message()));
    }
    tls = *std::move(context);
  }
  ASSIGN_OR_RETURN(server_, api::OpenAiServer::Start({.http = {.host = options_.host,
                                                               .port = options_.port,
                                                               .threads = kHttpThreads,
                                                               .tls = tls},
                                                      .api_keys = options_.api_keys,
                                                      .log_requests = options_.log_requests,
                                                      .version = TANDEM_VERSION},
                                                     DescribeModel(), *engine_, metrics_, clock_));
  return absl::OkStatus();
}

void Instance::Stop(TimePoint deadline) {
  if (server_) server_->BeginDrain();
  if (engine_ && !engine_->Drain(deadline)) {
    spdlog::warn("requests still in flight were ended: the time for them has passed");
  }
  if (server_) server_->Stop(clock_.Now() + kLastReplies);
  server_.reset();
  waker_.Set(nullptr);
  engine_.reset();
  connector_.reset();
  store_.reset();
}

}  // namespace tandem::cli

#!/bin/bash
# Starts one instance of the guide: disagg_vllm_launcher.sh prefiller|decoder MODEL [FLAGS...]
# The configuration files are configs/mooncake-{prefiller,decoder}-config.yaml beside this script, or
# the file that LMCACHE_CONFIG_FILE names.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
tandem=${TANDEM:-$(command -v tandem || echo "$here/../../build/bin/tandem")}

usage() {
  echo "usage: $0 prefiller|decoder MODEL [flags of 'tandem serve'...]" >&2
  exit 2
}
[[ $# -ge 2 ]] || usage
role=$1
model=$2
shift 2

case $role in
  prefiller)
    port=8100 kv_role=kv_producer ;;
  decoder)
    port=8200 kv_role=kv_consumer ;;
  *)
    usage ;;
esac

export PYTHONHASHSEED=${PYTHONHASHSEED:-123}
export LMCACHE_CONFIG_FILE=${LMCACHE_CONFIG_FILE:-$here/configs/mooncake-$role-config.yaml}
exec "$tandem" serve "$model" \
  --port "$port" \
  --enforce-eager \
  --no-enable-prefix-caching \
  --kv-transfer-config "{\"kv_connector\":\"LMCacheConnectorV1\",\"kv_role\":\"$kv_role\"}" \
  "$@"

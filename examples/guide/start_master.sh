#!/bin/sh
# Step 1 of the guide, word for word. mooncake_master is a second name of the tandem program; one
# that is not installed is found where this clone builds it.
PATH=$PATH:$(cd "$(dirname "$0")" && pwd)/../../build/bin
exec mooncake_master -v=1 \
  --rpc_port=50051 \
  --metrics_port=9003 \
  --enable_http_metadata_server=true \
  --http_metadata_server_host=0.0.0.0 \
  --http_metadata_server_port=8080

#!/bin/sh
# Step 5 of the guide: send_request.sh [PROXY_HOST[:PORT]] [MODEL]
proxy=${1:-127.0.0.1:9000}
case $proxy in *:*) ;; *) proxy=$proxy:9000 ;; esac
exec curl -N "http://$proxy/v1/chat/completions" \
  -H "Content-Type: application/json" \
  -d '{
    "model": "'"${2:-Qwen/Qwen2.5-7B-Instruct-GPTQ-Int4}"'",
    "messages": [
      {
        "role": "user",
        "content": "Explain how KV cache reuse helps long-context serving."
      }
    ],
    "max_tokens": 128,
    "temperature": 0.7
  }'

"""mooncake.store: the API of Mooncake Store's Python client, over tandem's store."""

"""Side by side in one run: plain proxies, nginx + Lua and Ringfence. Start with `make bench`."""

"""Venues' signing schemes, routes, weights and error bodies: data, one YAML file a dialect."""

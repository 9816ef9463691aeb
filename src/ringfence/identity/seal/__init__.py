"""The state folder's keys, sealed: data keys for each file, wrapped by a key from elsewhere."""

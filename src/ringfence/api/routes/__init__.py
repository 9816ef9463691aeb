"""The admin API's endpoints: one file per area, each with a `router` on its service."""

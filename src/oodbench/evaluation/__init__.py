"""How a run is computed: pictures -> attack -> engine -> records."""

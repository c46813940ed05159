"""How data is reached: one package per kind of resource, plain classes without Dagster."""

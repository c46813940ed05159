"""The models: one form, additive, and the three ways to fit one."""

"""The models: one additive form, three learners that fit it, and logistic regression as a baseline."""

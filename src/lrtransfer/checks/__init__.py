"""Whether a model really trains as its parametrization promises, measured on the model itself."""

"""The experiment file: YAML to a typed model, its JSON Schema, and the linter. Pure: text comes in, values go out."""

//! The family tree of Llama-like models as data: declarations, schema, resolution, the plan of tensors, and the model they compose.

//! Values that belong to the whole gateway.

//! What answers look like: the same things in the shapes of both contracts.

//! Messages that no reader gets past.

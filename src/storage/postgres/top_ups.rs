//! Messages that may get more slots.

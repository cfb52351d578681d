//! Taking messages whose time is over out of the inboxes.
